// The canvas: opens a photo, and records what is drawn on it as shapes in the photo's own pixels, so that they can be drawn
// at full resolution. The body of a function: Gradio, and the page without a server, call it with element, trigger, props,
// server, upload, watch; shapes.js and layers.js stand before it.
const root = element.querySelector(".ed");
const find = (selector) => root.querySelector(selector);
const board = find(".board"), stage = find(".stage"), picture = find(".photo"), ink = find(".ink"), ring = find(".ring");
const slider = find(".size input"), about = find(".about"), strip = find(".strip"), which = find(".which");
const MOST_STEPS = 200;

let photo = null, shapes = [], past = [], future = [], tool = "brush", drawing = null, folder = [];
let view = { zoom: 1, x: 0, y: 0 }, spread = new Map(), pinch = null, held = false, said = 0;
const covers = new Map();

// What the server is told ---------------------------------------------------------------------------------------------

function tell() {
  props.value = { photo: photo ? photo.id : null, shapes: shapes.map(({ cover, ...shape }) => shape) };
  find("[data-do=undo]").disabled = past.length === 0;
  find("[data-do=redo]").disabled = future.length === 0;
  find("[data-do=clear]").disabled = clearable().length === 0;
}

// Drawing --------------------------------------------------------------------------------------------------------------

const scale = () => ink.width / photo.width;

function redraw() {
  const context = ink.getContext("2d");
  context.clearRect(0, 0, ink.width, ink.height);
  if (!photo) return;
  // Layer by layer: an eraser takes away from its own layer alone.
  for (const { name, kind } of fromBelow()) {
    context.globalAlpha = VEILS[kind];
    context.drawImage(sheetOf(name, ink.width, ink.height), 0, 0);
  }
  context.globalAlpha = 1;
}

function sheetOf(name, width, height) {
  const sheet = document.createElement("canvas");
  sheet.width = width;
  sheet.height = height;
  const own = sheet.getContext("2d");
  for (const shape of drawing ? [...shapes, drawing] : shapes)
    if (shape.layer === name) paint(own, shape, photo, shape.color || inkOf(name), covers.get(shape.mask));
  return sheet;
}

// For a page that fills by itself: what is marked, as a canvas of the photo's own size; null without a photo.
root.marked = () => (photo ? sheetOf("hole", photo.width, photo.height) : null);

let due = false;
function redrawSoon() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    redraw();
  });
}

// Every change keeps the list that there was before, so that clearing is undone like a stroke.
function change(next) {
  past = [...past.slice(-MOST_STEPS), shapes];
  future = [];
  set(next);
}

function set(next) {
  shapes = next;
  redrawSoon();
  tell();
}

const add = (shape) => change([...shapes, shape]);
function clear() {
  const gone = new Set(clearable());
  if (gone.size) change(shapes.filter((shape) => !gone.has(shape)));
}

function undo() {
  if (!past.length) return;
  future.push(shapes);
  set(past.pop());
}

function redo() {
  if (!future.length) return;
  past.push(shapes);
  set(future.pop());
}

// Where things are -----------------------------------------------------------------------------------------------------

// The slider is finer for thin brushes: from 1 to a quarter of the longer side.
const width = () => Math.max(1, (Math.max(photo.width, photo.height) / 4) * Math.pow(slider.value / 100, 2));

function fit() {
  if (!photo) return;
  const room = board.getBoundingClientRect();
  const least = Math.min(room.width / photo.width, room.height / photo.height);
  stage.style.width = `${photo.width * least}px`;
  stage.style.height = `${photo.height * least}px`;
  view = { zoom: 1, x: (room.width - photo.width * least) / 2, y: (room.height - photo.height * least) / 2 };
  place();
}

function place() {
  stage.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
  find(".percent").textContent = `${Math.round(view.zoom * 100)} %`;
}

function zoom(factor, clientX, clientY) {
  if (!photo) return;
  const room = board.getBoundingClientRect();
  const x = (clientX ?? room.left + room.width / 2) - room.left, y = (clientY ?? room.top + room.height / 2) - room.top;
  const next = Math.min(Math.max(view.zoom * factor, 1), 32);
  if (next === 1) return fit();
  view = { zoom: next, x: x - ((x - view.x) * next) / view.zoom, y: y - ((y - view.y) * next) / view.zoom };
  place();
}

function showRing(event) {
  const shown = photo && (tool === "brush" || tool === "eraser") && event.pointerType !== "touch" && !held;
  ring.hidden = !shown;
  if (!shown) return;
  const room = board.getBoundingClientRect(), box = stage.getBoundingClientRect();
  const side = Math.max((width() / photo.width) * box.width, 4);
  ring.style.width = ring.style.height = `${side}px`;
  ring.style.transform = `translate(${event.clientX - room.left - side / 2}px, ${event.clientY - room.top - side / 2}px)`;
}

// Pointers: mouse, pen and touch; two fingers move and zoom ------------------------------------------------------------

board.addEventListener("pointerdown", (event) => {
  if (!photo || event.target.closest("button")) return;
  if (event.pointerType === "mouse" && event.button > 1) return;
  root.focus({ preventScroll: true });
  board.setPointerCapture(event.pointerId);
  spread.set(event.pointerId, [event.clientX, event.clientY]);
  if (spread.size === 2) {
    drawing = null;
    redrawSoon();
    pinch = spreadOf();
    return;
  }
  if (tool === "pan" || held || event.button === 1) {
    drawing = { moves: [event.clientX - view.x, event.clientY - view.y] };
    return;
  }
  const start = pointOn(stage, photo, event);
  if (tool === "pick" || (hasColors() && event.altKey)) {
    spread.delete(event.pointerId);
    pickColor(start);
    return choose("brush");
  }
  const kind = tool === "box" || tool === "object" ? "box" : tool === "lasso" ? "lasso" : "brush";
  const points = kind === "box" ? [start, start] : [start];
  drawing = { kind, points, width_px: Math.round(width() * 10) / 10, erases: tool === "eraser", layer };
  if (hasColors()) drawing.color = find(".tint input").value;
  redrawSoon();
});

board.addEventListener("pointermove", (event) => {
  showRing(event);
  if (!spread.has(event.pointerId)) return;
  spread.set(event.pointerId, [event.clientX, event.clientY]);
  if (pinch) {
    const now = spreadOf();
    view.x += now.x - pinch.x;
    view.y += now.y - pinch.y;
    zoom(now.length / pinch.length, now.x, now.y);
    pinch = now;
    return;
  }
  if (!drawing) return;
  if (drawing.moves) {
    view.x = event.clientX - drawing.moves[0];
    view.y = event.clientY - drawing.moves[1];
    return place();
  }
  for (const each of event.getCoalescedEvents?.() || [event])
    extend(drawing, pointOn(stage, photo, each), 1 / (scale() * view.zoom));
  redrawSoon();
});

function lift(event) {
  if (!spread.delete(event.pointerId)) return;
  if (pinch) {
    if (!spread.size) pinch = null;
    return;
  }
  const done = drawing;
  drawing = null;
  if (!done || done.moves || event.type === "pointercancel") return redrawSoon();
  if (!isWhole(done)) return redrawSoon();
  if (tool === "object") {
    redrawSoon();
    busy("Looking for the object");
    return trigger("input", { points: done.points });
  }
  add(done);
}
board.addEventListener("pointerup", lift);
board.addEventListener("pointercancel", lift);
board.addEventListener("pointerleave", () => (ring.hidden = true));
board.addEventListener("wheel", (event) => {
  if (!photo || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 200), event.clientX, event.clientY);
}, { passive: false });

function spreadOf() {
  const [[x0, y0], [x1, y1]] = [...spread.values()];
  return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, length: Math.hypot(x1 - x0, y1 - y0) || 1 };
}

// Keys and buttons -----------------------------------------------------------------------------------------------------

function choose(name) {
  tool = name;
  board.dataset.tool = name;
  for (const button of root.querySelectorAll("button[data-tool]"))
    button.setAttribute("aria-checked", String(button.dataset.tool === name));
}

const actions = {
  open: () => find(".file").click(),
  folder: () => find(".files").click(),
  undo, redo, clear, fit,
  in: () => zoom(1.5),
  out: () => zoom(1 / 1.5),
};

root.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.tool) choose(button.dataset.tool);
  else if (button.dataset.do) actions[button.dataset.do]();
});

const KEYS = { b: "brush", e: "eraser", r: "box", l: "lasso", o: "object", i: "pick" };
const canDraw = (name) => !find(`[data-tool=${name}]`).hidden;
document.addEventListener("keydown", (event) => {
  if (event.target.closest?.("input:not([type=range]), textarea, select, [contenteditable]") || !photo) return;
  const key = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && key === "z") event.shiftKey ? redo() : undo();
  else if ((event.ctrlKey || event.metaKey) && key === "y") redo();
  else if (event.ctrlKey || event.metaKey || event.altKey || !root.contains(event.target)) return;
  else if (KEYS[key] && canDraw(KEYS[key])) choose(KEYS[key]);
  else if (layers[Number(key) - 1] && MANY()) chooseLayer(layers[Number(key) - 1].name);
  else if (key === " " && event.target === root) held = true;
  else if (key === "[") slider.value = Number(slider.value) - 4;
  else if (key === "]") slider.value = Number(slider.value) + 4;
  else if (key === "+" || key === "=") zoom(1.5);
  else if (key === "-") zoom(1 / 1.5);
  else if (key === "0") fit();
  else return;
  event.preventDefault();
});
document.addEventListener("keyup", (event) => {
  if (event.key === " ") held = false;
});

// Opening --------------------------------------------------------------------------------------------------------------

function busy(text) {
  find(".busy").hidden = !text;
  find(".busy span").textContent = text || "";
}

function say(text, wrong = false) {
  about.textContent = text;
  about.classList.toggle("wrong", wrong);
}

const size = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

async function send(file) {
  if (file.size > props.limits.bytes) return say(`${file.name} has ${size(file.size)}; at most ${size(props.limits.bytes)} are taken`, true);
  busy(`Sending ${file.name}`);
  try {
    const sent = await upload(file);
    busy("Opening");
    trigger("upload", { path: sent.path, name: file.name });
  } catch (error) {
    busy("");
    say(`${file.name} was not taken: ${error.message || error}`, true);
  }
}

find(".file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (file) send(file);
});

find(".files").addEventListener("change", (event) => {
  folder = [...event.target.files].filter((file) => file.type.startsWith("image/") || /\.(heic|heif|avif|tiff?)$/i.test(file.name));
  event.target.value = "";
  if (!folder.length) return say("there are no photos in that folder", true);
  listShelves("yours");
});

const carriesFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
root.addEventListener("dragover", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  root.classList.add("dropping");
});
root.addEventListener("dragleave", (event) => root.contains(event.relatedTarget) || root.classList.remove("dropping"));
root.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  root.classList.remove("dropping");
  const files = [...event.dataTransfer.files];
  if (files.length === 1) return send(files[0]);
  folder = files;
  listShelves("yours");
});
document.addEventListener("paste", (event) => {
  if (!root.offsetParent) return; // another part of the page is shown
  const [file] = [...(event.clipboardData?.files || [])].filter((each) => each.type.startsWith("image/"));
  if (file) send(file);
});

// The shelves of photos ------------------------------------------------------------------------------------------------

function listShelves(chosen) {
  const shelves = [...props.shelves, ...(folder.length ? [{ name: "yours", title: "Your folder" }] : [])];
  which.replaceChildren(...shelves.map((shelf) => new Option(shelf.title, shelf.name)));
  which.value = chosen || shelves[shelves.length - 1].name;
  which.hidden = shelves.length < 2;
  fillStrip();
}
which.addEventListener("change", fillStrip);

function fillStrip() {
  for (const old of strip.querySelectorAll("img")) if (old.src.startsWith("blob:")) URL.revokeObjectURL(old.src);
  const shelf = props.shelves.find((each) => each.name === which.value);
  const names = shelf ? shelf.names : folder.map((file) => file.name);
  strip.replaceChildren(
    ...names.map((name, number) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = name;
      button.setAttribute("aria-label", `Open ${name}`);
      const image = new Image();
      image.alt = name;
      image.loading = "lazy";
      image.addEventListener("error", () => image.replaceWith(document.createTextNode(name)));
      image.src = shelf ? shelf.views[number] : URL.createObjectURL(folder[number]);
      button.append(image);
      button.addEventListener("click", () => {
        if (!shelf) return send(folder[number]);
        busy("Opening");
        trigger("select", { shelf: shelf.name, number });
      });
      return button;
    }),
  );
}

// What the server says -------------------------------------------------------------------------------------------------

watch("opened", () => {
  const news = props.opened;
  if (!news || news.said === said) return;
  said = news.said;
  busy("");
  if (news.error) return say(news.error, true);
  const next = new Image();
  next.onload = () => {
    photo = news.photo;
    picture.src = next.src;
    ink.width = next.naturalWidth;
    ink.height = next.naturalHeight;
    board.removeAttribute("data-empty");
    shapes = [];
    past = [];
    future = [];
    covers.clear();
    board.style.setProperty("--aspect", photo.width / photo.height);
    fit();
    redraw();
    tell();
    const notes = news.notes.length ? ` · ${news.notes.join("; ")}` : "";
    say(`${photo.name} · ${photo.width} × ${photo.height} · ${photo.depth}${notes}`);
    root.dataset.photo = photo.id;
  };
  next.onerror = () => say("the photo could not be shown", true);
  next.src = news.photo.view;
});

watch("found", () => {
  const news = props.found;
  if (!news || news.said === said || !photo) return;
  said = news.said;
  busy("");
  if (news.error) return say(news.error, true);
  if (!news.mask) return say(news.note);
  const cover = new Image();
  cover.onload = () => {
    covers.set(news.mask, cover);
    add({ kind: "mask", points: [], width_px: 1, erases: false, mask: news.mask, layer: news.layer || "hole" });
    say(news.note);
    root.dataset.found = news.mask;
  };
  cover.src = news.cover;
});

new ResizeObserver(fit).observe(board);
find(".limits").textContent = `up to ${size(props.limits.bytes)} and ${Math.round(props.limits.pixels / 1e6)} megapixels; ${props.limits.formats}`;
choose("brush");
listShelves(props.shelves[props.shelves.length - 1].name);
listenToLayers();
tell();

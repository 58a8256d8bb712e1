// Two photos: the object of the source lies over the target, and is dragged, scaled and turned there. Where it lies is told in
// the target's own pixels. The body of a function that Gradio calls with element, trigger, props, server, upload, watch;
// shapes.js stands before it.
const root = element.querySelector(".bl");
const find = (selector) => root.querySelector(selector);
const board = find(".bl-board"), stage = find(".bl-stage"), cut = find(".bl-cut"), sheet = find(".bl-sheet"), ink = find(".bl-ink");
const about = find(".bl-about"), file = find(".bl-file"), strip = find(".bl-strip"), role = find(".bl-role");
const scaleOf = find(".bl-scale"), turnOf = find(".bl-turn");
const photos = { target: null, source: null };
let placed = { x: 0, y: 0, scale: 1, rotate: 0 }, picking = "target", dragging = null, said = 0;
let tool = "box", marking = null;

// Where the object lies ------------------------------------------------------------------------------------------------

function tell() {
  props.value = photos.target && photos.source ? { ...placed } : null;
  root.dataset.placed = JSON.stringify(placed);
}

const pixels = () => stage.getBoundingClientRect().width / photos.target.width;

function fit() {
  const { target } = photos;
  if (!target) return;
  const room = board.getBoundingClientRect();
  const least = Math.min(room.width / target.width, room.height / target.height) || 0;
  stage.style.width = `${target.width * least}px`;
  stage.style.height = `${target.height * least}px`;
  place();
}

function place() {
  cut.hidden = !photos.target || !photos.source || !photos.source.cut;
  tell();
  if (cut.hidden) return;
  const { target, source } = photos;
  cut.style.left = `${(100 * placed.x) / target.width}%`;
  cut.style.top = `${(100 * placed.y) / target.height}%`;
  cut.style.width = `${(100 * source.width * placed.scale) / target.width}%`;
  cut.style.height = `${(100 * source.height * placed.scale) / target.height}%`;
  cut.style.transform = `translate(-50%, -50%) rotate(${-placed.rotate}deg)`;
  scaleOf.value = 100 * Math.log10(placed.scale);
  turnOf.value = placed.rotate;
}

function move(changes) {
  placed = { ...placed, ...changes };
  placed.scale = Math.min(Math.max(placed.scale, 0.01), 10);
  place();
}

// The object in the middle, as large as it is, or as fits into two thirds of the target.
function center() {
  const { target, source } = photos;
  if (!target || !source) return;
  const scale = Math.min(1, (0.67 * target.width) / source.width, (0.67 * target.height) / source.height);
  placed = { x: target.width / 2, y: target.height / 2, scale, rotate: 0 };
  place();
}

stage.addEventListener("pointerdown", (event) => {
  if (cut.hidden || event.button > 0) return;
  event.preventDefault();
  root.focus({ preventScroll: true });
  stage.setPointerCapture(event.pointerId);
  dragging = { x: placed.x - event.clientX / pixels(), y: placed.y - event.clientY / pixels() };
});
stage.addEventListener("pointermove", (event) => {
  if (dragging) move({ x: dragging.x + event.clientX / pixels(), y: dragging.y + event.clientY / pixels() });
});
for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => (dragging = null));
board.addEventListener("wheel", (event) => {
  if (cut.hidden || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  move({ scale: placed.scale * Math.exp(-event.deltaY / 400) });
}, { passive: false });
scaleOf.addEventListener("input", () => move({ scale: Math.pow(10, scaleOf.value / 100) }));
turnOf.addEventListener("input", () => move({ rotate: Number(turnOf.value) }));

const KEYS = {
  ArrowLeft: (step) => ({ x: placed.x - step }),
  ArrowRight: (step) => ({ x: placed.x + step }),
  ArrowUp: (step) => ({ y: placed.y - step }),
  ArrowDown: (step) => ({ y: placed.y + step }),
  "+": () => ({ scale: placed.scale * 1.05 }),
  "-": () => ({ scale: placed.scale / 1.05 }),
  "[": () => ({ rotate: placed.rotate + 5 }),
  "]": () => ({ rotate: placed.rotate - 5 }),
};
root.addEventListener("keydown", (event) => {
  if (event.target !== root || cut.hidden || !KEYS[event.key]) return;
  event.preventDefault();
  move(KEYS[event.key](event.shiftKey ? 10 : 1));
});

// The object in the source: a box around it, or its outline ------------------------------------------------------------

function choose(name) {
  tool = name;
  for (const button of root.querySelectorAll("button[data-mark]"))
    button.setAttribute("aria-checked", String(button.dataset.mark === name));
}

function showMark() {
  const context = ink.getContext("2d");
  context.clearRect(0, 0, ink.width, ink.height);
  if (marking) paint(context, marking, photos.source, getComputedStyle(ink).color);
}

sheet.addEventListener("pointerdown", (event) => {
  if (!photos.source || event.button > 0) return;
  event.preventDefault();
  sheet.setPointerCapture(event.pointerId);
  ink.width = sheet.clientWidth * devicePixelRatio;
  ink.height = sheet.clientHeight * devicePixelRatio;
  const start = pointOn(sheet, photos.source, event);
  marking = { kind: tool, points: tool === "box" ? [start, start] : [start] };
});
sheet.addEventListener("pointermove", (event) => {
  if (!marking) return;
  for (const each of event.getCoalescedEvents?.() || [event])
    extend(marking, pointOn(sheet, photos.source, each), photos.source.width / sheet.clientWidth);
  showMark();
});
sheet.addEventListener("pointerup", () => {
  const done = marking;
  marking = null;
  showMark();
  if (!done || !isWhole(done)) return;
  say(done.kind === "box" ? "Looking for the object" : "Cutting the object out");
  trigger("input", done);
});
sheet.addEventListener("pointercancel", () => {
  marking = null;
  showMark();
});

// Opening --------------------------------------------------------------------------------------------------------------

function say(text, wrong = false) {
  about.textContent = text;
  about.classList.toggle("bl-wrong", wrong);
}

async function send(chosen, as) {
  const most = props.limits.bytes;
  if (chosen.size > most) return say(`${chosen.name} is larger than ${(most / 1e6).toFixed(1)} MB`, true);
  say(`Sending ${chosen.name}`);
  try {
    const sent = await upload(chosen);
    trigger("upload", { path: sent.path, name: chosen.name, role: as });
  } catch (error) {
    say(`${chosen.name} was not taken: ${error.message || error}`, true);
  }
}

root.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.do) return center();
  if (button.dataset.mark) return choose(button.dataset.mark);
  if (!button.dataset.pick) return;
  picking = button.dataset.pick;
  file.click();
});
file.addEventListener("change", () => {
  const [chosen] = file.files;
  file.value = "";
  if (chosen) send(chosen, picking);
});

const carriesFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
const free = () => (photos.target ? "source" : "target");
root.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
root.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  const as = event.target.closest(".bl-source") ? "source" : event.target.closest(".bl-board") ? "target" : free();
  if (event.dataTransfer.files[0]) send(event.dataTransfer.files[0], as);
});
document.addEventListener("paste", (event) => {
  if (!root.offsetParent) return;
  const [chosen] = [...(event.clipboardData?.files || [])].filter((each) => each.type.startsWith("image/"));
  if (chosen) send(chosen, free());
});

for (const shelf of props.shelves)
  shelf.names.forEach((name, number) => {
    const button = document.createElement("button"), image = new Image();
    button.type = "button";
    button.title = name;
    button.setAttribute("aria-label", `Open ${name}`);
    image.alt = name;
    image.loading = "lazy";
    image.addEventListener("error", () => image.replaceWith(document.createTextNode(name)));
    image.src = shelf.views[number];
    button.append(image);
    button.addEventListener("click", () => trigger("select", { shelf: shelf.name, number, role: role.value }));
    strip.append(button);
  });

// What the server says -------------------------------------------------------------------------------------------------

function showCut(view) {
  photos.source.cut = view;
  find(".bl-hint").hidden = Boolean(view);
  if (view) cut.src = view;
  root.dataset.cut = view || "";
  place();
}

watch("opened", () => {
  const news = props.opened;
  if (!news || news.said === said) return;
  said = news.said;
  if (news.error) return say(news.error, true);
  const { photo, role: part } = news;
  photos[part] = photo;
  if (part === "target") {
    find(".bl-target").src = photo.view;
    board.style.setProperty("--aspect", photo.width / photo.height);
    board.removeAttribute("data-empty");
    role.value = "source";
    fit();
  } else {
    find(".bl-photo").src = photo.view;
    find(".bl-source").removeAttribute("data-empty");
    showCut(news.cut);
  }
  center();
  root.dataset[part] = photo.id;
  const notes = news.notes.length ? ` · ${news.notes.join("; ")}` : "";
  say(`${photo.name} · ${photo.width} × ${photo.height} · ${photo.depth}${notes}`);
});

watch("cut", () => {
  const news = props.cut;
  if (!news || news.said === said) return;
  said = news.said;
  if (news.error) return say(news.error, true);
  showCut(news.view);
  say("Drag the object, or move it with the arrow keys; + and - scale it, [ and ] turn it");
});

new ResizeObserver(fit).observe(board);
choose(tool);
tell();

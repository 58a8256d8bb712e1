// Results: how far a fill is, one result against the photo before, all fills of one run side by side, and those so far.
// The body of a function: Gradio, and the page without a server, call it with element, trigger, props, server, upload,
// watch.
const root = element.querySelector(".rs");
const find = (selector) => root.querySelector(selector);
const compare = find(".compare"), range = compare.querySelector("input"), beside = find(".beside");
let chosen = null, together = false, asking = null;

const seconds = (value) => (value < 90 ? `${value < 10 ? value.toFixed(1) : Math.round(value)} s` : `${Math.round(value / 60)} min`);

function slide() {
  compare.style.setProperty("--cut", `${range.value / 10}%`);
}
range.addEventListener("input", slide);

function results() {
  return props.results || [];
}

// The fills of one run have the same mask and photo.
const runOf = (result) => results().filter((each) => each.run === result.run);

function show(id) {
  const result = results().find((each) => each.id === id) || results()[0];
  find(".viewer").hidden = find(".history").hidden = !result;
  if (!result) return;
  chosen = result.id;
  const several = runOf(result);
  if (several.length < 2) together = false;
  find(".before").src = result.before;
  find(".after").src = result.view;
  compare.style.setProperty("--aspect", result.width / result.height);
  compare.hidden = together;
  beside.hidden = !together;
  beside.replaceChildren(...(together ? [{ ...result, model: "before", view: result.before, id: null }, ...several].map(figure) : []));
  find(".title").textContent = result.model;
  const facts = [`${result.width} × ${result.height}`, result.depth, seconds(result.seconds), result.strategy];
  if (result.score !== null) facts.push(`score ${result.score.toFixed(3)}`);
  find(".text").textContent = facts.filter(Boolean).join(" · ");
  find(".notes").replaceChildren(...result.notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
  const photo = find("[data-act=photo]"), mask = find("[data-act=mask]");
  photo.href = result.file;
  photo.download = result.name;
  mask.href = result.mask;
  mask.download = result.maskName;
  for (const old of root.querySelectorAll("[data-plane]")) old.remove();
  mask.after(...(result.guidance || []).map(layerLink));
  const toggle = find("[data-act=beside]");
  toggle.hidden = several.length < 2;
  toggle.setAttribute("aria-pressed", String(together));
  find(".list").replaceChildren(...results().map(card));
  root.dataset.shown = result.id;
}

function layerLink(layer) {
  const link = document.createElement("a");
  link.className = "act";
  link.dataset.plane = layer.plane;
  link.href = layer.file;
  link.download = layer.name;
  link.textContent = `Download ${layer.plane}`;
  return link;
}

function figure(result) {
  const box = document.createElement("figure"), image = new Image(), caption = document.createElement("figcaption");
  image.src = result.view;
  image.alt = caption.textContent = result.model;
  box.append(image, caption);
  if (result.id) {
    box.tabIndex = 0;
    box.addEventListener("click", () => open(result.id));
    box.addEventListener("keydown", (event) => event.key === "Enter" && open(result.id));
  }
  return box;
}

function open(id) {
  together = false;
  show(id);
}

function card(result) {
  const button = document.createElement("button"), image = new Image(), text = document.createElement("span");
  button.type = "button";
  button.setAttribute("aria-pressed", String(result.id === chosen));
  image.src = result.view;
  image.alt = "";
  image.loading = "lazy";
  text.textContent = result.model;
  button.title = `${result.name}, ${result.model}`;
  button.append(image, text);
  button.addEventListener("click", () => open(result.id));
  return button;
}

find("[data-act=continue]").addEventListener("click", () => {
  document.dispatchEvent(new CustomEvent("inpaint:mode", { detail: "fill" }));
  trigger("select", { result: chosen });
});
find("[data-act=beside]").addEventListener("click", () => {
  together = !together;
  show(chosen);
});

watch("results", () => {
  const before = root.dataset.newest, newest = results()[0];
  if (newest && newest.id !== before) {
    root.dataset.newest = newest.id;
    together = runOf(newest).length > 1;
    range.value = 500;
    slide();
    show(newest.id);
  } else show(chosen);
});

async function askForTurn() {
  const answer = await fetch(`${props.base}gradio_api/queue/status`);
  const { queue_size: waiting } = await answer.json();
  if (root.dataset.state === "working" && waiting > 1) find(".rest").textContent = `${waiting} are waiting`;
}

watch("working", () => {
  const now = props.working;
  const box = find(".working"), wrong = find(".wrong");
  box.hidden = now.idle || Boolean(now.error);
  wrong.hidden = !now.error;
  root.dataset.state = now.idle ? "idle" : now.error ? "failed" : "working";
  if (now.idle) return;
  clearInterval(asking);
  if (now.waiting) {
    asking = setInterval(askForTurn, 2000);
    find(".what").textContent = "Waiting for its turn";
    find(".rest").textContent = "fills work one after the other";
    find(".track").classList.add("unknown");
    find(".preview").hidden = true;
    return;
  }
  if (now.error) return void (wrong.textContent = now.error);
  const which = now.count > 1 ? ` (${now.number + 1} of ${now.count})` : "";
  find(".what").textContent = `${now.model}${which}`;
  const share = now.total ? now.done / now.total : 0;
  find(".track i").style.width = `${100 * share}%`;
  find(".track").classList.toggle("unknown", !now.total);
  const rest = now.text ?? (now.remaining_s === null ? "working" : `about ${seconds(now.remaining_s)} left`);
  find(".rest").textContent = rest + (now.stoppable ? " · Stop keeps what there is" : "");
  const preview = find(".preview");
  if (now.preview) preview.src = now.preview;
  if (now.preview || now.done === 0) preview.hidden = !now.preview;
});
slide();

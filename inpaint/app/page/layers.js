// Which layer is drawn: the hole, or one for every plane that the chosen models take. Stands before editor.js in the same
// function, whose names it uses once that has begun.
const HOLE = { name: "hole", kind: "hole", summary: "What is filled." };
const INKS = { hole: ["#ff3b6b"], lines: ["#00b7ff", "#ffb000"], values: ["#9a6bff"] };
const VEILS = { hole: 0.55, lines: 1, colors: 0.9, values: 0.7 };
const ORDER = ["hole", "values", "colors", "lines"]; // from below to above
const USUAL_SIZE = { hole: 30, lines: 11, colors: 26, values: 30 };
// What cannot be drawn on a layer: a filled outline is no line, and an object is a hole.
const NOT_FOR = { hole: ["pick"], lines: ["pick", "object", "box", "lasso"], colors: ["object"], values: ["pick", "object"] };
const MANY = () => layers.length > 1;
const sizes = new Map();
let layers = [HOLE], layer = "hole";

const kindOf = (name) => (layers.find((each) => each.name === name) || HOLE).kind;
const hasColors = () => kindOf(layer) === "colors";

function inkOf(name) {
  const kind = kindOf(name), alike = layers.filter((each) => each.kind === kind).map((each) => each.name);
  const inks = INKS[kind] || [find(".tint input").value];
  return inks[Math.max(alike.indexOf(name), 0) % inks.length];
}

const fromBelow = () => [...layers].sort((one, other) => ORDER.indexOf(one.kind) - ORDER.indexOf(other.kind));

function showPlanes() {
  layers = [HOLE, ...(props.planes || [])];
  const box = find(".layers");
  box.hidden = !MANY();
  box.replaceChildren(...layers.map(layerButton));
  find("[data-do=clear]").title = MANY() ? "Clear this layer" : "Clear all marks";
  chooseLayer(layers.some((each) => each.name === layer) ? layer : "hole");
  redrawSoon();
}

function layerButton({ name, summary }) {
  const button = document.createElement("button"), dot = document.createElement("i");
  button.type = "button";
  button.setAttribute("role", "radio");
  button.dataset.layer = name;
  button.title = name === "hole" ? summary : `${summary} It counts inside the hole.`;
  button.append(dot, name[0].toUpperCase() + name.slice(1));
  return button;
}

function chooseLayer(name) {
  sizes.set(layer, slider.value);
  layer = name;
  const kind = kindOf(name);
  slider.value = sizes.get(name) ?? USUAL_SIZE[kind];
  for (const button of root.querySelectorAll("button[data-layer]")) {
    button.setAttribute("aria-checked", String(button.dataset.layer === name));
    button.querySelector("i").style.background = inkOf(button.dataset.layer);
  }
  for (const button of root.querySelectorAll("button[data-tool]")) button.hidden = NOT_FOR[kind].includes(button.dataset.tool);
  find(".tint").hidden = !hasColors();
  find(".hint").hidden = kind === "hole";
  if (NOT_FOR[kind].includes(tool)) choose("brush");
  tell();
}

// What is cleared at once: all, or the layer that is drawn.
const clearable = () => shapes.filter((shape) => !MANY() || shape.layer === layer);

function takeColor(color) {
  find(".tint input").value = color;
  chooseLayer(layer);
}

// Takes the color of the photo at a place (x, y) in its own pixels.
function pickColor([x, y]) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d"), factor = picture.naturalWidth / photo.width;
  context.drawImage(picture, Math.floor(x * factor), Math.floor(y * factor), 1, 1, 0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  takeColor(`#${[red, green, blue].map((value) => value.toString(16).padStart(2, "0")).join("")}`);
}

function listenToLayers() {
  find(".layers").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) chooseLayer(button.dataset.layer);
  });
  find(".tint input").addEventListener("input", () => chooseLayer(layer));
  watch("planes", showPlanes);
  showPlanes();
}

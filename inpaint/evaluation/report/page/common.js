// What all parts share: the data of the page, what is chosen, elements, and how numbers are written.
const data = JSON.parse(document.getElementById("data").textContent);
const LABELS = data.words.labels[0].toUpperCase() + data.words.labels.slice(1); // of kinds of masks, or styles
const ALL = -1; // in place of a bucket or a mask: all of them

const chosen = {
  measure: data.start.measure, ofImages: data.start.measure, // what is shown; the last that single photos have, too
  mask: 0, bucket: ALL, a: data.start.a, b: data.start.b,
  column: null, descending: false, // of the summary: a column's name; null: the chosen measure, best first
  query: "", onlyMask: ALL, onlyBucket: ALL, order: "name", backwards: false, // of the pictures
  smooth: 0, // of the curves
};
const watchers = [];

/** Call `draw` now and whenever one of these choices changes. */
function watch(keys, draw) {
  watchers.push({ keys, draw });
  draw();
}

/** Change choices and draw what depends on them. */
function choose(values) {
  if (values.ofImages !== undefined) values.measure = values.ofImages;
  else if (data.measures[values.measure]?.per === "image") values.ofImages = values.measure;
  const changed = Object.keys(values).filter((key) => chosen[key] !== values[key]);
  Object.assign(chosen, values);
  for (const { keys, draw } of watchers) if (keys.some((key) => changed.includes(key))) draw();
}

// Elements --------------------------------------------------------------------------------------------------------

const SVG = new Set(["svg", "path", "line", "circle", "rect", "text", "polygon"]);

/** Make an element. attributes: text, numbers, true for a bare one, functions for events; children may be null. */
function h(tag, attributes = {}, ...children) {
  const space = SVG.has(tag) ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml";
  const element = document.createElementNS(space, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** A list of choices under its label; options: [value, text]. */
function selector(label, options, value, change, attributes = {}) {
  const items = options.map(([key, text]) => h("option", { value: key, selected: key === value }, text));
  const changed = (event) => change(event.target.value);
  const list = h("select", { "aria-label": label, ...attributes, change: changed }, items);
  return h("label", { class: "field" }, label, list);
}

/** The selector of one choice of the page, which other parts may show and change, too. */
function bound(label, key, options) {
  const field = selector(label, options, chosen[key], (value) => choose({ [key]: Number(value) }));
  watch([key], () => { field.querySelector("select").value = chosen[key]; });
  return field;
}
const maskOptions = () => data.masks.map((mask, index) => [index, mask]);
const modelOptions = () => data.models.map((model, index) => [index, model]);
const bucketOptions = () => [[ALL, "all"], ...data.buckets.map((name, index) => [index, name])];
function measureOptions(kinds) {
  const options = data.measures.map((one, index) => [index, `${one.name}: ${one.title}${arrow(one)}`]);
  return options.filter(([index]) => kinds.includes(data.measures[index].per));
}

const tip = document.getElementById("tip");
/** Show a box beside the pointer; without an event hide it. */
function showTip(event, ...children) {
  tip.hidden = !event;
  if (!event) return;
  tip.replaceChildren(...children.flat());
  const { width, height } = tip.getBoundingClientRect();
  const above = event.clientY + 18 + height > innerHeight;
  tip.style.left = `${Math.max(8, Math.min(event.clientX + 16, innerWidth - width - 8))}px`;
  tip.style.top = `${above ? event.clientY - height - 12 : event.clientY + 18}px`;
}

/** Return a function that acts once after a burst of its calls, before the next frame. */
function once(act) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      act();
    });
  };
}

// Numbers, names and signs ----------------------------------------------------------------------------------------

const minusSign = (text) => text.replace("-", "−");
/** Write a value of a measure as tables show it. */
function number(value, measure) {
  if (value === null || value === undefined) return "–";
  return minusSign((value * measure.scale).toFixed(measure.decimals));
}
const percent = (ratio) => `${(100 * ratio).toFixed(ratio < 0.095 ? 1 : 0)} %`;
const arrow = (measure) => ({ higher: " ↑", lower: " ↓" })[measure.better] ?? "";
const direction = (measure) => ({ higher: "more is better", lower: "less is better" })[measure.better] ?? "";
const color = (index) => `var(--m${index % 8})`;

/** Corners of the signs, in units of their size; null for a circle. */
const SHAPES = [
  null,
  [[-0.86, -0.86], [0.86, -0.86], [0.86, 0.86], [-0.86, 0.86]],
  [[0, -1.2], [1.15, 0.85], [-1.15, 0.85]],
  [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]],
  [[0, 1.2], [1.15, -0.85], [-1.15, -0.85]],
  [[-1.15, -0.4], [-0.4, -0.4], [-0.4, -1.15], [0.4, -1.15], [0.4, -0.4], [1.15, -0.4],
    [1.15, 0.4], [0.4, 0.4], [0.4, 1.15], [-0.4, 1.15], [-0.4, 0.4], [-1.15, 0.4]],
];

/** The sign of a model or run around (x, y): a shape of its own besides its color. */
function symbol(index, x, y, size = 4.5) {
  const shape = SHAPES[(index + Math.floor(index / 8)) % SHAPES.length], fill = color(index);
  if (!shape) return h("circle", { cx: x, cy: y, r: size, fill });
  return h("polygon", { points: shape.map(([dx, dy]) => `${x + size * dx},${y + size * dy}`).join(" "), fill });
}
function swatch(index) {
  return h("svg", { class: "swatch", viewBox: "0 0 12 12", "aria-hidden": "true" }, symbol(index, 6, 6));
}
const keyTo = (names) => h("div", { class: "legend" }, names.map((name, at) => h("span", {}, swatch(at), name)));

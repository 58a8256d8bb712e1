// What all parts share: the data of the page, what is chosen, elements, and how numbers are written.
const data = JSON.parse(document.getElementById("data").textContent);
const ALL = -1; // in place of a bucket: all photos, whatever their hole

const chosen = {
  measure: data.start.measure, ofImages: data.start.measure, // what is shown; the last that single photos have, too
  mask: 0, bucket: ALL, a: data.start.a, b: data.start.b, // of summary and pictures alike
  column: null, descending: false, // of the summary: a column's name; null: the chosen measure, best first
  query: "", onlyMask: ALL, onlyBucket: ALL, order: "name", backwards: false, // of the pictures
  smooth: 0,
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
  else if (values.measure !== undefined && data.measures[values.measure].per === "image") values.ofImages = values.measure;
  const changed = Object.keys(values).filter((key) => chosen[key] !== values[key]);
  Object.assign(chosen, values);
  for (const { keys, draw } of watchers) if (keys.some((key) => changed.includes(key))) draw();
}

const SVG = new Set(["svg", "g", "path", "line", "circle", "rect", "text", "polygon"]);

/** Make an element. Attributes: text and numbers, true for a bare one, functions for events; children: elements or text. */
function h(tag, attributes = {}, ...children) {
  const element = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

const plain = (value, measure) => (value * measure.scale).toFixed(measure.decimals).replace("-", "−");
const number = (value, measure) => (value === null || value === undefined ? "–" : plain(value, measure));
const percent = (ratio) => `${(100 * ratio).toFixed(ratio < 0.095 ? 1 : 0)} %`;
const arrow = (measure) => ({ higher: " ↑", lower: " ↓" })[measure.better] ?? "";
const direction = (measure) => ({ higher: "more is better", lower: "less is better" })[measure.better] ?? "";
const sign = (measure) => (measure.better === "lower" ? -1 : 1);
const color = (index) => `var(--m${index % 8})`;

/** A model's or run's sign: a shape of its own besides its color, centered at (x, y). */
const SHAPES = ["circle", "square", "up", "diamond", "down", "cross"];
function symbol(index, x, y, size = 4.5) {
  const fill = color(index), r = size;
  const shape = SHAPES[(index + Math.floor(index / 8)) % SHAPES.length];
  const points = {
    square: [[-r, -r], [r, -r], [r, r], [-r, r]].map((p) => p.map((c) => c * 0.86)),
    up: [[0, -1.2 * r], [1.15 * r, 0.85 * r], [-1.15 * r, 0.85 * r]],
    down: [[0, 1.2 * r], [1.15 * r, -0.85 * r], [-1.15 * r, -0.85 * r]],
    diamond: [[0, -1.3 * r], [1.3 * r, 0], [0, 1.3 * r], [-1.3 * r, 0]],
    cross: [[-1, -0.35], [-0.35, -0.35], [-0.35, -1], [0.35, -1], [0.35, -0.35], [1, -0.35], [1, 0.35], [0.35, 0.35],
      [0.35, 1], [-0.35, 1], [-0.35, 0.35], [-1, 0.35]].map((p) => p.map((c) => c * 1.15 * r)),
  }[shape];
  if (!points) return h("circle", { cx: x, cy: y, r, fill });
  return h("polygon", { points: points.map(([dx, dy]) => `${x + dx},${y + dy}`).join(" "), fill });
}
const swatch = (index) => h("svg", { class: "swatch", viewBox: "0 0 12 12", "aria-hidden": "true" }, symbol(index, 6, 6));

/** A labeled list of choices; options: [value, text] or {label, options}. */
function selector(label, options, value, change, attributes = {}) {
  const option = ([key, text]) => h("option", { value: key, selected: String(key) === String(value) }, text);
  const items = options.map((one) => (Array.isArray(one) ? option(one) : h("optgroup", { label: one.label }, one.options.map(option))));
  return h("label", { class: "field" }, label, h("select", { "aria-label": label, ...attributes, change: (event) => change(event.target.value) }, items));
}
/** The selector of one choice of the page that several parts may show. */
function bound(label, key, options, attributes = {}) {
  const field = selector(label, options, chosen[key], (value) => choose({ [key]: typeof chosen[key] === "number" ? Number(value) : value }), attributes);
  watch([key], () => { field.querySelector("select").value = chosen[key]; });
  return field;
}
const measureOptions = (kinds) => data.measures.flatMap((measure, index) => (kinds.includes(measure.per) ? [[index, `${measure.name}: ${measure.title}${arrow(measure)}`]] : []));
const maskOptions = () => data.masks.map((mask, index) => [index, mask]);
const bucketOptions = () => [[ALL, "all"], ...data.buckets.map((name, index) => [index, name])];
const modelOptions = () => data.models.map((model, index) => [index, model]);

const tip = document.getElementById("tip");
/** Show a box beside the pointer; null hides it. */
function showTip(event, ...children) {
  tip.hidden = !event;
  if (!event) return;
  tip.replaceChildren(...children.flat());
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(event.clientX + 16, innerWidth - box.width - 8))}px`;
  tip.style.top = `${event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 12 : event.clientY + 18}px`;
}

/** Call `act` once after a burst of calls, before the next frame. */
function once(act) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; act(); });
  };
}

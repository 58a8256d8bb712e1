// The page without a server: opens photos, hands what is marked to the worker that fills, and shows what comes back. The
// canvas and the results are those of `inpaint app`; here this file answers what there a server does.
import { Engine, StoppedError } from "./engine.js";
import editorOf from "./editor.js";
import { decode, imageBlob, viewBlob } from "./pixels.js";
import resultsOf from "./results.js";

const MOST_RESULTS = 20; // older ones are forgotten
const about = JSON.parse(document.getElementById("about").textContent);
const fillButton = document.getElementById("fill"), stopButton = document.getElementById("stop");
const engine = new Engine(about.files, showLoading);

let photo = null, results = [], count = 0, filling = null;

// The two parts --------------------------------------------------------------------------------------------------------

// Starts a part as Gradio does: props are its state, on answers what it asks for, and set tells it what is new.
function part(element, start, props, on, upload) {
  const watchers = new Map();
  const watch = (name, tell) => watchers.set(name, tell);
  start(element, (name, detail) => on[name]?.(detail), props, null, upload, watch);
  return (news) => {
    Object.assign(props, news);
    for (const name of Object.keys(news)) watchers.get(name)?.();
  };
}

const left = document.getElementById("left"), below = document.getElementById("below");
for (const tool of left.querySelectorAll("[data-tool=object]")) tool.remove(); // it needs a server
const shelf = { name: "samples", title: "Samples", names: about.samples, views: about.samples.map((name) => `samples/${name}`) };
const tellEditor = part(left, editorOf, { shelves: [shelf], planes: [], limits: about.limits }, {
  upload: ({ path, name }) => open(path, name),
  select: ({ number }) => openSample(shelf.views[number], shelf.names[number]),
}, async (file) => ({ path: file }));
const tellResults = part(below, resultsOf, { results: [], working: { idle: true } }, {
  select: ({ result }) => goOn(result),
});

// Opening --------------------------------------------------------------------------------------------------------------

async function openSample(address, name) {
  try {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
    await open(await answer.blob(), name);
  } catch (error) {
    tellEditor({ opened: { said: ++count, error: `${name} could not be loaded: ${error.message}` } });
  }
}

function goOn(id) {
  const result = results.find((each) => each.id === id);
  if (result) open(result.blob, result.name);
}

async function open(blob, name) {
  try {
    const { pixels, notes } = await decode(blob, name, about.limits);
    const view = URL.createObjectURL(await viewBlob(pixels));
    if (photo) release(photo.view);
    photo = { id: String(++count), name, pixels, view };
    const facts = { id: photo.id, name, width: pixels.width, height: pixels.height, depth: "8 bit", view };
    tellEditor({ opened: { said: ++count, photo: facts, notes } });
    engine.load().catch(() => {}); // told when a fill is asked for
  } catch (error) {
    tellEditor({ opened: { said: ++count, error: error.message } });
  }
}

// Views are shared by the photo and its results.
function release(address) {
  if (photo?.view === address && !results.some((each) => each.before === address)) URL.revokeObjectURL(address);
}

// Filling --------------------------------------------------------------------------------------------------------------

function holeOf(size) {
  const canvas = left.querySelector(".ed").marked();
  const { data } = canvas.getContext("2d").getImageData(0, 0, size.width, size.height);
  const hole = new Uint8Array(size.width * size.height);
  let marked = 0;
  for (let at = 0; at < hole.length; at += 1) {
    if (data[4 * at + 3] > 127) {
      hole[at] = 255;
      marked += 1;
    }
  }
  if (!marked) throw new Error("nothing is marked: paint over what shall go");
  if (marked === hole.length) throw new Error("everything is marked: leave something to fill from");
  return hole;
}

async function fill() {
  if (filling) return;
  try {
    if (!photo) throw new Error("no photo is open: drop one, or take a sample");
    const hole = holeOf(photo.pixels);
    filling = { begun: performance.now(), stage: "loading" };
    fillButton.disabled = true;
    stopButton.disabled = false;
    showFilling();
    show(below.querySelector(".working"));
    filling.timer = setInterval(showFilling, 500);
    const before = photo;
    await engine.load();
    filling = { ...filling, begun: performance.now(), stage: "filling" };
    showFilling();
    const pixels = await engine.fill(before.pixels, hole);
    await keep(before, pixels, hole, (performance.now() - filling.begun) / 1000);
  } catch (error) {
    tellResults({ working: error instanceof StoppedError ? { idle: true } : { error: error.message } });
  } finally {
    clearInterval(filling?.timer);
    filling = null;
    fillButton.disabled = false;
    stopButton.disabled = true;
  }
}

async function keep(before, pixels, hole, seconds) {
  const title = about.name;
  const blob = await imageBlob(pixels), stem = before.name.replace(/\.[^.]*$/, "");
  const shown = new ImageData(pixels.width, pixels.height);
  for (let at = 0; at < hole.length; at += 1) shown.data.set([hole[at], hole[at], hole[at], 255], 4 * at);
  const mask = URL.createObjectURL(await imageBlob(shown)), id = String(++count);
  const result = {
    id, run: id, blob, mask, seconds, name: `${stem}-${title}.png`, maskName: `${stem}-mask.png`, model: title,
    width: pixels.width, height: pixels.height, depth: "8 bit", notes: [], score: null, strategy: "",
    file: URL.createObjectURL(blob), before: before.view, view: URL.createObjectURL(await viewBlob(pixels)),
  };
  for (const old of results.splice(MOST_RESULTS - 1)) {
    for (const address of [old.file, old.mask, old.view]) URL.revokeObjectURL(address);
    if (old.before !== photo?.view && !results.some((each) => each.before === old.before)) URL.revokeObjectURL(old.before);
  }
  results = [result, ...results];
  tellResults({ results, working: { idle: true } });
  show(below.querySelector(".viewer"));
}

function show(element) {
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
  element.scrollIntoView({ block: "nearest", behavior });
}

// A file that misses the canvas is opened as well; the browser would leave the page for it.
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  const [file] = event.dataTransfer?.files ?? [];
  if (!event.defaultPrevented && file) open(file, file.name);
  event.preventDefault();
});
fillButton.addEventListener("click", fill);
stopButton.addEventListener("click", () => engine.stop());
left.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches(".ed")) fill();
});

// How far it is --------------------------------------------------------------------------------------------------------

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

function showLoading() {
  if (filling) showFilling();
  fact("Loaded", engine.ready ? "yes" : engine.loaded ? `${Math.floor((100 * engine.loaded) / engine.total)} %` : "when a photo is opened");
}

function showFilling() {
  if (!filling) return;
  const now = { model: about.name, number: 0, count: 1, remaining_s: null, preview: null, stoppable: false };
  if (filling.stage === "loading") {
    const all = engine.loaded === engine.total;
    const text = all ? "preparing it" : `${megabytes(engine.loaded)} of ${megabytes(engine.total)}`;
    return tellResults({ working: { ...now, model: "Loading the model", done: all ? 0 : engine.loaded, total: all ? 0 : engine.total, text } });
  }
  const seconds = 5 * Math.floor((performance.now() - filling.begun) / 5000); // seldom new, since it is read aloud
  tellResults({ working: { ...now, done: 0, total: 0, text: seconds ? `working for ${seconds} s` : "working" } });
}

// What the page is -----------------------------------------------------------------------------------------------------

function fact(term, text) {
  const list = document.querySelector("#side dl"), id = `fact-${term}`;
  let value = document.getElementById(id);
  if (!value) {
    value = Object.assign(document.createElement("dd"), { id });
    list.append(Object.assign(document.createElement("dt"), { textContent: term }), value);
  }
  value.textContent = text;
}

document.getElementById("unserved").remove();
document.querySelector("#side .model").textContent = about.name;
for (const [term, text] of about.facts) fact(term, text);
showLoading();

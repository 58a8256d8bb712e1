// Fills in a thread of its own, so that the page stays alive: loads the model once, then answers one photo after another.
import * as ort from "./onnxruntime-web/ort.wasm.bundle.min.mjs";

const NO_MEMORY = /bad_alloc|out of memory|memory access out of bounds|Array buffer allocation|failed to allocate/i;
let session = null;

self.onmessage = async ({ data: asked }) => {
  try {
    if (asked.files) await load(asked.files);
    else fill(asked, await paint(asked));
  } catch (error) {
    self.postMessage({ kind: "failed", error: readable(error) });
  }
};
self.postMessage({ kind: "started" });

async function load(files) {
  const loaded = {};
  const tell = (name) => (bytes) => {
    loaded[name] = bytes;
    self.postMessage({ kind: "loading", loaded: Object.values(loaded).reduce((sum, one) => sum + one, 0) });
  };
  const [model, wasm] = await Promise.all([fetched(files.model, tell("model")), fetched(files.wasm, tell("wasm"))]);
  ort.env.logLevel = "error";
  ort.env.wasm.wasmBinary = wasm.buffer;
  session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  self.postMessage({ kind: "ready" });
}

/** Return a file's bytes; tell is called with how many have come. */
async function fetched(address, tell) {
  const answer = await fetch(new URL(address, import.meta.url));
  if (!answer.ok) throw new Error(`${address.split("?")[0]} could not be loaded: the server answers ${answer.status}`);
  const parts = [];
  let length = 0;
  for (const reader = answer.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
    tell(length);
  }
  const bytes = new Uint8Array(length);
  parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
  return bytes;
}

/** Run the graph: image uint8 (1, 3, H, W), mask uint8 (1, 1, H, W), above 127 = hole. Returns its result's bytes. */
async function paint({ width, height, data, hole }) {
  const count = width * height, image = new Uint8Array(3 * count);
  for (let channel = 0; channel < 3; channel += 1)
    for (let at = 0; at < count; at += 1) image[channel * count + at] = data[4 * at + channel];
  const { result } = await session.run({
    image: new ort.Tensor("uint8", image, [1, 3, height, width]),
    mask: new ort.Tensor("uint8", hole, [1, 1, height, width]),
  });
  return result.data;
}

/** Send the photo back with the result's colors. */
function fill({ width, height, data }, result) {
  const count = width * height;
  for (let channel = 0; channel < 3; channel += 1)
    for (let at = 0; at < count; at += 1) data[4 * at + channel] = result[channel * count + at];
  self.postMessage({ kind: "filled", data }, [data.buffer]);
}

function readable(error) {
  // Where WebAssembly has no memory left, the runtime throws a number, an address within it.
  const text = typeof error === "number" ? "failed to allocate" : String(error?.message || error).split("\n")[0];
  if (NO_MEMORY.test(text)) return "the memory of a page does not suffice for this photo: take a smaller one";
  return text;
}

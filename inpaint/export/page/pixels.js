// From a file to pixels and back. All canvases here are opaque, since a canvas keeps the colors of translucent pixels only
// roughly.
const VIEW_PX = 1600; // the longest side of what is shown
const SMALLEST_PX = 8;

const millions = (pixels) => (pixels / 1e6).toFixed(1);

function surface(width, height, options) {
  return new OffscreenCanvas(width, height).getContext("2d", options);
}

/**
 * Decode a photo as the browser does: upright as its EXIF orientation says, in sRGB, 8 bit.
 * limits: {bytes, pixels}. Returns {pixels: ImageData without transparency, notes: [text]}; throws Error with one line.
 */
export async function decode(blob, name, limits) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { imageOrientation: "from-image" });
  } catch {
    throw new Error(`${name} is not an image that this browser can read`);
  }
  const { width, height } = bitmap;
  try {
    if (width * height > limits.pixels)
      throw new Error(`${name} has ${millions(width * height)} megapixels; at most ${millions(limits.pixels)} are taken`);
    if (Math.min(width, height) < SMALLEST_PX)
      throw new Error(`${name} has ${width} × ${height} pixels; at least ${SMALLEST_PX} a side are needed`);
    const context = surface(width, height, { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    const pixels = context.getImageData(0, 0, width, height);
    if (isOpaque(pixels.data)) return { pixels, notes: checked() };
    context.globalCompositeOperation = "destination-over";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
    return { pixels: context.getImageData(0, 0, width, height), notes: ["its transparent parts are white here", ...checked()] };
  } finally {
    bitmap.close();
  }
}

function isOpaque(data) {
  const words = new Uint32Array(data.buffer, data.byteOffset, data.length / 4);
  return words.every((word) => word >>> 24 === 255); // little-endian, as all that runs WebAssembly
}

/** Return a warning where the browser alters what pages read from a canvas, as some do against being recognized. */
function checked() {
  const sent = new ImageData(16, 16), context = surface(16, 16, { willReadFrequently: true });
  sent.data.forEach((_, at) => (sent.data[at] = at % 4 === 3 ? 255 : (at * 37) % 251));
  context.putImageData(sent, 0, 0);
  const found = context.getImageData(0, 0, 16, 16).data;
  const same = found.every((value, at) => value === sent.data[at]);
  return same ? [] : ["this browser alters pixels that a page reads, so known pixels will not be exact"];
}

function drawn(pixels) {
  const context = surface(pixels.width, pixels.height, { alpha: false });
  context.putImageData(pixels, 0, 0);
  return context.canvas;
}

/** Return pixels as a PNG, which has each as it is. */
export const imageBlob = (pixels) => drawn(pixels).convertToBlob({ type: "image/png" });

/** Return pixels as a small image to show. */
export async function viewBlob(pixels) {
  const share = Math.min(1, VIEW_PX / Math.max(pixels.width, pixels.height));
  if (share === 1) return imageBlob(pixels);
  const [width, height] = [pixels.width, pixels.height].map((side) => Math.max(1, Math.round(side * share)));
  const small = await createImageBitmap(drawn(pixels), { resizeWidth: width, resizeHeight: height, resizeQuality: "high" });
  const context = surface(width, height, { alpha: false });
  context.drawImage(small, 0, 0);
  small.close();
  return context.canvas.convertToBlob({ type: "image/webp", quality: 0.92 });
}

// Shapes that are drawn on a photo: recorded in its own pixels, and painted on a canvas of any size. Stands before what draws
// (editor.js, blend.js), in the same function.

// Where a pointer is over an element that shows a whole photo.
function pointOn(shown, photo, event) {
  const box = shown.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * photo.width;
  const y = ((event.clientY - box.top) / box.height) * photo.height;
  return [x, y].map((value) => Math.round(value * 10) / 10);
}

// Draws a shape on to a point; a line or an outline leaves out what is nearer to its last point than `apart` pixels.
function extend(shape, next, apart) {
  const last = shape.points[shape.points.length - 1];
  if (shape.kind === "box") shape.points[1] = next;
  else if (Math.hypot(next[0] - last[0], next[1] - last[1]) > apart) shape.points.push(next);
}

// Whether a shape encloses anything, if it is one that encloses.
function isWhole({ kind, points }) {
  if (kind === "lasso") return points.length > 2;
  return kind !== "box" || (points[0][0] !== points[1][0] && points[0][1] !== points[1][1]);
}

// Paints a shape on a canvas that shows the whole photo. cover: the picture of a shape that is a mask.
function paint(context, shape, photo, color, cover) {
  context.save();
  context.globalCompositeOperation = shape.erases ? "destination-out" : "source-over";
  context.scale(context.canvas.width / photo.width, context.canvas.height / photo.height);
  context.fillStyle = context.strokeStyle = color;
  if (shape.kind === "mask") {
    if (cover) context.drawImage(tinted(cover, color), 0, 0, photo.width, photo.height);
  } else if (shape.kind === "box") {
    const [[x0, y0], [x1, y1]] = [shape.points[0], shape.points[shape.points.length - 1]];
    context.fillRect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
  } else {
    context.beginPath();
    shape.points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
    if (shape.kind === "lasso") {
      context.closePath();
      context.fill("evenodd");
    } else {
      context.lineCap = context.lineJoin = "round";
      context.lineWidth = shape.width_px;
      if (shape.points.length === 1) context.lineTo(shape.points[0][0] + 0.01, shape.points[0][1]);
      context.stroke();
    }
  }
  context.restore();
}

function tinted(cover, color) {
  const canvas = document.createElement("canvas");
  canvas.width = cover.naturalWidth;
  canvas.height = cover.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(cover, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = color;
  context.fillRect(0, 0, canvas.width, canvas.height);
  return canvas;
}


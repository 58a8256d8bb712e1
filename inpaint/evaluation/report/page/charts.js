// Line charts: categories or iterations along x, one line per model or run, drawn anew when the width changes.
const LETTER_PX = 6.4; // about the width of a digit

// Axes ------------------------------------------------------------------------------------------------------------

/** Return about `count` round numbers between low and high. */
function ticks(low, high, count) {
  const rough = (high - low) / count || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) * power;
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high + step * 1e-6; at += 1) found.push(at * step);
  return found;
}

/** Return about `count` powers of ten between low and high, and numbers between them where these are few. */
function powerTicks(low, high, count) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const powers = Array.from({ length: last - first + 1 }, (_, at) => 10 ** (first + at));
  const factors = powers.length > 4 ? [1] : powers.length > 2 ? [1, 3] : [1, 2, 5];
  const found = powers.flatMap((power) => factors.map((factor) => power * factor))
    .filter((value) => value >= low * 0.999 && value <= high * 1.001);
  const every = Math.ceil(found.length / (count + 2));
  return found.filter((_, at) => at % every === 0);
}

/** Write a number of an axis. */
function short(value) {
  const size = Math.abs(value);
  if (size < 1e-12) return "0";
  if (size >= 1e3) return minusSign(`${Number((value / 1e3).toPrecision(4))}k`);
  if (size >= 1e-3) return minusSign(String(Number(value.toPrecision(4))));
  const [digits, exponent] = value.toExponential(1).split("e");
  return `${minusSign(digits.replace(".0", ""))}e${minusSign(exponent)}`;
}

/** Give numbers of an axis the same decimals, where they are written plainly. */
function aligned(texts) {
  if (texts.some((text) => /[ke]/.test(text))) return texts;
  const decimals = Math.max(...texts.map((text) => (text.split(".")[1] ?? "").length));
  return texts.map((text) => minusSign(Number(text.replace("−", "-")).toFixed(decimals)));
}

// A chart ---------------------------------------------------------------------------------------------------------

/**
 * Return a figure; `showCharts` draws it.
 * lines: [{index, label, points: [{x, y, low, high}], pale}], NaN for what is missing; labels: of the places x = 0, 1,
 * 2 ..., null where x is a number; log: y counts in powers of ten; format, axis: how values are written in the box
 * beside the pointer and along the axis; note: returns what the box says of a place.
 */
function chart(about) {
  const figure = h("figure", { class: "chart panel" });
  redrawn.set(figure, () => drawChart(figure, { format: short, axis: short, height: 230, note: () => [], ...about }));
  return figure;
}

function drawChart(figure, about) {
  const { title, lines, labels, xTitle, height, log } = about;
  const width = Math.max(240, figure.clientWidth - 28 || 400);
  const { low, high, marks } = valueAxis(lines, log);
  const texts = aligned(marks.map(about.axis));
  const left = 14 + LETTER_PX * Math.max(...texts.map((text) => text.length)), right = width - 12;
  const top = 10, bottom = height - (xTitle ? 38 : 26);
  const xs = lines.flatMap((line) => line.points.map((point) => point.x));
  const [first, last] = labels ? [-0.5, labels.length - 0.5] : [Math.min(0, ...xs), Math.max(...xs)];
  const scale = log ? Math.log : (value) => value;
  const X = (x) => left + ((x - first) / (last - first || 1)) * (right - left);
  const place = (y) => bottom - ((scale(y) - scale(low)) / (scale(high) - scale(low))) * (bottom - top);
  const Y = (y) => Math.max(top, Math.min(bottom, place(y)));
  const text = (x, y, anchor, content) => h("text", { x, y, "text-anchor": anchor }, content);
  const grid = marks.map((value, at) => [
    h("line", { class: "grid", x1: left, x2: right, y1: Y(value), y2: Y(value) }),
    text(left - 7, Y(value) + 4, "end", texts[at]),
  ]);
  const places = labels ? labels.map((_, at) => at) : ticks(first, last, Math.max(2, Math.floor(width / 90)));
  const every = labels ? Math.ceil((labels.length * 62) / (right - left)) : 1;
  const below = places.filter((_, at) => at % every === 0)
    .map((x) => text(X(x), bottom + 18, "middle", labels ? labels[x] : short(x)));
  // Lines over categories stand side by side, so that their whiskers do not hide each other.
  const apart = labels ? Math.min(7, (X(1) - X(0)) / 2 / lines.length) : 0;
  const drawn = lines.map((line, at) => {
    const shift = apart * (at - (lines.length - 1) / 2);
    return series(line, (x) => X(x) + shift, Y, { log, marked: labels !== null });
  });
  const hair = h("line", { class: "hair", y1: top, y2: bottom, visibility: "hidden" });
  const picture = h("svg", {
    viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": described(about),
    pointermove: (event) => {
      const box = picture.getBoundingClientRect();
      const x = first + ((event.clientX - box.left - left) / (right - left)) * (last - first);
      const nearest = xs.reduce((best, one) => (Math.abs(one - x) < Math.abs(best - x) ? one : best), xs[0]);
      for (const [name, value] of [["visibility", "visible"], ["x1", X(nearest)], ["x2", X(nearest)]]) {
        hair.setAttribute(name, value);
      }
      showTip(event, valuesAt(nearest, about));
    },
    pointerleave: () => {
      hair.setAttribute("visibility", "hidden");
      showTip(null);
    },
  }, grid, below, xTitle ? text((left + right) / 2, height - 2, "middle", xTitle) : null, hair, drawn);
  figure.replaceChildren(h("h3", {}, title), picture, about.caption ? h("figcaption", {}, about.caption) : "");
}

/** The range of values with some room, and the numbers along it. */
function valueAxis(lines, log) {
  const values = lines.flatMap((line) => line.points.flatMap((point) => [point.y, point.low, point.high]))
    .filter((value) => Number.isFinite(value) && (!log || value > 0));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (log) {
    const room = Math.max(1.05, (high / low) ** 0.05);
    return { low: low / room, high: high * room, marks: powerTicks(low / room, high * room, 5) };
  }
  // An interval of two photos may be as wide as it likes: it is cut off, and does not flatten all lines.
  const means = lines.flatMap((line) => line.points.map((point) => point.y)).filter(Number.isFinite);
  const [least, most] = [Math.min(...means), Math.max(...means)];
  const span = most - least || Math.abs(most) * 0.1 || 1;
  const from = Math.max(low, least - span) - 0.06 * span, to = Math.min(high, most + span) + 0.06 * span;
  return { low: from, high: to, marks: ticks(from, to, 5) };
}

/** One line; marked: with a sign and a whisker at each point. A line of a single point always has its sign. */
function series(line, X, Y, { log, marked }) {
  const stroke = color(line.index);
  const drawable = ({ y }) => Number.isFinite(y) && (!log || y > 0);
  const path = line.points.map((point, at) => {
    if (!drawable(point)) return "";
    const joined = at > 0 && drawable(line.points[at - 1]);
    return `${joined ? "L" : "M"}${X(point.x).toFixed(1)} ${Y(point.y).toFixed(1)}`;
  });
  const dashes = line.index >= 8 ? "6 4" : null;
  const kind = line.pale ? "series pale" : "series";
  const parts = [h("path", { class: kind, d: path.join(""), stroke, "stroke-dasharray": dashes })];
  if (!marked && line.points.length > 1) return parts;
  for (const { x, y, low, high } of line.points.filter(drawable)) {
    const ends = { x1: X(x), x2: X(x), y1: Y(low), y2: Y(high) };
    if (Number.isFinite(low)) parts.push(h("line", { class: "whisker", ...ends, stroke }));
    parts.push(symbol(line.index, X(x), Y(y)));
  }
  return parts;
}

/** What the box beside the pointer says: every line's value there; between its points, the one before. */
function valuesAt(x, { lines, labels, xTitle, format, note }) {
  const rows = lines.filter((line) => !line.pale && x <= line.points.at(-1).x).flatMap((line) => {
    const point = line.points.findLast((one) => one.x <= x && Number.isFinite(one.y));
    if (!point || (labels && point.x !== x)) return [];
    return [h("div", {}, h("span", {}, swatch(line.index), line.label), h("span", {}, format(point.y)))];
  });
  return [h("b", {}, labels ? labels[x] : `${xTitle} ${x}`), rows, note(x)].flat();
}

function described({ title, lines, labels, format }) {
  const ends = lines.filter((line) => !line.pale && line.points.length).map((line) => {
    const { x, y } = line.points.at(-1);
    return `${line.label} ${format(y)}${labels ? ` at ${labels[x]}` : ""}`;
  });
  return `${title}. Last values: ${ends.join("; ")}.`;
}

const redrawn = new Map(); // figures of this page, and how to draw them
/** Put charts into a place and draw them; those that were there are forgotten. */
function showCharts(place, figures) {
  for (const old of place.children) redrawn.delete(old);
  place.classList.toggle("few", figures.length < 3);
  place.replaceChildren(...figures);
  for (const figure of figures) redrawn.get(figure)();
}
addEventListener("resize", once(() => { for (const draw of redrawn.values()) draw(); }));

// The sections ----------------------------------------------------------------------------------------------------

/** The chosen measure over the size of the hole, a chart per kind of mask. */
function bucketsSection(section) {
  const place = h("div", { class: "charts" });
  section.append(
    h("div", { class: "bar" },
      h("h2", { id: "buckets-title" }, "By size of the hole"),
      bound("Measure", "ofImages", measureOptions(["image"]))),
    place, keyTo(data.models));
  watch(["ofImages"], () => {
    const { title } = data.measures[chosen.ofImages];
    const figures = data.masks.flatMap((_, mask) => bucketsChart(mask) ?? []);
    showCharts(place, figures);
    if (!figures.length) place.append(h("p", { class: "empty" }, `${title} has no values by the size of the hole.`));
  });
}

function bucketsChart(mask) {
  const measure = data.measures[chosen.ofImages], title = measure.title + arrow(measure);
  const entry = (bucket, model) => entryOf(mask, bucket, model, chosen.ofImages);
  const buckets = data.buckets.map((_, bucket) => bucket)
    .filter((bucket) => data.models.some((_, model) => entry(bucket, model)));
  if (!buckets.length) return null;
  const points = (model) => buckets.flatMap((bucket, x) => {
    const found = entry(bucket, model);
    return found ? [{ x, y: found.mean, low: found.low ?? NaN, high: found.high ?? NaN }] : [];
  });
  const counts = buckets.map((bucket) => Math.max(...data.models.map((_, model) => entry(bucket, model)?.n ?? 0)));
  return chart({
    title: data.masks.length > 1 ? data.masks[mask] : title,
    caption: `${title} over the share of the image that is hole; n = ${counts.join(", ")}`,
    labels: buckets.map((bucket) => data.buckets[bucket]),
    lines: data.models.map((label, index) => ({ index, label, points: points(index) }))
      .filter((line) => line.points.length),
    height: 290,
    format: (value) => number(value, measure),
    axis: (value) => short(value * measure.scale),
    note: (x) => [h("div", { class: "soft" }, `n = ${counts[x]}`)],
  });
}

/** What training runs have logged, a chart per number. */
function curvesSection(section) {
  const place = h("div", { class: "charts" });
  const smooth = h("input", {
    type: "range", min: 0, max: 0.98, step: 0.02, value: 0,
    input: (event) => choose({ smooth: Number(event.target.value) }),
  });
  section.append(
    h("div", { class: "bar" },
      h("h2", { id: "curves-title" }, "Training"),
      h("label", { class: "field" }, "Smooth losses and speed", smooth)),
    place, keyTo(data.runs));
  watch(["smooth"], () => showCharts(place, data.panels.map(curvesChart)));
}

function curvesChart({ name, log, exact, lines }) {
  const weight = exact ? 0 : chosen.smooth;
  const line = (index, xs, ys, pale) =>
    ({ index, label: data.runs[index], pale, points: xs.map((x, at) => ({ x, y: ys[at] ?? NaN })) });
  const shown = lines.flatMap(([index, xs, ys]) => (weight
    ? [line(index, xs, ys, true), line(index, xs, averaged(ys, weight), false)]
    : [line(index, xs, ys, false)]));
  return chart({ title: name, labels: null, lines: shown, log, xTitle: "iteration" });
}

/** Exponential moving average, its start corrected; what is missing stays so. */
function averaged(values, weight) {
  let total = 0, weights = 0;
  return values.map((value) => {
    if (value === null) return null;
    total = weight * total + (1 - weight) * value;
    weights = weight * weights + (1 - weight);
    return total / weights;
  });
}

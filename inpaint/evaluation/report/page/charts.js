// Line charts: categories or iterations along x, one line per model or run, drawn anew when the width changes.

/** Return about `count` round numbers between low and high, or powers of ten (and their 2 and 5) on a log axis. */
function ticks(low, high, count, log) {
  if (log) {
    const powers = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) powers.push(10 ** power);
    const factors = powers.length > 4 ? [1] : powers.length > 2 ? [1, 3] : [1, 2, 5];
    const found = powers.flatMap((power) => factors.map((factor) => power * factor)).filter((value) => value >= low * 0.999 && value <= high * 1.001);
    const step = Math.ceil(found.length / (count + 2));
    return found.filter((_, index) => index % step === 0);
  }
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) * power;
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) found.push(Math.abs(value) < step * 1e-6 ? 0 : value);
  return found;
}
/** Write a number of an axis. */
function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e3) return `${Number((value / 1e3).toPrecision(4))}k`;
  if (size < 1e-3) return value.toExponential(Number(value.toPrecision(2)).toExponential().includes(".") ? 1 : 0).replace("-", "−");
  return String(Number(value.toPrecision(4))).replace("-", "−");
}
/** Give numbers of an axis the same decimals, where they are written plainly. */
function aligned(texts) {
  if (texts.some((text) => /[ke]/.test(text))) return texts;
  const decimals = Math.max(...texts.map((text) => (text.split(".")[1] ?? "").length));
  return texts.map((text) => Number(text.replace("−", "-")).toFixed(decimals).replace("-", "−"));
}

/**
 * Draw a chart into `figure`.
 * lines: [{index, label, points: [{x, y, low, high}], pale: bool}]; x: {labels} for categories, else numbers.
 */
function chart({ title, about, lines, labels = null, log = false, format = short, axis = short, xTitle = "", height = 230, note = () => null }) {
  const figure = h("figure", { class: "chart panel" });
  const draw = () => {
    const width = Math.max(240, figure.clientWidth - 28 || 400);
    const values = lines.flatMap((line) => line.points.flatMap((point) => [point.y, point.low, point.high])).filter((value) => Number.isFinite(value) && !(log && value <= 0));
    const xs = lines.flatMap((line) => line.points.map((point) => point.x));
    let low = Math.min(...values), high = Math.max(...values);
    const room = log ? Math.exp(Math.log(high / low) * 0.05) : (high - low || Math.abs(high) * 0.1 || 1) * 0.06;
    [low, high] = log ? [low / room || low, high * room] : [low - room, high + room];
    const marks = ticks(low, high, 5, log);
    const texts = aligned(marks.map(axis));
    const side = 14 + 6.4 * Math.max(...texts.map((each) => each.length));
    const [left, right, top, bottom] = [side, width - 12, 10, height - (xTitle ? 38 : 26)];
    const [first, last] = labels ? [-0.5, labels.length - 0.5] : [Math.min(0, ...xs), Math.max(...xs)];
    const X = (x) => left + ((x - first) / (last - first || 1)) * (right - left);
    const scale = log ? Math.log : (value) => value;
    const Y = (y) => bottom - ((scale(y) - scale(low)) / (scale(high) - scale(low))) * (bottom - top);
    const text = (x, y, anchor, content) => h("text", { x, y, "text-anchor": anchor }, content);
    const grid = marks.map((value, index) => [h("line", { class: "grid", x1: left, x2: right, y1: Y(value), y2: Y(value) }), text(left - 7, Y(value) + 4, "end", texts[index])]);
    const places = labels ? labels.map((_, index) => index) : ticks(first, last, Math.max(2, Math.floor(width / 90)));
    const every = labels ? Math.ceil((labels.length * 62) / (right - left)) : 1;
    const below = places.filter((_, index) => index % every === 0).map((x) => text(X(x), bottom + 18, "middle", labels ? labels[x] : short(x)));
    if (xTitle) below.push(text((left + right) / 2, height - 2, "middle", xTitle));
    // Lines over categories stand side by side, so that their whiskers do not hide each other.
    const beside = labels ? Math.min(7, (X(1) - X(0)) / 2 / lines.length) : 0;
    const drawn = lines.map((line, index) => series(line, (x) => X(x) + beside * (index - (lines.length - 1) / 2), Y, log, !labels));
    const hair = h("line", { class: "hair", y1: top, y2: bottom, visibility: "hidden" });
    const picture = h("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": described(title, lines, labels, format) }, grid, below, hair, drawn);
    const move = (event) => {
      const box = picture.getBoundingClientRect();
      const x = first + ((event.clientX - box.left) * (width / box.width) - left) / (right - left) * (last - first);
      const nearest = xs.reduce((best, one) => (Math.abs(one - x) < Math.abs(best - x) ? one : best), xs[0]);
      hair.setAttribute("visibility", "visible");
      hair.setAttribute("x1", X(nearest));
      hair.setAttribute("x2", X(nearest));
      const rows = lines.filter((line) => !line.pale).map((line) => [line, line.points.findLast((point) => point.x <= nearest && Number.isFinite(point.y))])
        .filter(([line, point]) => point && (!labels || point.x === nearest) && nearest <= line.points.at(-1).x)
        .map(([line, point]) => h("div", {}, h("span", {}, swatch(line.index), line.label), h("span", {}, format(point.y))));
      showTip(event, h("b", {}, labels ? labels[nearest] : `${xTitle} ${nearest}`), rows, note(nearest) ?? []);
    };
    picture.addEventListener("pointermove", move);
    picture.addEventListener("pointerleave", () => { hair.setAttribute("visibility", "hidden"); showTip(null); });
    figure.replaceChildren(h("h3", {}, title), picture, about ? h("figcaption", {}, about) : "");
  };
  redrawn.set(figure, draw);
  return figure;
}

function series(line, X, Y, log, plainLine) {
  const stroke = color(line.index);
  let path = "", open = false;
  for (const { x, y } of line.points) {
    if (!Number.isFinite(y) || (log && y <= 0)) { open = false; continue; }
    path += `${open ? "L" : "M"}${X(x).toFixed(1)} ${Y(y).toFixed(1)}`;
    open = true;
  }
  const dash = line.index >= 8 ? "6 4" : null;
  const parts = [h("path", { class: line.pale ? "series pale" : "series", d: path, stroke, "stroke-dasharray": dash })];
  if (plainLine && line.points.length > 1) return parts;
  for (const { x, y, low, high } of line.points) {
    if (!Number.isFinite(y)) continue;
    if (Number.isFinite(low)) parts.push(h("line", { class: "whisker", x1: X(x), x2: X(x), y1: Y(low), y2: Y(high), stroke }));
    parts.push(symbol(line.index, X(x), Y(y)));
  }
  return parts;
}

function described(title, lines, labels, format) {
  const ends = lines.filter((line) => !line.pale && line.points.length).map((line) => {
    const last = line.points.at(-1);
    return `${line.label} ${format(last.y)}${labels ? ` at ${labels[last.x]}` : ""}`;
  });
  return `${title}. Last values: ${ends.join("; ")}.`;
}

const redrawn = new Map(); // figures of this page and how to draw them
/** Put charts into a place and draw them; those that were there are forgotten. */
function showCharts(place, figures) {
  for (const old of place.children) redrawn.delete(old);
  place.classList.toggle("few", figures.length < 3);
  place.replaceChildren(...figures);
  for (const figure of figures) redrawn.get(figure)();
}
addEventListener("resize", once(() => { for (const draw of redrawn.values()) draw(); }));

/** The chosen measure over the size of the hole, a chart per kind of mask. */
function bucketsSection(section) {
  const place = h("div", { class: "charts" });
  section.append(h("div", { class: "bar" }, h("h2", { id: "buckets-title" }, "By size of the hole"), bound("Measure", "ofImages", measureOptions(["image"]))), place,
    h("div", { class: "legend" }, data.models.map((model, index) => h("span", {}, swatch(index), model))));
  watch(["ofImages"], () => {
    const measure = data.measures[chosen.ofImages];
    const figures = data.masks.flatMap((mask, maskIndex) => {
      const there = data.buckets.map((_, bucket) => bucket).filter((bucket) => data.models.some((_, model) => (entryOf(maskIndex, bucket, model, chosen.ofImages)?.mean ?? null) !== null));
      if (!there.length) return [];
      const lines = data.models.map((label, model) => ({
        index: model, label,
        points: there.flatMap((bucket, place_) => {
          const entry = entryOf(maskIndex, bucket, model, chosen.ofImages);
          return entry && entry.mean !== null ? [{ x: place_, y: entry.mean, low: entry.low ?? NaN, high: entry.high ?? NaN }] : [];
        }),
      })).filter((line) => line.points.length);
      const count = (place_) => Math.max(...data.models.map((_, model) => entryOf(maskIndex, there[place_], model, chosen.ofImages)?.n ?? 0));
      return [chart({
        title: data.masks.length > 1 ? mask : measure.title + arrow(measure), labels: there.map((bucket) => data.buckets[bucket]), lines, height: 290,
        about: `${measure.title}${arrow(measure)} over the share of the image that is hole; n = ${there.map((_, place_) => count(place_)).join(", ")}`,
        format: (value) => number(value, measure), axis: (value) => short(value * measure.scale), note: (place_) => h("div", {}, h("span", { class: "soft" }, `n = ${count(place_)}`)),
      })];
    });
    if (figures.length) showCharts(place, figures);
    else place.replaceChildren(h("p", { class: "empty" }, `${measure.title} has no values by the size of the hole.`));
  });
}

/** What training runs have logged, a chart per number. */
function curvesSection(section) {
  const place = h("div", { class: "charts" });
  const smooth = h("input", { type: "range", min: 0, max: 0.98, step: 0.02, value: 0, input: (event) => choose({ smooth: Number(event.target.value) }) });
  section.append(h("div", { class: "bar" }, h("h2", { id: "curves-title" }, "Training"), h("label", { class: "field" }, "Smooth losses and speed", smooth)), place,
    h("div", { class: "legend" }, data.runs.map((run, index) => h("span", {}, swatch(index), run))));
  watch(["smooth"], () => showCharts(place, data.panels.map((panel) => {
    const weight = panel.exact ? 0 : chosen.smooth;
    const lines = panel.lines.flatMap(([index, xs, ys]) => {
      const line = (values, pale) => ({ index, label: data.runs[index], pale, points: xs.map((x, at) => ({ x, y: values[at] === null ? NaN : values[at] })) });
      return weight ? [line(ys, true), line(averaged(ys, weight), false)] : [line(ys, false)];
    });
    return chart({ title: panel.name, lines, log: panel.log, xTitle: "iteration" });
  })));
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

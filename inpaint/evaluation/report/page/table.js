// The summary: a row per model; the measures of one kind of mask in columns, or one measure over all of them.
const entries = new Map(data.entries.map((entry) => [entry.slice(0, 4).join(), entry]));
/** What is known of a mean: {mean, low, high, n, mark}; undefined where nothing is. */
function entryOf(mask, bucket, model, measure) {
  const found = entries.get([mask, bucket, model, measure].join());
  if (!found) return undefined;
  const [mean, low, high, n, mark] = found.slice(4);
  return { mean, low, high, n, mark };
}
const EVERY_MASK = data.masks.length;
const MARKS = {
  best: ["best", "the best mean"],
  open: ["≈ best", "not shown to differ from the best"],
};

function summaryColumns() {
  if (chosen.mask === EVERY_MASK) {
    return data.masks.map((mask, index) => ({ name: `mask ${index}`, title: mask, mask: index, measure: chosen.measure }));
  }
  const there = (index) => data.models.some((_, model) => entryOf(chosen.mask, chosen.bucket, model, index));
  const others = data.measures.map((_, index) => index).filter((index) => index !== chosen.measure && there(index) && data.measures[index].better !== "neither");
  return [chosen.measure, ...others].map((index) => ({ name: data.measures[index].name, title: data.measures[index].title, mask: chosen.mask, measure: index }));
}

function summarySection(section) {
  const table = h("div", { class: "panel scroll", tabindex: 0, role: "region", "aria-label": "Summary, scrolls sideways" });
  const legend = h("div", { class: "legend" });
  const masks = data.masks.length > 1 ? [...maskOptions(), [EVERY_MASK, "all, side by side"]] : maskOptions();
  section.append(
    h("div", { class: "bar" },
      h("h2", { id: "summary-title" }, "Summary"),
      bound("Measure", "measure", measureOptions(["image", "set"])),
      bound("Masks", "mask", masks),
      data.buckets.length ? bound("Hole", "bucket", bucketOptions()) : null),
    table, legend,
    data.notes.length ? h("ul", { class: "notes" }, data.notes.map((note) => h("li", {}, note))) : null);
  watch(["measure", "mask", "bucket", "column", "descending"], () => {
    const scrolled = table.scrollLeft;
    table.replaceChildren(summaryTable());
    table.scrollLeft = scrolled;
    legend.replaceChildren(...summaryLegend());
  });
}

function summaryTable() {
  const columns = summaryColumns();
  const [main, ...others] = columns;
  const sortName = chosen.column !== null && (chosen.column === "model" || columns.some((one) => one.name === chosen.column)) ? chosen.column : main.name;
  const sorted = columns.find((one) => one.name === sortName);
  const bestFirst = sorted ? data.measures[sorted.measure].better !== "lower" : false;
  const descending = chosen.column === null ? bestFirst : chosen.descending;
  const value = (model) => (sorted ? entryOf(sorted.mask, chosen.bucket, model, sorted.measure)?.mean ?? null : data.models[model]);
  const models = data.models.map((_, index) => index).sort((x, y) => ordered(value(x), value(y), descending) || x - y);
  const heading = (name, text, extra) => {
    const active = sortName === name;
    const mark = active ? (descending ? " ▾" : " ▴") : "";
    const better = extra.measure === undefined ? false : data.measures[extra.measure].better !== "lower";
    const turn = () => choose({ column: name, descending: active ? !descending : better });
    return h("th", { scope: "col", class: extra.class, "aria-sort": active ? (descending ? "descending" : "ascending") : "none" },
      h("button", { type: "button", click: (event) => { turn(); refocus(event, name); }, "data-column": name, title: extra.title }, text + mark, extra.below ? h("span", { class: "code" }, extra.below) : null));
  };
  const measureHeading = (one, kind) => {
    const measure = data.measures[one.measure];
    return heading(one.name, one.title + arrow(measure), { measure: one.measure, class: kind, title: `${measure.name}: ${direction(measure)}`, below: chosen.mask === EVERY_MASK ? "" : measure.name });
  };
  const head = h("tr", {},
    heading("model", "Model", {}),
    measureHeading(main, "chosen"),
    h("th", { scope: "col", class: "forest" }, forestHeading(main)),
    others.map((one) => measureHeading(one, "")));
  const scale = forestScale(main);
  const rows = models.map((model) => h("tr", {},
    h("th", { scope: "row", title: data.models[model] }, swatch(model), data.models[model]),
    summaryCell(main, model, true),
    h("td", { class: "forest" }, forest(main, model, scale)),
    others.map((one) => summaryCell(one, model, false))));
  return h("table", {}, h("caption", { hidden: true }, "Means with 95 % intervals"), h("thead", {}, head), h("tbody", {}, rows));
}

/** Compare two values for sorting; what is missing comes last either way. */
function ordered(x, y, descending) {
  if (x === null || y === null) return (x === null) - (y === null);
  const order = typeof x === "string" ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
  return descending ? -order : order;
}

function refocus(event, name) {
  document.querySelector(`#summary [data-column="${CSS.escape(name)}"]`)?.focus();
}

function summaryCell(column, model, main) {
  const measure = data.measures[column.measure];
  const entry = entryOf(column.mask, chosen.bucket, model, column.measure);
  if (!entry || entry.mean === null) return h("td", { class: main ? "chosen" : "" }, "–");
  const mark = MARKS[entry.mark];
  const interval = entry.low === null ? "" : `${number(entry.low, measure)} to ${number(entry.high, measure)}`;
  const title = [`n = ${entry.n}`, interval && `95 % interval ${interval}`, mark?.[1]].filter(Boolean).join(", ");
  return h("td", { class: [main && "chosen", entry.mark].filter(Boolean).join(" "), title },
    mark ? h("span", { class: `mark ${entry.mark}` }, mark[0]) : null,
    h("span", { class: "value" }, number(entry.mean, measure)),
    interval ? h("span", { class: "interval" }, interval.replace(" to ", " – ")) : null);
}

function forestScale(column) {
  const found = data.models.map((_, model) => entryOf(column.mask, chosen.bucket, model, column.measure)).filter((entry) => entry && entry.mean !== null);
  if (!found.length) return null;
  let low = Math.min(...found.map((entry) => entry.low ?? entry.mean)), high = Math.max(...found.map((entry) => entry.high ?? entry.mean));
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return { low: low - room, high: high + room, best: found.find((entry) => entry.mark === "best") };
}
const forestX = (scale, value) => 6 + (228 * (value - scale.low)) / (scale.high - scale.low);

function forestHeading(column) {
  const measure = data.measures[column.measure];
  const about = chosen.mask === EVERY_MASK ? ` (${data.masks[column.mask]})` : "";
  return `95 % interval${about}${{ higher: ", better →", lower: ", ← better" }[measure.better] ?? ""}`;
}

/** One model's mean and interval on the common axis of all models; the band is the best one's interval. */
function forest(column, model, scale) {
  const entry = entryOf(column.mask, chosen.bucket, model, column.measure);
  if (!scale || !entry || entry.mean === null) return null;
  const x = (value) => forestX(scale, value);
  const { best } = scale;
  const parts = [];
  if (best && best.low !== null) parts.push(h("rect", { x: x(best.low), y: 0, width: x(best.high) - x(best.low), height: 34, fill: "var(--good)", opacity: 0.1 }));
  parts.push(h("line", { x1: 0, x2: 240, y1: 17, y2: 17, class: "grid" }));
  if (entry.low !== null) parts.push(h("line", { x1: x(entry.low), x2: x(entry.high), y1: 17, y2: 17, stroke: color(model), "stroke-width": 3, "stroke-linecap": "round" }));
  parts.push(symbol(model, x(entry.mean), 17, 5.5));
  return h("svg", { viewBox: "0 0 240 34", preserveAspectRatio: "xMidYMid meet", "aria-hidden": "true" }, parts);
}

function summaryLegend() {
  const shown = summaryColumns();
  const marks = new Set(shown.flatMap((one) => data.models.map((_, model) => entryOf(one.mask, chosen.bucket, model, one.measure)?.mark)));
  const counts = [...new Set(shown.flatMap((one) => data.models.flatMap((_, model) => entryOf(one.mask, chosen.bucket, model, one.measure)?.n ?? [])))];
  return [
    marks.has("best") ? h("span", {}, h("span", { class: "mark best" }, "best"), "the best mean") : null,
    marks.has("open") ? h("span", {}, h("span", { class: "mark open" }, "≈ best"), "not shown to differ from it") : null,
    h("span", {}, "↑ more is better, ↓ less; below each mean its 95 % interval"),
    counts.length ? h("span", {}, counts.length > 1 ? `n = ${Math.min(...counts)} to ${Math.max(...counts)}` : `n = ${counts[0]}`) : null,
  ].filter(Boolean);
}

/** Pairs of models: is their difference shown, by how much, and who wins how often. */
function differencesSection(section) {
  const table = h("div", { class: "panel scroll", tabindex: 0, role: "region", "aria-label": "Differences, scrolls sideways" });
  const against = [[ALL, "every pair"], ...modelOptions()];
  let other = data.models.length > 3 ? data.start.a : ALL;
  const about = h("span", { class: "soft" });
  section.append(
    h("div", { class: "bar" }, h("h2", { id: "differences-title" }, "Differences ", about),
      selector("Compared with", against, other, (value) => { other = Number(value); draw(); })),
    table);
  const draw = () => {
    const masks = chosen.mask === EVERY_MASK ? "all masks" : data.masks[chosen.mask];
    about.textContent = [data.measures[chosen.measure].name, masks, chosen.bucket === ALL ? "" : `hole ${data.buckets[chosen.bucket]}`].filter(Boolean).join(", ");
    table.replaceChildren(differencesTable(other));
  };
  watch(["measure", "mask", "bucket"], draw);
}

function differencesTable(other) {
  const measure = data.measures[chosen.measure];
  const found = data.differences.map(([mask, bucket, of, model, against, ...rest]) => ({ mask, bucket, of, model, against, rest }))
    .filter((one) => one.of === chosen.measure && one.bucket === chosen.bucket && (one.mask === chosen.mask || chosen.mask === EVERY_MASK))
    .filter((one) => other === ALL || one.model === other || one.against === other)
    .map((one) => (one.against === other || other === ALL ? one : turned(one)));
  if (!found.length) return h("p", { class: "empty" }, `Nothing was compared by ${measure.title} here.`);
  const signed = (value) => (value === null ? "–" : (value > 0 ? "+" : "") + number(value, measure));
  const rows = found.map(({ mask, model, against, rest: [mean, low, high, p, wins, losses, n, verdict] }) => h("tr", {},
    h("th", { scope: "row" }, swatch(model), data.models[model]),
    other === ALL ? h("td", { class: "text" }, swatch(against), data.models[against]) : null,
    chosen.mask === EVERY_MASK ? h("td", { class: "text" }, data.masks[mask]) : null,
    h("td", {}, h("span", { class: "value" }, signed(mean)), low === null ? null : h("span", { class: "interval" }, `${signed(low)} – ${signed(high)}`)),
    h("td", {}, p === null ? "–" : p < 0.001 ? "< 0.001" : p.toFixed(3)),
    h("td", {}, `${(100 * wins).toFixed(0)} % : ${(100 * losses).toFixed(0)} %`),
    h("td", {}, n),
    h("td", { class: `text ${verdict === "better" ? "best" : ""}` }, h("span", { class: "value" }, verdict))));
  const head = ["Model", ...(other === ALL ? ["against"] : []), ...(chosen.mask === EVERY_MASK ? ["masks"] : []), `${measure.title}${arrow(measure)}, difference`, "p (Holm)", "wins : losses", "n", "what is shown"];
  const left = new Set(["against", "masks", "what is shown"]);
  return h("table", {}, h("thead", {}, h("tr", {}, head.map((text) => h("th", { scope: "col", class: left.has(text) ? "text" : "" }, text)))), h("tbody", {}, rows));
}

function turned({ mask, bucket, of, model, against, rest: [mean, low, high, p, wins, losses, n, verdict] }) {
  const minus = (value) => (value === null ? null : -value);
  const said = { better: "worse", worse: "better" }[verdict] ?? verdict;
  return { mask, bucket, of, model: against, against: model, rest: [minus(mean), minus(high), minus(low), p, losses, wins, n, said] };
}

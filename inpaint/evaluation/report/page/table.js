// The summary: a row per model; the measures of one kind of mask in columns, or one measure over all of them.
const EVERY_MASK = data.masks.length; // in place of a mask: all of them, side by side
const MARKS = { best: ["best", "the best mean"], open: ["≈ best", "not shown to differ from the best"] };
const FOREST = { width: 240, height: 34, margin: 6 };

const entries = new Map(data.entries.map((entry) => [entry.slice(0, 4).join(), entry]));
/** What is known of a mean: {mean, low, high, n, mark}; undefined where nothing is. */
function entryOf(mask, bucket, model, measure) {
  const found = entries.get([mask, bucket, model, measure].join());
  if (!found || found[4] === null) return undefined;
  const [mean, low, high, n, mark] = found.slice(4);
  return { mean, low, high, n, mark };
}
const entryIn = (column, model) => entryOf(column.mask, chosen.bucket, model, column.measure);

/** Compare two values for sorting; what is missing comes last either way. */
function ordered(x, y, descending) {
  if (x === null || y === null) return (x === null) - (y === null);
  const order = typeof x === "string" ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
  return descending ? -order : order;
}

/** The columns of the summary, the chosen measure first: {name, title, mask, measure}. */
function summaryColumns() {
  if (chosen.mask === EVERY_MASK) {
    return data.masks.map((title, mask) => ({ name: `mask ${mask}`, title, mask, measure: chosen.measure }));
  }
  const column = (measure) => {
    const { name, title } = data.measures[measure];
    return { name, title, mask: chosen.mask, measure };
  };
  const there = (one) => data.models.some((_, model) => entryIn(one, model));
  const others = data.measures.map((_, index) => index)
    .filter((index) => index !== chosen.measure && data.measures[index].better !== "neither");
  return [column(chosen.measure), ...others.map(column).filter(there)];
}

function summarySection(section) {
  const table = h("div", {
    class: "panel scroll", tabindex: 0, role: "region", "aria-label": "Summary, scrolls sideways",
  });
  const legend = h("div", { class: "legend" });
  const every = data.masks.length > 1 ? [[EVERY_MASK, "all, side by side"]] : [];
  section.append(
    h("div", { class: "bar" },
      h("h2", { id: "summary-title" }, "Summary"),
      bound("Measure", "measure", measureOptions(["image", "set"])),
      bound(LABELS, "mask", [...maskOptions(), ...every]),
      data.buckets.length ? bound("Hole", "bucket", bucketOptions()) : null),
    table, legend,
    data.notes.length ? h("ul", { class: "notes" }, data.notes.map((note) => h("li", {}, note))) : null);
  watch(["measure", "mask", "bucket", "column", "descending"], () => {
    const scrolled = table.scrollLeft;
    const columns = summaryColumns();
    table.replaceChildren(summaryTable(columns, sorting(columns)));
    table.scrollLeft = scrolled;
    legend.replaceChildren(...summaryLegend(columns));
  });
}

/** By what the summary is sorted: {name, column, descending}; column: undefined for the models' names. */
function sorting(columns) {
  const asked = columns.find((one) => one.name === chosen.column);
  if (chosen.column === "model") return { name: "model", column: undefined, descending: chosen.descending };
  const column = asked ?? columns[0];
  return { name: column.name, column, descending: asked ? chosen.descending : bestFirst(column) };
}
const bestFirst = (column) => column !== undefined && data.measures[column.measure].better !== "lower";

function summaryTable(columns, by) {
  const [main, ...others] = columns;
  const value = (model) => (by.column ? entryIn(by.column, model)?.mean ?? null : data.models[model]);
  const models = data.models.map((_, index) => index)
    .sort((x, y) => ordered(value(x), value(y), by.descending) || x - y);
  const scale = forestScale(main);
  return h("table", {},
    h("caption", { hidden: true }, "Means with 95 % intervals"),
    h("thead", {}, h("tr", {},
      heading("model", "Model", undefined, by),
      measureHeading(main, by, "chosen"),
      h("th", { scope: "col", class: "forest" }, forestHeading(main)),
      others.map((one) => measureHeading(one, by, "")))),
    h("tbody", {}, models.map((model) => h("tr", {},
      h("th", { scope: "row", title: data.models[model] }, swatch(model), data.models[model]),
      summaryCell(main, model, "chosen"),
      h("td", { class: "forest" }, forest(main, model, scale)),
      others.map((one) => summaryCell(one, model, ""))))));
}

function measureHeading(column, by, kind) {
  const measure = data.measures[column.measure];
  const code = chosen.mask === EVERY_MASK ? null : h("span", { class: "code" }, measure.name);
  const title = `${measure.name}: ${direction(measure)}`;
  return heading(column.name, column.title + arrow(measure), column, by, { kind, code, title });
}

/** A heading that sorts: by its column, best first, and the other way when it is pressed again. */
function heading(name, text, column, by, { kind = "", code = null, title = null } = {}) {
  const active = by.name === name;
  const press = () => {
    choose({ column: name, descending: active ? !by.descending : bestFirst(column) });
    document.querySelector(`#summary [data-column="${CSS.escape(name)}"]`).focus(); // the table is a new one
  };
  const sorted = active ? (by.descending ? "descending" : "ascending") : "none";
  const mark = { ascending: " ▴", descending: " ▾", none: "" }[sorted];
  return h("th", { scope: "col", class: kind, "aria-sort": sorted },
    h("button", { type: "button", "data-column": name, title, click: press }, text + mark, code));
}

function summaryCell(column, model, kind) {
  const measure = data.measures[column.measure], entry = entryIn(column, model);
  if (!entry) return h("td", { class: kind }, "–");
  const mark = MARKS[entry.mark];
  const ends = entry.low === null ? null : [entry.low, entry.high].map((end) => number(end, measure));
  const title = [`n = ${entry.n}`, ends && `95 % interval ${ends.join(" to ")}`, mark?.[1]].filter(Boolean).join(", ");
  return h("td", { class: `${kind} ${entry.mark}`, title },
    mark ? h("span", { class: `mark ${entry.mark}` }, mark[0]) : null,
    h("span", { class: "value" }, number(entry.mean, measure)),
    ends ? h("span", { class: "interval" }, ends.join(" – ")) : null);
}

function summaryLegend(columns) {
  const shown = columns.flatMap((one) => data.models.flatMap((_, model) => entryIn(one, model) ?? []));
  const marks = new Set(shown.map((entry) => entry.mark)), counts = [...new Set(shown.map((entry) => entry.n))];
  const n = counts.length > 1 ? `n = ${Math.min(...counts)} to ${Math.max(...counts)}` : `n = ${counts[0]}`;
  const told = Object.entries(MARKS).filter(([mark]) => marks.has(mark))
    .map(([mark, [text, meaning]]) => h("span", {}, h("span", { class: `mark ${mark}` }, text), meaning));
  return [
    ...told,
    h("span", {}, "↑ more is better, ↓ less; below each mean its 95 % interval"),
    ...(counts.length ? [h("span", {}, n)] : []),
  ];
}

// Means and intervals on one axis ---------------------------------------------------------------------------------

/** The axis that all models share: {x, best}; null where no model has a mean. */
function forestScale(column) {
  const found = data.models.flatMap((_, model) => entryIn(column, model) ?? []);
  if (!found.length) return null;
  const low = Math.min(...found.map((entry) => entry.low ?? entry.mean));
  const high = Math.max(...found.map((entry) => entry.high ?? entry.mean));
  const room = FOREST.width - 2 * FOREST.margin;
  const x = (value) => FOREST.margin + (high > low ? (room * (value - low)) / (high - low) : room / 2);
  return { x, best: found.find((entry) => entry.mark === "best") };
}

function forestHeading(column) {
  const about = chosen.mask === EVERY_MASK ? ` (${data.masks[column.mask]})` : "";
  const better = { higher: ", better →", lower: ", ← better" }[data.measures[column.measure].better] ?? "";
  return `95 % interval${about}${better}`;
}

/** One model's mean and interval; the band behind it is the best one's interval. */
function forest(column, model, scale) {
  const entry = entryIn(column, model);
  if (!scale || !entry) return null;
  const { x, best } = scale, { width, height } = FOREST, y = height / 2;
  const parts = [h("line", { x1: 0, x2: width, y1: y, y2: y, class: "grid" })];
  if (best && best.low !== null) {
    const band = { x: x(best.low), y: 0, width: x(best.high) - x(best.low), height };
    parts.unshift(h("rect", { ...band, fill: "var(--good)", opacity: 0.1 }));
  }
  if (entry.low !== null) {
    const ends = { x1: x(entry.low), x2: x(entry.high), y1: y, y2: y };
    parts.push(h("line", { ...ends, stroke: color(model), "stroke-width": 3, "stroke-linecap": "round" }));
  }
  parts.push(symbol(model, x(entry.mean), y, 5.5));
  return h("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, parts);
}

// Differences -----------------------------------------------------------------------------------------------------

const differences = data.differences.map((one) => {
  const [mask, bucket, measure, model, against, mean, low, high, p, wins, losses, n, verdict] = one;
  return { mask, bucket, measure, model, against, mean, low, high, p, wins, losses, n, verdict };
});

/** The same difference, seen from the other model. */
function turned(one) {
  const negative = (value) => (value === null ? null : -value);
  return {
    ...one, model: one.against, against: one.model, wins: one.losses, losses: one.wins,
    mean: negative(one.mean), low: negative(one.high), high: negative(one.low),
    verdict: { better: "worse", worse: "better" }[one.verdict] ?? one.verdict,
  };
}

/** Pairs of models: is their difference shown, by how much, and who wins how often. */
function differencesSection(section) {
  const table = h("div", {
    class: "panel scroll", tabindex: 0, role: "region", "aria-label": "Differences, scrolls sideways",
  });
  const about = h("span", { class: "soft" });
  let other = data.models.length > 3 ? data.start.a : ALL;
  const draw = () => {
    const masks = chosen.mask === EVERY_MASK ? `all ${data.words.labels}` : data.masks[chosen.mask];
    const hole = chosen.bucket === ALL ? "" : `hole ${data.buckets[chosen.bucket]}`;
    about.textContent = [data.measures[chosen.measure].name, masks, hole].filter(Boolean).join(", ");
    table.replaceChildren(differencesTable(other));
  };
  const against = selector("Compared with", [[ALL, "every pair"], ...modelOptions()], other, (value) => {
    other = Number(value);
    draw();
  });
  section.append(
    h("div", { class: "bar" }, h("h2", { id: "differences-title" }, "Differences ", about), against),
    table);
  watch(["measure", "mask", "bucket"], draw);
}

function differencesTable(other) {
  const measure = data.measures[chosen.measure], every = chosen.mask === EVERY_MASK;
  const found = differences
    .filter((one) => one.measure === chosen.measure && one.bucket === chosen.bucket)
    .filter((one) => every || one.mask === chosen.mask)
    .filter((one) => other === ALL || one.model === other || one.against === other)
    .map((one) => (other === ALL || one.against === other ? one : turned(one)));
  if (!found.length) return h("p", { class: "empty" }, `Nothing was compared by ${measure.title} here.`);
  const head = (text, kind = "") => h("th", { scope: "col", class: kind }, text);
  return h("table", {},
    h("thead", {}, h("tr", {},
      head("Model"),
      other === ALL ? head("against", "text") : null,
      every ? head(data.words.labels, "text") : null,
      head(`${measure.title}${arrow(measure)}, difference`), head("p (Holm)"), head("wins : losses"), head("n"),
      head("what is shown", "text"))),
    h("tbody", {}, found.map((one) => differenceRow(one, measure, other === ALL, every))));
}

function differenceRow(one, measure, withOther, withMask) {
  const signed = (value) => (value === null ? "–" : (value > 0 ? "+" : "") + number(value, measure));
  const interval = one.low === null ? null : `${signed(one.low)} – ${signed(one.high)}`;
  const p = one.p === null ? "–" : one.p < 0.001 ? "< 0.001" : one.p.toFixed(3);
  return h("tr", {},
    h("th", { scope: "row" }, swatch(one.model), data.models[one.model]),
    withOther ? h("td", { class: "text" }, swatch(one.against), data.models[one.against]) : null,
    withMask ? h("td", { class: "text" }, data.masks[one.mask]) : null,
    h("td", {}, h("span", { class: "value" }, signed(one.mean)), h("span", { class: "interval" }, interval)),
    h("td", {}, p),
    h("td", {}, `${(100 * one.wins).toFixed(0)} % : ${(100 * one.losses).toFixed(0)} %`),
    h("td", {}, one.n),
    h("td", { class: one.verdict === "better" ? "text best" : "text" }, h("span", { class: "value" }, one.verdict)));
}

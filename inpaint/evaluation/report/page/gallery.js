// The pictures: a card per photo and kind of mask. Only the cards near the window exist as elements.
const MASKED = 0; // place of the masked photo among an example's pictures; models follow in their order
const ORIGINAL = data.models.length + 1;
const GAP_PX = 12; // between cards
const AHEAD_PX = 900; // beyond the window, where cards are built already

const pictureNames = [data.words.masked, ...data.models, data.words.original];
const examples = data.examples.map(([photo, mask, ratio, bucket, values, thumbs, files], index) => {
  const [thumb, file] = data.originals[photo];
  const name = data.photos[photo];
  return { index, photo, name, mask, ratio, bucket, values, thumbs: [...thumbs, thumb], files: [...files, file] };
});

/** The address of a picture's thumbnail, which is inside this file; null where there is none. */
function thumbSource(example, place) {
  return example.thumbs[place] ? `data:image/webp;base64,${example.thumbs[place]}` : null;
}
const valueOf = (example, model, measure) => example.values[model]?.[measure] ?? null;
const holeOf = (example) => (example.ratio === null ? null : `hole ${percent(example.ratio)}`);

/** The best value of an example in a measure, as it is shown; null without direction or values. */
function bestOf(example, measure) {
  const about = data.measures[measure];
  const found = data.models.map((_, model) => valueOf(example, model, measure)).filter((value) => value !== null);
  if (about.better === "neither" || found.length < 2) return null;
  return number(about.better === "higher" ? Math.max(...found) : Math.min(...found), about);
}

// Which, and in which order ---------------------------------------------------------------------------------------

/** By what examples are sorted: null comes last. */
const ORDERS = {
  name: (one) => one.name,
  hole: (one) => one.ratio,
  value: (one) => valueOf(one, chosen.a, chosen.ofImages),
  difference: (one) => minus(one),
  distance: (one) => (minus(one) === null ? null : Math.abs(minus(one))),
};

/** The chosen measure of model A minus that of model B. */
function minus(example) {
  const [a, b] = [chosen.a, chosen.b].map((model) => valueOf(example, model, chosen.ofImages));
  return a === null || b === null ? null : a - b;
}

/** The examples that the choices leave, in their order. */
function shownExamples() {
  const words = chosen.query.toLowerCase().split(/\s+/).filter(Boolean);
  const kept = examples.filter((one) => (chosen.onlyMask === ALL || one.mask === chosen.onlyMask)
    && (chosen.onlyBucket === ALL || one.bucket === chosen.onlyBucket)
    && words.every((word) => one.name.toLowerCase().includes(word)));
  // First what is asked for most often: names from A, small holes, and of numbers the largest.
  const upward = ["name", "hole"].includes(chosen.order);
  const descending = upward ? chosen.backwards : !chosen.backwards;
  return kept.map((one) => [one, ORDERS[chosen.order](one)])
    .sort(([one, x], [other, y]) => ordered(x, y, descending) || one.index - other.index)
    .map(([one]) => one);
}

// The section -----------------------------------------------------------------------------------------------------

function picturesSection(section) {
  const list = h("ol", { class: "cards" });
  list.style.setProperty("--pictures", pictureNames.length);
  const count = h("p", { class: "count", role: "status" });
  const search = h("input", {
    type: "search", placeholder: "part of the name", autocomplete: "off", spellcheck: "false",
    input: (event) => choose({ query: event.target.value }),
  });
  const showAll = () => {
    search.value = "";
    choose({ query: "", onlyMask: ALL, onlyBucket: ALL });
    search.focus();
  };
  const none = h("div", { class: "empty panel", hidden: true },
    h("p", {}, "No photo is left by these filters."),
    h("button", { type: "button", click: showAll }, "Show all"));
  section.append(
    h("div", { class: "bar" }, h("h2", { id: "pictures-title" }, "Pictures")),
    h("div", { class: "tools panel", role: "group", "aria-label": "Choose and sort pictures" },
      h("label", { class: "field grow" }, "Photo", search),
      data.masks.length > 1 ? bound(LABELS, "onlyMask", [[ALL, "all"], ...maskOptions()]) : null,
      data.buckets.length ? bound("Hole", "onlyBucket", bucketOptions()) : null,
      bound("Measure", "ofImages", measureOptions(["image"])),
      bound("Model A", "a", modelOptions()),
      data.models.length > 1 ? bound("Model B", "b", modelOptions()) : null,
      h("div", { class: "sort" }, orderSelector(), turnButton())),
    count, list, none);
  const cards = new Cards(list);
  watch(["query", "onlyMask", "onlyBucket", "ofImages", "a", "b", "order", "backwards"], () => {
    const shown = shownExamples();
    cards.show(shown);
    viewer.list = shown;
    none.hidden = shown.length > 0;
    count.textContent = countOf(shown);
  });
}

function countOf(shown) {
  const photos = new Set(shown.map((one) => one.photo)).size;
  const pairs = `pairs of photo and ${data.words.label}, ${photos} ${photos === 1 ? "photo" : "photos"}`;
  const part = shown.length === examples.length ? "" : ` of ${examples.length}`;
  return `${shown.length}${part} ${data.masks.length > 1 ? pairs : "photos"}. Point at a picture to see the `
    + `${data.words.original} in its place (or press O on it); open it to compare by a slider.`;
}

function orderSelector() {
  const field = selector("Sort by", [], "", (value) => choose({ order: value, backwards: false }));
  const list = field.querySelector("select");
  watch(["ofImages", "a", "b"], () => {
    const title = data.measures[chosen.ofImages].name, [a, b] = [data.models[chosen.a], data.models[chosen.b]];
    const options = [["name", "name"], ...(examples.some((one) => one.ratio !== null) ? [["hole", "size of the hole"]] : []),
      ["value", `${title} of ${a}`]];
    if (data.models.length > 1) {
      options.push(["difference", `${title}: ${a} − ${b}`], ["distance", `${title}: |${a} − ${b}|`]);
    }
    list.replaceChildren(...options.map(([value, text]) => h("option", { value }, text)));
    list.value = chosen.order;
  });
  return field;
}

function turnButton() {
  const label = "Reverse the order";
  const turn = h("button", {
    type: "button", class: "turn", "aria-label": label, title: label,
    click: () => choose({ backwards: !chosen.backwards }),
  });
  watch(["backwards"], () => {
    turn.textContent = chosen.backwards ? "↑" : "↓";
    turn.setAttribute("aria-pressed", chosen.backwards);
  });
  return turn;
}

// Cards -----------------------------------------------------------------------------------------------------------

/** A list of cards of one height of which only those near the window are elements. */
class Cards {
  constructor(list) {
    this.list = list;
    this.shown = [];
    this.built = new Map(); // place in `shown` -> element
    this.height = 0;
    addEventListener("scroll", once(() => this.update()), { passive: true });
    addEventListener("resize", once(() => this.measure()));
    list.addEventListener("focusin", () => this.update()); // the keyboard goes on before the next frame
  }

  show(shown) {
    this.shown = shown;
    for (const element of this.built.values()) element.remove();
    this.built.clear();
    this.measure();
  }

  /** Learn how high a card is at this width, and place all anew. */
  measure() {
    if (!this.shown.length) {
      this.list.style.height = "0";
      return;
    }
    const probe = this.built.values().next().value ?? this.build(0);
    this.height = probe.offsetHeight + GAP_PX;
    this.list.style.height = `${this.height * this.shown.length - GAP_PX}px`;
    for (const [place, element] of this.built) element.style.top = `${place * this.height}px`;
    this.update();
  }

  /** Build the cards near the window and those around the focus, which may be ahead of the scrolling; drop the others. */
  update() {
    if (!this.height) return;
    const { top } = this.list.getBoundingClientRect();
    const wanted = new Set();
    const want = (first, last) => {
      const end = Math.min(this.shown.length - 1, last);
      for (let place = Math.max(0, first); place <= end; place += 1) wanted.add(place);
    };
    want(Math.floor((-top - AHEAD_PX) / this.height), Math.ceil((innerHeight - top + AHEAD_PX) / this.height));
    const focused = document.activeElement?.closest(".card");
    if (focused) want(focused.ariaPosInSet - 2, focused.ariaPosInSet);
    for (const [place, element] of this.built) {
      if (wanted.has(place)) continue;
      element.remove();
      this.built.delete(place);
    }
    for (const place of wanted) if (!this.built.has(place)) this.build(place);
  }

  build(place) {
    const element = card(this.shown[place], place, this.shown.length);
    element.style.top = `${place * this.height}px`;
    const after = Math.min(...[...this.built.keys()].filter((other) => other > place));
    this.list.insertBefore(element, this.built.get(after) ?? null); // in reading order, for the keyboard
    this.built.set(place, element);
    return element;
  }
}

function card(example, place, total) {
  const about = [data.masks.length > 1 ? data.masks[example.mask] : null, holeOf(example)].filter(Boolean);
  const best = bestOf(example, chosen.ofImages);
  return h("li", { class: "card panel", "aria-posinset": place + 1, "aria-setsize": total },
    h("h3", { title: example.name },
      h("span", { class: "name" }, example.name),
      h("span", { class: "about" }, about.join(" · "))),
    h("div", { class: "tiles" }, pictureNames.map((_, index) => tile(example, index, best))));
}

/** One picture with what it shows and its number; it swaps with the original, and opens the viewer. */
function tile(example, place, best) {
  const isModel = place !== MASKED && place !== ORIGINAL, model = place - 1;
  const name = pictureNames[place], measure = data.measures[chosen.ofImages];
  const text = isModel ? number(valueOf(example, model, chosen.ofImages), measure) : "";
  const source = thumbSource(example, place), original = thumbSource(example, ORIGINAL);
  const image = source
    ? h("img", { src: source, alt: `${example.name}, ${name}`, draggable: "false", decoding: "async" })
    : h("span", { class: "none" }, "no picture");
  const frame = h("span", { class: "frame" }, image);
  const badge = h("span", { class: "swapped" }, data.words.original);
  const swap = (on) => {
    if (!source || !original || place === ORIGINAL) return;
    image.src = on ? original : source;
    if (on) frame.append(badge);
    else badge.remove();
  };
  return h("button", {
    class: "tile", type: "button", "data-picture": name, title: text ? `${name}, ${measure.title} ${text}` : name,
    click: () => { swap(false); viewer.open(example, place); },
    pointerenter: (event) => { if (event.pointerType === "mouse") swap(true); },
    pointerleave: () => swap(false),
    blur: () => swap(false),
    keydown: (event) => {
      if (event.key.toLowerCase() === "o" && !event.ctrlKey && !event.metaKey) swap(!badge.isConnected);
    },
  },
  frame,
  h("span", { class: "who" }, isModel ? swatch(model) : null, h("span", {}, name)),
  h("span", { class: `number ${isModel && text === best ? "best" : ""}` }, text));
}

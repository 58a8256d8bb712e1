// One photo large: two of its pictures one over the other, parted by a slider, and all its numbers.
const SIZES = [["fit", "fit"], ["1", "100 %"], ["2", "200 %"], ["4", "400 %"], ["8", "800 %"]];
const MARGIN_PX = 24; // around a picture that fits the stage

class Viewer {
  constructor(dialog) {
    this.dialog = dialog;
    this.list = []; // the examples that previous and next lead through
    this.example = null;
    [this.left, this.right] = [MASKED, ORIGINAL]; // places among an example's pictures
    this.at = 50; // per cent of the width at which the left picture ends
    this.zoom = "fit";
    dialog.addEventListener("keydown", (event) => this.key(event));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside it
    dialog.addEventListener("close", () => this.before?.isConnected && this.before.focus());
    addEventListener("resize", once(() => this.fit()));
  }

  /** Show an example: the given picture beside the original; where that is the original, models A and B. */
  open(example, place) {
    const second = data.models.length > 1 ? chosen.b + 1 : ORIGINAL;
    [this.left, this.right] = place === ORIGINAL ? [chosen.a + 1, second] : [place, ORIGINAL];
    if (this.left === this.right) this.right = ORIGINAL;
    this.example = example;
    this.at = 50;
    this.before = document.activeElement;
    this.draw();
    this.dialog.showModal();
    this.fit();
    this.part("slider").focus();
  }

  /** Go to the example `by` places further; the focus stays on the same control. */
  step(by) {
    const next = this.list[this.list.indexOf(this.example) + by];
    if (!next) return;
    const role = document.activeElement?.dataset.role;
    this.example = next;
    this.draw();
    const again = this.part(role);
    (again && !again.disabled ? again : this.part("slider")).focus();
  }

  key(event) {
    const by = { PageUp: -1, PageDown: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    this.step(by);
  }

  part(role) {
    return this.dialog.querySelector(`[data-role="${role}"]`);
  }

  draw() {
    this.stack = h("div", { class: "stack", pointerdown: (event) => this.drag(event), pointermove: (event) => {
      if (event.buttons) this.drag(event);
    } });
    this.numbers = h("div", { class: "numbers", tabindex: 0, role: "region", "aria-label": "Numbers of this photo" });
    this.dialog.replaceChildren(
      this.header(),
      this.controls(),
      h("div", { class: "stage" }, this.stack),
      h("div", { class: "under" }, h("input", {
        class: "slider", type: "range", min: 0, max: 100, step: 0.5, value: this.at, "data-role": "slider",
        "aria-label": "How much of the left picture is shown", input: (event) => this.move(Number(event.target.value)),
      })),
      this.numbers);
    this.update();
  }

  header() {
    const { example } = this, place = this.list.indexOf(example), total = this.list.length;
    const about = [data.masks[example.mask], holeOf(example), `${place + 1} of ${total}`].filter(Boolean);
    const button = (text, label, role, disabled, click) =>
      h("button", { type: "button", "aria-label": label, title: label, "data-role": role, disabled, click }, text);
    return h("header", {},
      h("div", {},
        h("h2", { id: "viewer-title", title: example.name }, example.name),
        h("p", { class: "soft" }, about.join(" · "))),
      button("‹", "Previous photo (Page Up)", "previous", place <= 0, () => this.step(-1)),
      button("›", "Next photo (Page Down)", "next", place >= total - 1, () => this.step(1)),
      button("✕", "Close (Escape)", "close", false, () => this.dialog.close()));
  }

  controls() {
    const options = pictureNames.map((name, index) => [index, name]);
    const side = (label, key) => selector(label, options, this[key], (value) => {
      this[key] = Number(value);
      this.update();
    }, { "data-role": key });
    const swap = () => {
      [this.left, this.right] = [this.right, this.left];
      this.update();
    };
    const resize = (value) => {
      this.zoom = value;
      this.fit();
    };
    return h("div", { class: "controls" },
      side("Left", "left"),
      side("Right", "right"),
      h("button", { type: "button", "data-role": "swap", click: swap }, "⇄ swap"),
      selector("Size", SIZES, this.zoom, resize, { "data-role": "zoom" }));
  }

  /** Show the two pictures that are chosen. */
  update() {
    this.part("left").value = this.left;
    this.part("right").value = this.right;
    this.under = this.picture(this.right, "");
    this.over = this.picture(this.left, "over");
    this.edge = h("div", { class: "edge" });
    this.stack.replaceChildren(this.under, this.over, this.edge,
      h("span", { class: "label left" }, pictureNames[this.left]),
      h("span", { class: "label right" }, pictureNames[this.right]));
    this.numbers.replaceChildren(numbersTable(this.example));
    this.move(this.at);
    this.fit();
  }

  /** The picture's file, and its thumbnail where the file is not there. */
  picture(place, kind) {
    const thumb = thumbSource(this.example, place), file = this.example.files[place];
    const image = h("img", {
      class: kind, alt: `${this.example.name}, ${pictureNames[place]}`, draggable: "false",
      load: () => this.fit(),
      error: () => { if (thumb && image.src !== thumb) image.src = thumb; },
    });
    image.src = file ?? thumb ?? "data:,";
    return image;
  }

  /** Give both pictures the size of the larger one, times the zoom, or as large as there is room. */
  fit() {
    if (!this.stack || !this.dialog.open) return;
    const width = Math.max(this.under.naturalWidth, this.over.naturalWidth);
    const height = Math.max(this.under.naturalHeight, this.over.naturalHeight);
    if (!width || !height) return;
    const { clientWidth, clientHeight } = this.stack.parentElement;
    const room = Math.min((clientWidth - MARGIN_PX) / width, (clientHeight - MARGIN_PX) / height);
    const scale = this.zoom === "fit" ? room : Number(this.zoom) / devicePixelRatio;
    this.stack.style.width = `${Math.max(1, Math.round(width * scale))}px`;
    this.stack.style.height = `${Math.max(1, Math.round(height * scale))}px`;
    this.stack.classList.toggle("sharp", this.zoom !== "fit" && Number(this.zoom) > 1);
  }

  /** Let the left picture end at so many per cent of the width. */
  move(at) {
    this.at = Math.max(0, Math.min(100, at));
    this.over.style.clipPath = `inset(0 ${100 - this.at}% 0 0)`;
    this.edge.style.left = `${this.at}%`;
    const slider = this.part("slider"), [left, right] = [pictureNames[this.left], pictureNames[this.right]];
    slider.value = this.at;
    slider.setAttribute("aria-valuetext", `${Math.round(this.at)} % ${left}, the rest ${right}`);
  }

  drag(event) {
    if (event.type === "pointerdown") this.stack.setPointerCapture(event.pointerId);
    const box = this.stack.getBoundingClientRect();
    this.move((100 * (event.clientX - box.left)) / box.width);
  }
}

/** All numbers of an example: models in rows, measures in columns. */
function numbersTable(example) {
  const there = (index) => data.models.some((_, model) => valueOf(example, model, index) !== null);
  const shown = data.measures.map((_, index) => index)
    .filter((index) => data.measures[index].better !== "neither" && there(index));
  const best = shown.map((index) => bestOf(example, index));
  const cell = (model) => (index, column) => {
    const text = number(valueOf(example, model, index), data.measures[index]);
    return h("td", { class: text === best[column] ? "best" : "" }, h("span", { class: "value" }, text));
  };
  const heading = (index) => {
    const measure = data.measures[index];
    return h("th", { scope: "col", title: measure.title }, measure.name + arrow(measure));
  };
  return h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Model"), shown.map(heading))),
    h("tbody", {}, data.models.map((label, model) =>
      h("tr", {}, h("th", { scope: "row" }, swatch(model), label), shown.map(cell(model))))));
}

const viewer = new Viewer(document.getElementById("viewer"));

// One photo large: two of its pictures one over the other, parted by a slider, and all its numbers.
const viewer = {
  dialog: document.getElementById("viewer"),
  list: [],
  example: null,
  left: 0,
  right: 0,
  at: 50, // per cent of the width at which the left picture ends
  zoom: "fit",

  /** Show an example: the given picture beside the original; the original beside models A and B. */
  open(example, place) {
    this.example = example;
    [this.left, this.right] = place === ORIGINAL ? [chosen.a + 1, data.models.length > 1 ? chosen.b + 1 : ORIGINAL] : [place, ORIGINAL];
    if (this.left === this.right) this.right = ORIGINAL;
    this.at = 50;
    this.before = document.activeElement;
    this.draw();
    this.dialog.showModal();
    this.fit();
    this.dialog.querySelector(".slider").focus();
  },

  step(by) {
    const next = this.list[this.list.indexOf(this.example) + by];
    if (!next) return;
    const focus = document.activeElement?.dataset.role;
    this.example = next;
    this.draw();
    this.fit();
    const again = this.dialog.querySelector(`[data-role="${focus}"]`);
    (again && !again.disabled ? again : this.dialog.querySelector(".slider")).focus();
  },

  draw() {
    const { example } = this, place = this.list.indexOf(example);
    const options = pictureNames.map((name, index) => [index, name]);
    const about = [data.masks[example.mask], example.ratio === null ? null : `hole ${percent(example.ratio)}`, `${place + 1} of ${this.list.length}`].filter(Boolean).join(" · ");
    const side = (key) => (value) => { this[key] = Number(value); this.update(); };
    const slider = h("input", { class: "slider", type: "range", min: 0, max: 100, step: 0.5, value: this.at, "data-role": "slider", "aria-label": "How much of the left picture is shown", input: (event) => this.move(Number(event.target.value)) });
    this.stack = h("div", { class: "stack" });
    this.stack.addEventListener("pointerdown", (event) => { this.stack.setPointerCapture(event.pointerId); this.drag(event); });
    this.stack.addEventListener("pointermove", (event) => { if (event.buttons) this.drag(event); });
    this.numbers = h("div", { class: "numbers", tabindex: 0, role: "region", "aria-label": "Numbers of this photo" });
    this.dialog.replaceChildren(
      h("header", {},
        h("div", {}, h("h2", { id: "viewer-title", title: example.name }, example.name), h("p", { class: "soft" }, about)),
        h("button", { type: "button", "data-role": "back", disabled: place <= 0, click: () => this.step(-1), "aria-label": "Previous photo", title: "Previous photo (Page Up)" }, "‹"),
        h("button", { type: "button", "data-role": "on", disabled: place >= this.list.length - 1, click: () => this.step(1), "aria-label": "Next photo", title: "Next photo (Page Down)" }, "›"),
        h("button", { type: "button", "aria-label": "Close", title: "Close (Escape)", click: () => this.dialog.close() }, "✕")),
      h("div", { class: "controls" },
        selector("Left", options, this.left, side("left"), { "data-role": "left" }),
        selector("Right", options, this.right, side("right"), { "data-role": "right" }),
        h("button", { type: "button", "data-role": "swap", click: () => { [this.left, this.right] = [this.right, this.left]; this.update(); } }, "⇄ swap"),
        selector("Size", [["fit", "fit"], ["1", "100 %"], ["2", "200 %"], ["4", "400 %"], ["8", "800 %"]], this.zoom, (value) => { this.zoom = value; this.fit(); }, { "data-role": "zoom" })),
      h("div", { class: "stage" }, this.stack),
      h("div", { class: "under" }, slider),
      this.numbers);
    this.update();
  },

  update() {
    const role = (name) => this.dialog.querySelector(`[data-role="${name}"]`);
    role("left").value = this.left;
    role("right").value = this.right;
    this.under = this.picture(this.right, "");
    this.over = this.picture(this.left, "over");
    this.edge = h("div", { class: "edge" });
    this.stack.replaceChildren(this.under, this.over, this.edge,
      h("span", { class: "label left" }, pictureNames[this.left]), h("span", { class: "label right" }, pictureNames[this.right]));
    this.numbers.replaceChildren(this.table());
    this.move(this.at);
    this.fit();
  },

  /** The picture's file, and its thumbnail where the file is not there. */
  picture(place, name) {
    const thumb = thumbSource(this.example, place), file = this.example.files[place];
    const image = h("img", { class: name, alt: `${this.example.name}, ${pictureNames[place]}`, draggable: "false" });
    image.addEventListener("load", () => this.fit());
    image.addEventListener("error", () => { if (thumb && image.src !== thumb) image.src = thumb; });
    image.src = file ?? thumb ?? "data:,";
    return image;
  },

  /** Give both pictures the size of the larger one, times the zoom, or as large as there is room. */
  fit() {
    if (!this.stack || !this.dialog.open) return;
    const width = Math.max(this.under.naturalWidth, this.over.naturalWidth), height = Math.max(this.under.naturalHeight, this.over.naturalHeight);
    if (!width || !height) return;
    const stage = this.stack.parentElement;
    const scale = this.zoom === "fit" ? Math.min((stage.clientWidth - 24) / width, (stage.clientHeight - 24) / height) : Number(this.zoom) / devicePixelRatio;
    this.stack.style.width = `${Math.max(1, Math.round(width * scale))}px`;
    this.stack.style.height = `${Math.max(1, Math.round(height * scale))}px`;
    this.stack.classList.toggle("sharp", this.zoom !== "fit" && Number(this.zoom) > 1);
  },

  move(at) {
    this.at = Math.max(0, Math.min(100, at));
    this.over.style.clipPath = `inset(0 ${100 - this.at}% 0 0)`;
    this.edge.style.left = `${this.at}%`;
    const slider = this.dialog.querySelector(".slider");
    slider.value = this.at;
    slider.setAttribute("aria-valuetext", `${Math.round(this.at)} % ${pictureNames[this.left]}, the rest ${pictureNames[this.right]}`);
  },

  drag(event) {
    const box = this.stack.getBoundingClientRect();
    this.move((100 * (event.clientX - box.left)) / box.width);
  },

  table() {
    const measures = data.measures.flatMap((measure, index) => (measure.better !== "neither" && data.models.some((_, model) => valueOf(this.example, model, index) !== null) ? [index] : []));
    const best = new Map(measures.map((index) => [index, bestOf(this.example, index)]));
    const cell = (model, index) => {
      const text = number(valueOf(this.example, model, index), data.measures[index]);
      return h("td", { class: text === best.get(index) ? "best" : "" }, h("span", { class: "value" }, text));
    };
    return h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Model"), measures.map((index) => h("th", { scope: "col", title: data.measures[index].title }, data.measures[index].name + arrow(data.measures[index]))))),
      h("tbody", {}, data.models.map((label, model) => h("tr", {}, h("th", { scope: "row" }, swatch(model), label), measures.map((index) => cell(model, index))))));
  },
};

viewer.dialog.addEventListener("keydown", (event) => {
  const by = { PageUp: -1, PageDown: 1 }[event.key];
  if (!by) return;
  event.preventDefault();
  viewer.step(by);
});
viewer.dialog.addEventListener("click", (event) => { if (event.target === viewer.dialog) viewer.dialog.close(); });
viewer.dialog.addEventListener("close", () => viewer.before?.isConnected && viewer.before.focus());
addEventListener("resize", once(() => viewer.fit()));

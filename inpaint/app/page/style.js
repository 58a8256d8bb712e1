// Pictures of styles: added by files or from a shelf, and removed. The body of a function that Gradio calls with element,
// trigger, props, server, upload, watch.
const root = element.querySelector(".st");
const find = (selector) => root.querySelector(selector);
const about = find(".st-about"), file = find(".st-file"), strip = find(".st-strip"), add = find(".st-add");
let said = 0;

function say(text, wrong = false) {
  about.textContent = text;
  about.classList.toggle("st-wrong", wrong);
}

async function send(chosen) {
  const most = props.limits.bytes;
  if (chosen.size > most) return say(`${chosen.name} is larger than ${(most / 1e6).toFixed(1)} MB`, true);
  say(`Sending ${chosen.name}`);
  try {
    const sent = await upload(chosen);
    trigger("upload", { path: sent.path, name: chosen.name });
  } catch (error) {
    say(`${chosen.name} was not taken: ${error.message || error}`, true);
  }
}

async function sendAll(files) {
  for (const each of files) await send(each);
}

add.addEventListener("click", () => file.click());
file.addEventListener("change", () => {
  const chosen = [...file.files];
  file.value = "";
  sendAll(chosen);
});
const carriesFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
root.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
root.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  event.stopPropagation();
  sendAll([...event.dataTransfer.files]);
});

function picture(source, name, label, act) {
  const button = document.createElement("button"), image = new Image();
  button.type = "button";
  button.title = label;
  button.setAttribute("aria-label", label);
  image.alt = name;
  image.loading = "lazy";
  image.addEventListener("error", () => image.replaceWith(document.createTextNode(name)));
  image.src = source;
  button.append(image);
  button.addEventListener("click", act);
  return button;
}

for (const shelf of props.shelves)
  shelf.names.forEach((name, number) => {
    strip.append(picture(shelf.views[number], name, `Add ${name}`, () => trigger("select", { shelf: shelf.name, number })));
  });

watch("styles", () => {
  const news = props.styles;
  if (!news || news.said === said) return;
  said = news.said;
  if (news.error) return say(news.error, true);
  const chosen = news.pictures.map((each) =>
    picture(each.view, each.name, `Remove ${each.name}`, () => trigger("input", { style: each.id })));
  find(".st-chosen").replaceChildren(...chosen, add);
  root.dataset.count = chosen.length;
  const notes = news.notes.length ? ` · ${news.notes.join("; ")}` : "";
  say(`${news.pictures.map((each) => each.name).join(", ") || "No style is chosen"}${notes}`);
});

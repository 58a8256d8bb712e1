// What the page begins with, and its parts in their order.
document.getElementById("title").textContent = data.title;
document.getElementById("facts").append(...data.facts.map(([term, text, code]) =>
  h("div", {}, h("dt", {}, term), h("dd", { class: code ? "mono" : "" }, text))));
document.getElementById("foot").append(data.foot);
if (data.command) document.getElementById("command").append(...commandLine());

/** The command in words that are not broken, and a button that copies it. */
function commandLine() {
  const words = data.command.split(" ").flatMap((word) => [h("span", { class: "word" }, word), " "]);
  const code = h("code", { tabindex: 0 }, words);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(data.command);
      button.textContent = "Copied";
    } catch { // not allowed here: mark it, so that the keyboard copies it
      getSelection().selectAllChildren(code);
      button.textContent = "Marked";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  };
  const button = h("button", { type: "button", click: copy }, "Copy");
  return [code, button];
}

const parts = [
  ["summary", "Summary", summarySection, data.entries.some((entry) => entry[1] === ALL)],
  ["buckets", "By size of the hole", bucketsSection, data.entries.some((entry) => entry[1] !== ALL)],
  ["differences", "Differences", differencesSection, data.differences.length > 0],
  ["curves", "Training", curvesSection, data.panels.length > 0],
  ["pictures", "Pictures", picturesSection, data.examples.length > 0],
].filter(([, , , wanted]) => wanted);
const tabs = document.getElementById("tabs");
for (const [id, title, fill] of parts) {
  const section = document.getElementById(id);
  section.hidden = false;
  fill(section);
  tabs.append(h("a", { href: `#${id}` }, title));
}
document.querySelector(".skip").hidden = data.examples.length === 0;

/** Mark the part that is being read: the last one that begins in the upper third of the window, or above it. */
const mark = once(() => {
  const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 4;
  const begun = ([id]) => document.getElementById(id).getBoundingClientRect().top < innerHeight / 3;
  const read = atEnd ? parts.at(-1) : parts.findLast(begun) ?? parts[0];
  for (const link of tabs.children) {
    if (link.hash === `#${read?.[0]}`) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
});
addEventListener("scroll", mark, { passive: true });
mark();
document.documentElement.dataset.ready = "true";

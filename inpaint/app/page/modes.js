// Which part of the page is shown: filling one photo, or blending a part of one into another.
const tabs = [...element.querySelectorAll("[data-mode]")];

function show(mode) {
  document.getElementById("desk").dataset.mode = mode;
  for (const tab of tabs) tab.setAttribute("aria-selected", String(tab.dataset.mode === mode));
}

for (const tab of tabs) tab.addEventListener("click", () => show(tab.dataset.mode));
document.addEventListener("inpaint:mode", (event) => show(event.detail));

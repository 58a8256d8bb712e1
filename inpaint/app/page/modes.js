// Which part of the page is shown: filling one photo, blending a part of one into another, or painting in styles.
const tabs = [...element.querySelectorAll("[data-mode]")];

function show(mode) {
  document.getElementById("desk").dataset.mode = mode;
  for (const tab of tabs) tab.setAttribute("aria-selected", String(tab.dataset.mode === mode));
}

for (const tab of tabs) tab.addEventListener("click", () => show(tab.dataset.mode));
document.addEventListener("inpaint:mode", ({ detail }) => {
  const now = document.getElementById("desk").dataset.mode;
  if (detail !== "fill" || now !== "style") show(detail); // the part of styles has the editor, too
});

/* Copies the text of the element that a button names in `data-copy`. */

const SHOWN_MS = 2000;

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) { return; }
  const source = document.getElementById(button.dataset.copy);
  const said = button.querySelector("[data-says]") ?? button;
  const words = said.textContent;
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    said.textContent = "Copied";
  } catch {
    /* Refused, or no secure context: the text is selected instead. */
    window.getSelection().selectAllChildren(source);
    said.textContent = "Press Ctrl+C";
  }
  button.disabled = true;
  window.setTimeout(() => { said.textContent = words; button.disabled = false; }, SHOWN_MS);
});

/* Loads a module when the page has something for it: now, or after htmx has put it there. */

export function whenPresent(selector, load) {
  const look = () => {
    const found = document.querySelectorAll(selector);
    if (found.length) { load().then((module) => module.drawAll(found)); }
  };
  look();
  document.addEventListener("htmx:after:swap", look);
}

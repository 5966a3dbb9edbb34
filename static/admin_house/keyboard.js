/* Unfold opens its menus, filters and sidebar by clicks on elements that no keyboard reaches: it does here. */

const NATIVE = "a[href], button, input, select, textarea, summary, label, form";
const WORDS = {
  dock_to_right: "Show or hide the navigation",
  close: "Close",
  unfold_more: "Your account and the theme",
};

function makeReachable(element) {
  if (element.matches(NATIVE) || element.querySelector(NATIVE)) { return; }
  element.tabIndex = 0;
  element.setAttribute("role", "button");
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      element.click();
    }
  });
}

function nameIcon(icon) {
  const holder = icon.closest("[role=button], a, button") ?? icon;
  const words = WORDS[icon.textContent.trim()];
  if (holder === icon || holder.textContent.trim() === icon.textContent.trim()) {
    if (words && !holder.title) { holder.setAttribute("aria-label", words); }
  } else {
    icon.setAttribute("aria-hidden", "true");
  }
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("*").forEach((element) => {
    if (element.hasAttribute("x-on:click")) { makeReachable(element); }
  });
  document.querySelectorAll(".material-symbols-outlined").forEach(nameIcon);
});

/* Light, dark, or as the system: kept in a cookie, so that the server paints it at once. */

const A_YEAR_S = 31536000;

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-theme-choice]");
  if (!button) { return; }
  const choice = button.dataset.themeChoice;
  const secure = window.location.protocol === "https:" ? "; secure" : "";
  document.cookie = `outward_theme=${choice}; path=/; max-age=${choice ? A_YEAR_S : 0}; samesite=lax${secure}`;
  if (choice) { document.documentElement.dataset.theme = choice; } else { delete document.documentElement.dataset.theme; }
  button.parentElement.querySelectorAll("[data-theme-choice]").forEach((other) => {
    other.setAttribute("aria-pressed", String(other === button));
  });
  document.dispatchEvent(new CustomEvent("outward:theme"));
});

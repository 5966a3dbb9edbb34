/* The theme that was chosen elsewhere in the house holds here too: Unfold keeps its own by this name. */

const chosen = document.cookie.split("; ").find((pair) => pair.startsWith("outward_theme="));
try {
  localStorage.setItem("adminTheme", JSON.stringify(chosen ? chosen.split("=")[1] : "auto"));
} catch {
  /* Storage is switched off: the system's theme is shown. */
}

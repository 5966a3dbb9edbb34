/* Puts a popover beside the button that opens it; without this script it opens in the middle. */

const GAP = 6;
const EDGE = 8;
let open = null;

function place(popover, button) {
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = popover;
  const alignRight = at.left + width > window.innerWidth - EDGE;
  const left = alignRight ? at.right - width : at.left;
  const below = at.bottom + GAP;
  const fits = below + height <= window.innerHeight - EDGE;
  const above = at.top - GAP - height;
  popover.style.left = `${Math.max(EDGE, Math.min(left, window.innerWidth - width - EDGE))}px`;
  popover.style.top = `${fits || above < EDGE ? Math.min(below, Math.max(EDGE, window.innerHeight - height - EDGE)) : above}px`;
}

/* `toggle` does not bubble. */
document.addEventListener("toggle", (event) => {
  const popover = event.target;
  if (!(popover instanceof HTMLElement) || !popover.matches(".popover[popover]")) { return; }
  const button = document.querySelector(`[popovertarget="${CSS.escape(popover.id)}"]`);
  button?.setAttribute("aria-expanded", String(event.newState === "open"));
  if (event.newState === "open" && button) {
    popover.classList.add("is-placed");
    place(popover, button);
    open = { popover, button };
  } else if (open?.popover === popover) {
    open = null;
  }
}, true);

const follow = () => { if (open?.button.isConnected) { place(open.popover, open.button); } };
window.addEventListener("resize", follow);
window.addEventListener("scroll", follow, { passive: true, capture: true });

/* Arrow keys walk through a menu, or the menus inside a popover; a field keeps its own arrows. */
document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || event.target.closest?.("input, select, textarea")) { return; }
  const items = Array.from(document.querySelectorAll(
    ":is(.popover.menu:popover-open, .popover:popover-open .menu) :is(a, button:not(.choice))",
  ));
  if (!items.length) { return; }
  const at = items.indexOf(document.activeElement);
  event.preventDefault();
  items[at < 0 && step < 0 ? items.length - 1 : (at + step + items.length) % items.length]?.focus();
});

/* The tip beside the pointer: HTML, so that it has the page's type and can be read by all. */

const OFFSET = 14;

export function tipFor(canvas, words) {
  const place = canvas.parentElement;
  const found = place.querySelector(".chart-tip");
  const tip = found ?? document.createElement("div");
  tip.className = "chart-tip";
  tip.setAttribute("role", "status");
  if (!found) { place.append(tip); }
  return ({ chart, tooltip }) => {
    if (tooltip.opacity === 0 || !tooltip.dataPoints?.length) { tip.classList.remove("is-shown"); return; }
    const { title, rows, note } = words(tooltip.dataPoints);
    const list = document.createElement("dl");
    rows.forEach(([name, value]) => {
      const term = document.createElement("dt");
      const figure = document.createElement("dd");
      term.textContent = name;
      figure.textContent = value;
      list.append(term, figure);
    });
    const head = document.createElement("b");
    head.textContent = title;
    tip.replaceChildren(head, list, ...(note ? [note] : []));
    const right = tooltip.caretX + OFFSET + tip.offsetWidth > chart.width;
    const left = right ? tooltip.caretX - OFFSET - tip.offsetWidth : tooltip.caretX + OFFSET;
    const top = Math.min(Math.max(0, tooltip.caretY - tip.offsetHeight / 2), chart.height - tip.offsetHeight);
    tip.style.transform = `translate(${Math.max(0, left)}px, ${Math.max(0, top)}px)`;
    tip.classList.add("is-shown");
  };
}

/* What line charts and the map share: fetching, redrawing, saying that it failed. */

const charts = new Map();
const REDRAW_MS = 150;

async function getJson(url) {
  const reply = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  if (!reply.ok) { throw new Error(`HTTP ${reply.status}`); }
  return reply.json();
}

/* Draws canvases that are not drawn yet, with `make(canvas, data)` that answers a Chart. */
export function drawer(make) {
  async function draw(canvas, { fresh = true } = {}) {
    const old = charts.get(canvas);
    canvas.dataset.drawn = "under way";
    try {
      const data = fresh || !old ? await load(canvas) : old.data;
      if (!canvas.isConnected) { return; }
      charts.get(canvas)?.chart.destroy();
      charts.set(canvas, { chart: await make(canvas, data), data, again: () => draw(canvas, { fresh: false }) });
      canvas.dataset.drawn = "yes";
    } catch (error) {
      canvas.dataset.drawn = "no";
      failed(canvas, () => draw(canvas));
      if (!(error instanceof TypeError) && !/^HTTP/.test(error.message)) { throw error; }
    }
  }
  return (canvases) => {
    sweep();
    canvases.forEach((canvas) => { if (!canvas.dataset.drawn) { draw(canvas); } });
  };
}

function load(canvas) {
  const inPage = canvas.dataset.json && document.getElementById(canvas.dataset.json);
  return inPage ? JSON.parse(inPage.textContent) : getJson(canvas.dataset.src);
}

/* Charts whose canvas htmx has taken away. */
function sweep() {
  charts.forEach(({ chart }, canvas) => {
    if (!canvas.isConnected) { chart.destroy(); charts.delete(canvas); }
  });
}

function failed(canvas, retry) {
  const place = canvas.parentElement;
  place.querySelector(".failed")?.remove();
  const said = document.createElement("div");
  said.className = "failed";
  said.setAttribute("role", "status");
  said.append("The chart could not be loaded.");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button quiet small";
  button.textContent = "Try again";
  button.addEventListener("click", () => { said.remove(); retry(); });
  said.append(button);
  place.append(said);
}

let waiting;
function redraw() {
  clearTimeout(waiting);
  waiting = setTimeout(() => charts.forEach(({ again }) => again()), REDRAW_MS);
}
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
document.addEventListener("outward:theme", redraw);
/* Paper is light, whatever the screen is; and it does not wait. */
window.matchMedia("print").addEventListener("change", () => charts.forEach(({ again }) => again()));

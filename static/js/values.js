/* How figures of charts are written, and their table under the chart. */

const locale = document.documentElement.lang || "en-GB";
const whole = new Intl.NumberFormat(locale);
const short = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 });
const decimal = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });

function duration(seconds) {
  const rounded = Math.round(seconds);
  if (rounded < 60) { return `${rounded}s`; }
  if (rounded < 3600) { return `${Math.floor(rounded / 60)}m ${String(rounded % 60).padStart(2, "0")}s`; }
  return `${Math.floor(rounded / 3600)}h ${String(Math.floor((rounded % 3600) / 60)).padStart(2, "0")}m`;
}

/* The words of a figure; `unit` as in docs/look.md. A gap is a dash. */
export function inWords(value, unit) {
  if (value === null || value === undefined) { return "–"; }
  if (unit === "percent") { return `${percent.format(value)}%`; }
  if (unit === "seconds") { return duration(value); }
  if (unit === "decimal") { return decimal.format(value); }
  return whole.format(value);
}

/* Shorter ones, for an axis. */
export function onAxis(value, unit) {
  return unit === "number" || !unit ? (Math.abs(value) < 10000 ? whole.format(value) : short.format(value)) : inWords(value, unit);
}

function cell(tag, words, attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = words;
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  return made;
}

/* Fills the `<details class="values">` of a figure when it is first opened. */
export function offerTable(figure, rows, heads, unit) {
  const details = figure?.querySelector("details.values");
  if (!details) { return; }
  const fill = () => {
    const table = document.createElement("table");
    table.className = "table";
    const head = table.createTHead().insertRow();
    heads.forEach((words, index) => head.append(cell("th", words, { scope: "col", class: index ? "number" : "" })));
    const body = table.createTBody();
    rows.forEach(([words, ...figures]) => {
      const row = body.insertRow();
      row.append(cell("th", words, { scope: "row" }));
      figures.forEach((value) => row.append(cell("td", inWords(value, unit), { class: "number" })));
    });
    details.querySelector(".scroll").replaceChildren(table);
  };
  details.ontoggle = () => { if (details.open) { fill(); } };
  if (details.open) { fill(); }
}

/* Series drawn by Chart.js from the JSON of django-chartjs; its shape is in docs/look.md. */
import {
  BarController, BarElement, CategoryScale, Chart, Filler, LinearScale, LineController, LineElement, PointElement, Tooltip,
} from "chart.js";
import { paletteOf } from "./colours.js";
import { drawer } from "./drawing.js";
import { endLabels, marks } from "./marking.js";
import { tipFor } from "./tip.js";
import { inWords, offerTable, onAxis } from "./values.js";

Chart.register(BarController, BarElement, CategoryScale, Filler, LinearScale, LineController, LineElement, PointElement, Tooltip, endLabels, marks);

const DASH = [3, 4];
const DIRECT_LABELS_FROM = 620;
/* From this width on there is room for names at the lines' ends; below they stand above the chart. */

const kindOf = (set, index) => set.kind ?? (index ? "other" : "now");

function dataset(set, index, data, palette, isBar) {
  const kind = kindOf(set, index);
  const colour = kind === "before" ? palette.ink3 : palette.series[index % palette.series.length];
  const common = { label: set.label, data: set.data, order: -index, kind, colour };
  if (isBar && kind !== "before") {
    return { ...common, type: "bar", backgroundColor: colour, borderRadius: 2, maxBarThickness: 22, categoryPercentage: 0.8, barPercentage: 0.92 };
  }
  const last = set.data.length - 1;
  return {
    ...common,
    type: "line",
    borderColor: colour,
    borderWidth: kind === "before" ? 1.25 : 2,
    borderDash: kind === "before" ? DASH : [],
    borderJoinStyle: "round",
    cubicInterpolationMode: "monotone",
    pointRadius: (point) => (set.data.length === 1 || isAlone(set.data, point.dataIndex) ? 3 : 0),
    pointBackgroundColor: colour,
    pointBorderWidth: 0,
    pointHoverRadius: 4,
    pointHoverBorderWidth: 2,
    pointHoverBorderColor: palette.paper,
    pointHitRadius: 16,
    backgroundColor: palette.soft,
    fill: kind === "now" && data.datasets.filter((other, at) => kindOf(other, at) !== "before").length === 1,
    /* The hour or day under way is not over: its piece of the line is dashed. */
    segment: kind === "now" && data.unfinished ? { borderDash: (piece) => (piece.p1DataIndex === last ? DASH : undefined) } : {},
  };
}

const isAlone = (values, at) => values[at] !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null;

function options(canvas, data, palette, isDirect) {
  const notes = new Map((data.annotations ?? []).map((one) => [one.index, one.text]));
  const font = { family: getComputedStyle(canvas).fontFamily, size: 12 };
  const tip = tipFor(canvas, (points) => ({
    title: data.titles?.[points[0].dataIndex] ?? data.labels[points[0].dataIndex],
    rows: points.map((point) => [point.dataset.label, inWords(point.raw, data.unit)]),
    note: notes.get(points[0].dataIndex),
  }));
  return {
    animation: false, responsive: true, maintainAspectRatio: false,
    events: ["mousemove", "mouseout", "click", "touchstart", "touchmove"],
    interaction: { mode: "index", intersect: false },
    layout: { padding: { top: notes.size ? 24 : 8, right: isDirect ? endLabels.room(canvas, data, font) : 4 } },
    plugins: {
      legend: { display: false },
      tooltip: { enabled: false, external: tip, itemSort: (one, other) => one.datasetIndex - other.datasetIndex },
      endLabels: { isShown: isDirect, font, palette },
      marks: { at: [...notes.keys()], palette, font },
    },
    scales: {
      x: {
        offset: data.datasets.some((set, index) => kindOf(set, index) !== "before") && canvas.dataset.chart === "bar",
        grid: { display: false }, border: { color: palette.ruleStrong },
        ticks: { color: palette.ink2, font, maxRotation: 0, autoSkipPadding: 28 },
      },
      y: {
        beginAtZero: true, suggestedMax: data.unit === "percent" ? undefined : 4, border: { display: false }, grid: { color: palette.rule, drawTicks: false },
        ticks: { color: palette.ink2, font, precision: data.unit === "decimal" ? 1 : 0, maxTicksLimit: 5, padding: 10, callback: (value) => onAxis(value, data.unit) },
      },
    },
  };
}

/* Names of the series above the chart, where there is no room beside it. */
function showKeys(figure, data, palette, isDirect) {
  const list = figure?.querySelector(".chart-keys");
  if (!list) { return; }
  list.replaceChildren(...(isDirect ? [] : data.datasets.map((set, index) => {
    const item = document.createElement("li");
    const before = kindOf(set, index) === "before";
    const colour = before ? palette.ink3 : palette.series[index % palette.series.length];
    item.innerHTML = '<svg width="20" height="8" aria-hidden="true"><line x1="0" x2="16" y1="4" y2="4"/></svg>';
    const line = item.querySelector("line");
    line.setAttribute("stroke", colour);
    line.setAttribute("stroke-width", before ? 1.5 : 2.5);
    if (before) { line.setAttribute("stroke-dasharray", "3 3"); }
    item.append(set.label);
    return item;
  })));
}

/* What the numbers in the chart stand for. */
function showMarks(figure, data) {
  const list = figure?.querySelector(".chart-marks");
  if (!list) { return; }
  list.replaceChildren(...(data.annotations ?? []).map((one, index) => {
    const item = document.createElement("li");
    const number = document.createElement("span");
    number.className = "mark-number";
    number.textContent = index + 1;
    const words = document.createElement(one.url ? "a" : "span");
    if (one.url) { words.href = one.url; }
    words.textContent = `${data.labels[one.index]}: ${one.text}`;
    item.append(number, words);
    return item;
  }));
  list.hidden = !(data.annotations ?? []).length;
}

/* Arrow keys move from point to point; the tip is read out. */
function steer(canvas) {
  canvas.tabIndex = 0;
  canvas.onkeydown = (event) => {
    const chart = Chart.getChart(canvas);
    const last = chart.data.labels.length - 1;
    const now = chart.tooltip.getActiveElements()[0]?.index;
    const next = { ArrowLeft: (now ?? last + 1) - 1, ArrowRight: (now ?? -1) + 1, Home: 0, End: last, Escape: null }[event.key];
    if (next === undefined || next < 0 || next > last) { return; }
    event.preventDefault();
    const active = next === null ? [] : chart.data.datasets.flatMap((set, datasetIndex) => (next < set.data.length ? [{ datasetIndex, index: next }] : []));
    chart.setActiveElements(active);
    chart.tooltip.setActiveElements(active, { x: 0, y: 0 });
    chart.update("none");
  };
  canvas.onblur = () => {
    const chart = Chart.getChart(canvas);
    chart?.setActiveElements([]);
    chart?.tooltip.setActiveElements([], { x: 0, y: 0 });
    chart?.update("none");
  };
}

function make(canvas, data) {
  const figure = canvas.closest("figure");
  const palette = paletteOf(canvas.parentElement);
  const isBar = canvas.dataset.chart === "bar";
  const isDirect = canvas.parentElement.clientWidth >= DIRECT_LABELS_FROM && data.datasets.length > 1;
  showKeys(figure, data, palette, isDirect || data.datasets.length < 2);
  showMarks(figure, data);
  const rows = data.labels.map((label, index) => [data.titles?.[index] ?? label, ...data.datasets.map((set) => set.data[index])]);
  offerTable(figure, rows, [figure?.dataset.of ?? "", ...data.datasets.map((set) => set.label)], data.unit);
  steer(canvas);
  return new Chart(canvas, {
    type: isBar ? "bar" : "line",
    data: { labels: data.labels, datasets: data.datasets.map((set, index) => dataset(set, index, data, palette, isBar)) },
    options: options(canvas, data, palette, isDirect),
  });
}

export const drawAll = drawer(make);

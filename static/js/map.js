/* Countries in tints of the accent: chartjs-chart-geo over world-atlas, served by ourselves. */
import { Chart, LinearScale, Tooltip } from "chart.js";
import { ChoroplethController, GeoFeature, ProjectionScale } from "chartjs-chart-geo";
import { feature } from "topojson-client";
import { mix, paletteOf } from "./colours.js";
import { drawer } from "./drawing.js";
import { tipFor } from "./tip.js";
import { inWords, offerTable } from "./values.js";

Chart.register(ChoroplethController, GeoFeature, LinearScale, ProjectionScale, Tooltip);

const PALEST = 0.14;
const names = new Intl.DisplayNames([document.documentElement.lang || "en-GB"], { type: "region", fallback: "code" });
const nameOf = (code) => (/^[A-Z]{2}$/.test(code) ? names.of(code) : code);

let world;
function countries(url) {
  world ??= fetch(url, { credentials: "same-origin" }).then((reply) => {
    if (!reply.ok) { world = undefined; throw new Error(`HTTP ${reply.status}`); }
    return reply.json();
  }).then((topology) => feature(topology, topology.objects.countries).features);
  return world;
}

/* The square root keeps small countries visible beside a large one. */
const tint = (value, most, palette) => (value ? mix(palette.paper, palette.accent, PALEST + (1 - PALEST) * Math.sqrt(value / most)) : palette.paper3);

async function make(canvas, data) {
  const shapes = await countries(canvas.dataset.world);
  const figure = canvas.closest("figure");
  const palette = paletteOf(canvas.parentElement);
  const [set] = data.datasets;
  const values = new Map(data.labels.map((code, index) => [code, set.data[index]]));
  const most = Math.max(1, ...set.data);
  offerTable(figure, data.labels.map((code, index) => [nameOf(code), set.data[index]]), ["Country", set.label], data.unit);
  return new Chart(canvas, {
    type: "choropleth",
    data: {
      labels: shapes.map((shape) => nameOf(shape.id ?? "")),
      datasets: [{
        label: set.label, outline: shapes,
        data: shapes.map((shape) => ({ feature: shape, value: values.get(shape.id) ?? 0 })),
        backgroundColor: shapes.map((shape) => tint(values.get(shape.id), most, palette)),
        borderColor: palette.paper, borderWidth: 0.6,
        hoverBackgroundColor: shapes.map((shape) => mix(tint(values.get(shape.id), most, palette), palette.ink, 0.18)),
        hoverBorderColor: palette.ink,
      }],
    },
    options: {
      animation: false, responsive: true, maintainAspectRatio: false, showOutline: false, showGraticule: false,
      plugins: {
        legend: { display: false },
        tooltip: {
          enabled: false,
          external: tipFor(canvas, ([point]) => ({ title: point.label, rows: [[set.label, inWords(point.raw.value, data.unit)]] })),
        },
      },
      scales: {
        projection: { axis: "x", projection: "naturalEarth1" },
        color: { type: "linear", axis: "x", display: false },
      },
    },
  });
}

export const drawAll = drawer(make);

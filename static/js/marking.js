/* Plugins of Chart.js: names at the lines' ends, and numbered marks of annotations. */

const LINE_HEIGHT = 15;
const GAP = 10;
const MOST_ROOM = 150;
const RADIUS = 8;

function fontText(font) { return `500 ${font.size}px ${font.family}`; }

function cut(context, words, room) {
  if (context.measureText(words).width <= room) { return words; }
  let short = words;
  while (short && context.measureText(`${short}…`).width > room) { short = short.slice(0, -1); }
  return `${short.trimEnd()}…`;
}

export const endLabels = {
  id: "endLabels",

  /* Pixels that the longest name needs. */
  room(canvas, data, font) {
    const context = canvas.getContext("2d");
    context.font = fontText(font);
    return Math.min(MOST_ROOM, Math.max(...data.datasets.map((set) => context.measureText(set.label).width))) + GAP + 4;
  },

  afterDatasetsDraw(chart, _, { isShown, font, palette }) {
    if (!isShown) { return; }
    const { ctx, chartArea } = chart;
    ctx.save();
    ctx.font = fontText(font);
    ctx.textBaseline = "middle";
    const ends = chart.data.datasets.map((set, index) => {
      const points = chart.getDatasetMeta(index).data;
      const last = points.findLast((point, at) => set.data[at] !== null && set.data[at] !== undefined);
      return last && { y: last.y, words: set.label, colour: set.kind === "before" ? palette.ink2 : set.colour };
    }).filter(Boolean).sort((one, other) => one.y - other.y);
    /* Push them apart, first down, then up from the floor. */
    ends.forEach((end, at) => { if (at) { end.y = Math.max(end.y, ends[at - 1].y + LINE_HEIGHT); } });
    ends.reverse().forEach((end, at) => {
      end.y = Math.min(end.y, at ? ends[at - 1].y - LINE_HEIGHT : chartArea.bottom - LINE_HEIGHT / 2);
      ctx.fillStyle = end.colour;
      ctx.fillText(cut(ctx, end.words, MOST_ROOM), chartArea.right + GAP, end.y);
    });
    ctx.restore();
  },
};

export const marks = {
  id: "marks",

  afterDatasetsDraw(chart, _, { at, palette, font }) {
    if (!at?.length) { return; }
    const { ctx, chartArea, scales } = chart;
    ctx.save();
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.font = `650 11px ${font.family}`;
    at.forEach((index, number) => {
      const x = scales.x.getPixelForValue(index);
      const y = chartArea.top - RADIUS - 4;
      ctx.strokeStyle = palette.ink3;
      ctx.lineWidth = 1;
      ctx.beginPath();
      ctx.moveTo(x, y + RADIUS);
      ctx.lineTo(x, chartArea.bottom);
      ctx.stroke();
      ctx.fillStyle = palette.ink2;
      ctx.beginPath();
      ctx.arc(x, y, RADIUS, 0, 2 * Math.PI);
      ctx.fill();
      ctx.fillStyle = palette.paper;
      ctx.fillText(number + 1, x, y + 0.5);
    });
    ctx.restore();
  },
};

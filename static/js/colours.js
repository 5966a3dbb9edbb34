/* Colours of the look as the canvas wants them: resolved where the element stands. */

export function paletteOf(element) {
  const probe = document.createElement("i");
  probe.hidden = true;
  element.append(probe);
  const read = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const palette = {
    ink: read("--ink"), ink2: read("--ink-2"), ink3: read("--ink-3"), rule: read("--rule"), ruleStrong: read("--rule-strong"),
    paper: read("--paper"), paper3: read("--paper-3"), accent: read("--accent"), soft: read("--accent-soft"), bar: read("--bar"),
    series: ["--accent", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"].map(read),
  };
  probe.remove();
  return palette;
}

const parts = (colour) => colour.match(/[\d.]+/g).slice(0, 3).map(Number);

/* `share` of the other colour (0 to 1), the rest of the one. */
export function mix(one, other, share) {
  const from = parts(one);
  const to = parts(other);
  return `rgb(${from.map((value, index) => Math.round(value + (to[index] - value) * share)).join(" ")})`;
}

/* A chart that uPlot draws on a canvas: its loading, width, colors and label.
 *
 * uPlot and its licence are in the folder `vendor`, as published. It is requested together with
 * the views, but the first paint does not wait for it.
 */

import { el, visible } from "./dom.js";
import { number } from "./format.js";

const FONT = "12px Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif";
const MAX_DIGITS = 8;

let UPlot = null;
const loaded = import("./vendor/uPlot.esm.js").then((library) => (UPlot = library.default));

/** A color of the page for the canvas, so `colour("train")` is the value of `--train`. */
export function colour(name, opacity = 1) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const share = Math.round(255 * opacity);
  return opacity < 1 ? hex + share.toString(16).padStart(2, "0") : hex;
}

/** An axis in the type and the colors of the page. */
export function axis(more = {}) {
  return {
    font: FONT,
    stroke: colour("muted"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
    values: (_, splits, __, ___, step) => splits.map((value) => tick(value, step)),
    ...more,
  };
}

/** A number at an axis, with as many digits as tell it from its neighbours. */
function tick(value, step) {
  if (value === null) return "";
  const digits = value && step ? Math.ceil(Math.log10(Math.abs(value) / step)) + 1 : 0;
  return number(value, Math.min(MAX_DIGITS, Math.max(3, digits)));
}

/** uPlot's lines in steps: each value holds from its x to the next x. */
export const stepped = () => UPlot.paths.stepped({ align: 1 });

/**
 * A chart, drawn by `draw(label)` and again for each width and theme. `options(width)` returns the
 * options of uPlot and `data()` its data. `plot()` is what uPlot has drawn, or null.
 */
export function createChart({ height, options, data, attributes }) {
  const node = el("div", { class: "chartbox", role: "img", ...attributes });
  node.style.minHeight = `${height}px`;
  let plot = null;
  let wanted = false;
  let width = 0;

  function paint() {
    width = Math.floor(node.clientWidth);
    if (!UPlot || !wanted || !width) return;
    plot?.destroy();
    const common = { width, height, legend: { show: false }, pxAlign: false };
    plot = new UPlot({ ...common, ...options(width) }, data(), node);
  }

  /** Draws in the colors of a new theme; a chart that was removed is forgotten. */
  function recolour() {
    if (node.isConnected) paint();
    else window.removeEventListener("shiftguard-theme", recolour);
  }

  new ResizeObserver(() => Math.floor(node.clientWidth) !== width && paint()).observe(node);
  window.addEventListener("shiftguard-theme", recolour);
  loaded.then(paint, () => node.append("The chart could not be loaded; its numbers are in a table."));

  return {
    node,
    plot: () => plot,
    label: (text) => node.setAttribute("aria-label", visible(text)),
    draw() {
      wanted = true;
      paint();
    },
  };
}

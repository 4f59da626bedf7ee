/* The histogram of two streams: reference filled, current outlined, on shared bins.
 *
 * The axes fit all epochs together, so that another epoch moves the distribution and not the axes.
 */

import { axis, colour, createChart, stepped } from "./chart.js";
import { binName, differences } from "./distribution.js";
import { html, say, shorten } from "./dom.js";
import { percent, streamName } from "./format.js";
import { swatch } from "./icons.js";

const [LEFT, HEIGHT] = [56, 220]; // pixels: for the numbers of the vertical axis, of the chart
const SMALL = 0.001; // a bin with less is left out at the ends, so that no outlier flattens the chart

export function createHistogram() {
  const attributes = { "data-testid": "histogram" };
  const chart = createChart({ height: HEIGHT, options, data: heights, attributes });
  const keys = html`<ul class="keys"></ul>`;
  const hint = html`<p class="quiet binread" aria-live="off"></p>`;
  let data = null;
  let index = 0;

  const sharesAt = ({ steps, fixed }) => steps[fixed ?? index] ?? null;

  /** Heights on the edges of those bins that have a width; null stays null. */
  function onEdges(values) {
    const { edges } = data;
    const isBin = (_, i) => edges[i + 1] > edges[i];
    const kept = edges.slice(0, -1).map((_, i) => values?.[i] ?? null).filter(isBin);
    return [...kept, kept.at(-1) ?? null];
  }

  function heights() {
    const drawn = (shares) => onEdges(shares && densities(data.edges, shares));
    const places = [...onEdges(data.edges).slice(0, -1), data.edges.at(-1)];
    return [places, ...data.streams.map((stream) => drawn(sharesAt(stream)))];
  }

  function options(width) {
    const all = data.streams.flatMap(({ steps }) => steps.filter(Boolean));
    const top = all.flatMap((shares) => densities(data.edges, shares)).reduce((a, b) => Math.max(a, b), 1e-9);
    return {
      padding: [8, 12, 0, 0],
      scales: {
        x: { time: false, range: usedSpan(data, all) },
        y: { range: [0, top * 1.05] },
      },
      axes: [
        axis({ size: 26, space: 60, grid: { show: false }, ...(data.classes && ofClasses(width)) }),
        axis({ size: LEFT }),
      ],
      series: [{}, ...data.streams.map(asSeries)],
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      hooks: { setCursor: [tell] },
    };
  }

  /** The names of the classes, of as many as have room, each in the middle of its bin. */
  function ofClasses(width) {
    const room = (width - LEFT - 12) / data.classes.length;
    const every = Math.max(1, Math.ceil(26 / room));
    const length = Math.max(2, Math.floor((room * every) / 6.5));
    const shown = data.classes.map((_, i) => i).filter((i) => i % every === 0);
    const names = shown.map((i) => shorten(data.classes[i], length));
    return { splits: shown.map((i) => i + 0.5), values: () => names };
  }

  /** Says the shares of the bin at the pointer, or how much lies elsewhere. */
  function tell({ cursor, posToVal }) {
    const value = cursor.left >= 0 ? posToVal(cursor.left, "x") : NaN;
    const i = data.edges.findIndex((edge, k) => edge <= value && value < data.edges[k + 1]);
    const shares = data.streams.map((one) => `${streamName(one.name)} ${percent(sharesAt(one)?.[i])}`);
    say(hint, i < 0 ? moved(differences(data, index)) : `${binName(data, i)}: ${shares.join(", ")}`);
  }

  return {
    node: html`<div class="drawn">${keys}${chart.node}${hint}</div>`,
    draw(next, at) {
      data = next;
      index = at;
      const key = ({ role, name }) => html`<li>${swatch(role)}${streamName(name)}</li>`;
      keys.replaceChildren(...data.streams.map(key));
      chart.node.setAttribute("data-step", data.stepNumbers[at] ?? "");
      chart.label(inWords(data, at));
      chart.draw();
      say(hint, moved(differences(data, at)));
    },
  };
}

/** Share of each bin per unit of width; 0 for bins of no width. */
function densities(edges, shares) {
  const width = (i) => edges[i + 1] - edges[i];
  return shares.map((share, i) => (width(i) > 0 && share > 0 ? share / width(i) : 0));
}

function usedSpan({ edges, classes }, all) {
  const used = edges.slice(0, -1).map((_, i) => all.some((shares) => shares[i] >= SMALL));
  const [low, high] = [used.indexOf(true), used.lastIndexOf(true) + 1];
  return classes || low < 0 ? [edges[0], edges.at(-1)] : [edges[low], edges[high]];
}

function asSeries({ role }) {
  const isReference = role === "reference";
  const fill = isReference ? colour(role, 0.4) : undefined;
  const width = isReference ? 1 : 2;
  return { stroke: colour(role), width, fill, paths: stepped(), points: { show: false } };
}

function inWords(data, at) {
  const names = data.streams.map((stream) => streamName(stream.name)).join(", ");
  const what = `Distribution of ${data.name}, ${names}, at epoch ${data.stepNumbers[at] + 1}`;
  return `${what}. ${moved(differences(data, at))} The numbers are in a table below.`;
}

/** A sentence with the total variation distance: half the sum of all absolute differences. */
function moved(shift) {
  if (!shift) return "There is nothing to compare with at this epoch.";
  const share = shift.reduce((sum, value) => sum + Math.abs(value), 0) / 2;
  return `${percent(share)} of the samples lie elsewhere than in the reference.`;
}

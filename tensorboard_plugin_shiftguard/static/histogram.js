/* The large histogram: reference filled, current outlined, on shared bins.
 *
 * The axes fit all epochs together, so that the slider moves the distribution and not
 * the axes. A step of the slider only sets new heights.
 */

import { axis, colour, createChart, stepped } from "./chart.js";
import { el, html, say, shorten } from "./dom.js";
import { number, percent, streamName } from "./format.js";
import { classEdges, cumulative, densities, usedSpan } from "./shapes.js";

const LEFT = 56; // pixels, for the numbers of the vertical axis
const [HEIGHT, STRIP] = [220, 62]; // pixels, of the distributions and of the differences
// The smallest share on a logarithmic axis. An axis of densities begins at this share in the
// narrowest bin.
const SMALLEST = 1e-4;
const LOOKS = {
  reference: { stroke: "reference", width: 1 },
  current: { stroke: "current", width: 2 },
  overlay: { stroke: "overlay", width: 2, dash: [7, 3] },
};
const OTHERS = {
  target: { stroke: "action", width: 1.25, dash: [4, 2] },
  train: { stroke: "steady", width: 1.25, dash: [1.5, 2] },
};
const OTHER = { stroke: "muted", width: 1.25, dash: [4, 2] };

export function createHistogram() {
  const distributions = createChart({
    height: HEIGHT,
    options,
    data: heights,
    attributes: { "data-testid": "histogram" },
  });
  const strip = createChart({ height: STRIP, options: stripOptions, data: changes });
  strip.node.removeAttribute("role"); // the label of the distributions tells of the differences, too
  strip.node.setAttribute("aria-hidden", "true");
  const hint = el("p", { class: "quiet binread", "aria-live": "off" });
  let data = null;
  let span = [0, 1];
  let index = 0;

  const sharesAt = ({ steps, fixed }) => steps[fixed ?? index] ?? null;

  /** The heights to draw for a stream's shares: densities or cumulative shares. */
  function heightsOf(shares) {
    return data.measure === "cumulative" ? cumulative(shares) : densities(data.edges, shares);
  }

  /** Values on the edges of bins that have a width; null stays null. */
  function onEdges(values) {
    const { edges } = data;
    const isBin = (_, i) => edges[i + 1] > edges[i];
    const kept = edges.slice(0, -1).map((_, i) => values?.[i] ?? null).filter(isBin);
    return [...kept, kept.at(-1) ?? null];
  }

  const places = () => [...onEdges(data.edges).slice(0, -1), data.edges.at(-1)];

  function heights() {
    const drawn = (shares) => onEdges(shares && heightsOf(shares));
    return [places(), ...data.streams.map((stream) => drawn(sharesAt(stream)))];
  }

  function changes() {
    const values = onEdges(differences(data, index));
    const only = (sign) => values.map((value) => (value * sign > 0 ? value : 0));
    return [places(), only(1), only(-1)];
  }

  function range() {
    if (data.measure === "cumulative") return data.log ? [SMALLEST, 1] : [0, 1];
    let top = 1e-9;
    let width = Infinity;
    for (let i = 0; i < data.edges.length - 1; i++)
      width = Math.min(width, data.edges[i + 1] - data.edges[i] || Infinity);
    for (const { steps } of data.streams) {
      for (const shares of steps)
        for (const value of shares ? heightsOf(shares) : []) if (value > top) top = value;
    }
    return data.log ? [SMALLEST / width, top * 1.3] : [0, top * 1.05];
  }

  function options(width) {
    return {
      padding: [8, 12, 0, 0],
      scales: {
        x: { time: false, range: span },
        y: { range: range(), distr: data.log ? 3 : 1 },
      },
      axes: [
        axis({ size: 26, space: 60, grid: { show: false }, ...(data.classes && ofClasses(width)) }),
        axis({ size: LEFT, ...(data.log && { splits: powers }) }),
      ],
      series: [{}, ...data.streams.map(asSeries)],
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      hooks: { setCursor: [tell] },
    };
  }

  function stripOptions() {
    // The largest difference of all epochs, so that the scale stays as well.
    const all = data.stepNumbers.flatMap((_, at) => differences(data, at) ?? []);
    const reach = all.reduce((most, value) => Math.max(most, Math.abs(value)), 0.01);
    const bar = { fillTo: 0, width: 0, paths: stepped(), points: { show: false } };
    const zero = { stroke: colour("strong-line"), width: 1 };
    return {
      padding: [4, 12, 4, 0],
      scales: { x: { time: false, range: span }, y: { range: [-reach, reach] } },
      axes: [
        { show: false },
        axis({ size: LEFT, splits: [0], values: () => [""], grid: zero }),
      ],
      series: [{}, ...["more", "less"].map((name) => ({ ...bar, fill: colour(name) }))],
      cursor: { show: false },
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

  function show(at) {
    index = at;
    if (!data) return;
    distributions.plot()?.setData(heights(), false);
    distributions.plot()?.redraw();
    strip.plot()?.setData(changes(), false);
    strip.plot()?.redraw();
    describe();
  }

  function describe() {
    const shift = differences(data, index);
    distributions.node.setAttribute("data-step", data.stepNumbers[index] ?? "");
    distributions.label(inWords(data, index, shift));
    say(hint, moved(shift));
  }

  return {
    node: html`<div>
      ${distributions.node}
      <p class="quiet striptitle">more or less than the reference</p>
      ${strip.node}${hint}
    </div>`,
    step: show,
    draw(next, at) {
      data = { ...next, edges: next.edges ?? classEdges(next.classes.length) };
      span = data.classes
        ? [0, data.classes.length]
        : usedSpan(data.edges, data.streams.flatMap((stream) => stream.steps));
      index = at;
      distributions.draw();
      strip.draw();
      describe();
    },
  };
}

/** The powers of ten from `low` to `high`, for a logarithmic axis. */
function powers(plot, place, low, high) {
  const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))];
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
}

/** The colors and dashes of a stream, by its role and its name. */
export function lookOf({ role, name }) {
  return LOOKS[role] ?? OTHERS[name] ?? OTHER;
}

function asSeries(stream) {
  const { stroke, ...look } = lookOf(stream);
  const fill = stream.filled ? colour(stroke, 0.4) : undefined;
  return { ...look, stroke: colour(stroke), fill, paths: stepped(), points: { show: false } };
}

/** The name of a bin in the table and on hovering: a class, or both ends of the bin. */
export function binName({ edges, classes }, i) {
  return classes ? classes[i] : `${number(edges[i])} to ${number(edges[i + 1])}`;
}

/** Share of each bin now minus its share in the reference; null if either stream is missing. */
export function differences({ streams }, at) {
  const current = streams.find((stream) => stream.role === "current");
  const reference = streams.find((stream) => stream.role === "reference");
  const [a, b] = [current?.steps[current.fixed ?? at], reference?.steps[reference.fixed ?? at]];
  return a && b ? a.map((share, i) => share - b[i]) : null;
}

function inWords(data, at, shift) {
  const names = data.streams.map((stream) => streamName(stream.name)).join(", ");
  const what = `Distribution of ${data.name}, ${names}, at epoch ${data.stepNumbers[at] + 1}`;
  if (!shift) return `${what}; there is nothing to compare it with at this epoch.`;
  const most = shift.reduce(
    (best, value, i) => (Math.abs(value) > Math.abs(shift[best]) ? i : best),
    0,
  );
  return (
    `${what}. ${moved(shift)} The largest difference is at ${binName(data, most)}: ` +
    `${percent(shift[most])}. The numbers are in a table below.`
  );
}

/** A sentence with the total variation distance: half the sum of all absolute differences. */
function moved(shift) {
  if (!shift) return "There is nothing to compare with at this epoch.";
  const share = shift.reduce((sum, value) => sum + Math.abs(value), 0) / 2;
  return `${percent(share)} of the samples lie elsewhere than in the reference.`;
}

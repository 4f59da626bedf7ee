/* Lines over the epochs, with the values at the pointer. */

import { axis, colour, createChart } from "./chart.js";
import { html, say, table } from "./dom.js";
import { epoch, number } from "./format.js";

const LEFT = 52; // pixels, for the numbers of the vertical axis
export const DASHES = [[], [6, 3], [2, 2.5], [8, 3, 2, 3]]; // of four lines
const MANY = 40; // from this number of epochs on, single points are not marked
const WHOLE = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500].flatMap((n) => [n, 1000 * n]);
const INCREMENTS = WHOLE.sort((a, b) => a - b); // distances of the numbers of the epochs
const MAX_TABLE_EPOCHS = 50;
// The axis of the epochs, whose numbers are at least `space` pixels apart.
const EPOCHS = { size: 26, space: 48, incrs: INCREMENTS, grid: { show: false } };

/**
 * A chart of lines, drawn by `draw(spec)`. A line in `spec.series` is `{name, points: [[step,
 * value]], colour, dash, width}`. A click calls `choose(step)`. `told(step)` is called with the
 * step at the pointer, or else with the chosen one; without it, a text below has the values.
 */
export function createLines({ height = 150, choose = null, told = null }) {
  let spec = null;
  let steps = [];
  let chosen = null; // the step of the line across the chart
  const line = html`<div class="chosenline"></div>`;
  const read = html`<p class="quiet chartread"></p>`;
  const chart = createChart({ height, options, data });

  const tell = told ?? ((step) => say(read, valuesInWords(step)));

  function valuesInWords(step) {
    const said = spec.series.map(({ name, points }) => [name, valueAt(points, step)]);
    const known = said.filter(([, value]) => Number.isFinite(value));
    if (step === null || !known.length) return "";
    return `${epoch(step)}: ${known.map((one) => `${one[0]} ${number(one[1])}`).join(", ")}`;
  }

  function data() {
    const column = ({ points }) => {
      const at = new Map(points);
      // To uPlot, null is a gap, and undefined a place that this line does not have.
      const isGap = (step) => at.has(step) && !Number.isFinite(at.get(step));
      return steps.map((step) => (isGap(step) ? null : at.get(step)));
    };
    return [steps.map((step) => step + 1), ...spec.series.map(column)];
  }

  function options() {
    const [left, right] = [spec.left ?? LEFT, spec.right ?? 12];
    const from = steps.length > 1 ? [steps[0], steps.at(-1)] : [steps[0] - 0.5, steps[0] + 0.5];
    return {
      padding: [8, right, spec.left ? 8 : 0, 0],
      scales: {
        x: { time: false, range: (spec.span ?? from).map((step) => step + 1) },
        y: { range: spec.range ?? rangeOf(spec) },
      },
      axes: [
        axis({ ...EPOCHS, show: !spec.left, values: (_, splits) => splits.map(String) }),
        axis({ size: left }),
      ],
      series: [{}, ...spec.series.map(asSeries)],
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      hooks: {
        ready: [ready],
        drawClear: [drawBehind],
        setCursor: [({ cursor: { idx, left: x } }) => tell(x < 0 ? chosen : (steps[idx] ?? chosen))],
      },
    };
  }

  function asSeries({ colour: name, dash, width = 1.75 }) {
    const stroke = colour(name);
    return {
      stroke,
      width,
      dash,
      points: { show: true, size: 5, fill: stroke, filter: ({ data: all }, k) => single(all[k]) },
    };
  }

  function ready(plot) {
    plot.over.append(line);
    if (choose) {
      plot.over.classList.add("clickable");
      plot.over.addEventListener("click", (event) => {
        const left = event.clientX - plot.over.getBoundingClientRect().left;
        choose(steps[plot.posToIdx(left)]);
      });
    }
    show(chosen);
  }

  /** The epochs with a difference, as an area behind the lines. */
  function drawBehind({ ctx, bbox, valToPos }) {
    if (!spec.since) return;
    const [left, right] = [spec.since.from, spec.since.to].map((step) => valToPos(step + 1, "x", true));
    ctx.fillStyle = colour(spec.since.kind, 0.08);
    ctx.fillRect(left, bbox.top, Math.max(0, right - left), bbox.height);
  }

  /** Draws the line at the chosen step; null hides it. */
  function show(step) {
    chosen = step;
    const plot = chart.plot();
    if (!spec || !plot) return;
    const left = step === null ? NaN : plot.valToPos(step + 1, "x");
    line.hidden = !(left >= 0 && left <= plot.over.clientWidth);
    if (!line.hidden) line.style.left = `${left}px`;
    tell(step);
  }

  return {
    node: told ? chart.node : html`<div>${chart.node}${read}</div>`,
    cursor: show,
    draw(next) {
      spec = next;
      steps = stepsOf(spec.series);
      chart.label(spec.label);
      if (steps.length) chart.draw();
    },
  };
}

/** The look of run `k` in a chart of several runs. */
export const ofRun = (k) => ({ colour: `run${k}`, dash: DASHES[k] });

/** The value of a line at a step; NaN if it has none. */
export const valueAt = (points, step) => points.find(([one]) => one === step)?.[1] ?? NaN;

/** The latest values of lines `{name, points}` as a table. */
export function linesTable(title, lines) {
  const steps = stepsOf(lines);
  const columns = lines.map(({ points }) => new Map(points));
  const cut = steps.length > MAX_TABLE_EPOCHS ? `, the latest ${MAX_TABLE_EPOCHS} epochs` : "";
  return table(
    title + cut,
    ["Epoch", ...lines.map(({ name }) => name)],
    steps
      .slice(-MAX_TABLE_EPOCHS)
      .map((step) => [step + 1, ...columns.map((at) => (at.has(step) ? number(at.get(step)) : ""))]),
  );
}

/** All steps of some lines, in order. */
export function stepsOf(lines) {
  const all = lines.flatMap(({ points }) => points.map(([step]) => step));
  return [...new Set(all)].sort((a, b) => a - b);
}

/** Indices of the points to mark: all of a short line, else those between two gaps. */
function single(values) {
  const known = (i) => values[i] !== null && values[i] !== undefined;
  const alone = (i) => known(i) && values[i - 1] == null && values[i + 1] == null;
  return [...values.keys()].filter(values.length <= MANY ? known : alone);
}

/** The vertical range: all values, with a little room, and with what must be seen. */
function rangeOf({ series, include = [], floor }) {
  const values = series.flatMap(({ points }) => points.map(([, value]) => value));
  const [low, high] = extent([...values, ...include]);
  const room = (high - low) * 0.06;
  return [floor !== undefined && low >= floor ? floor : low - room, high + room];
}

/** Smallest and largest finite number, with room if they are the same. */
export function extent(values) {
  const known = values.filter(Number.isFinite);
  if (!known.length) return [0, 1];
  const [low, high] = [Math.min, Math.max].map((pick) => known.reduce((a, b) => pick(a, b)));
  const room = low === high ? (Math.abs(low) || 1) * 0.5 : 0;
  return [low - room, high + room];
}

/* Lines over the epochs: with bands, a threshold, marks, and the values at the pointer. */

import { axis, colour, createChart } from "./chart.js";
import { el, say, table } from "./dom.js";
import { epoch, number } from "./format.js";
import { extent } from "./scales.js";

const LEFT = 52; // pixels, for the numbers of the vertical axis
const DASHES = [[], [6, 3], [2, 2.5], [8, 3, 2, 3]]; // of four runs, as in `RUN_DASHES`
const MANY = 40; // from this number of epochs on, single points are not marked
const WHOLE = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500].flatMap((n) => [n, 1000 * n]);
const EPOCHS = WHOLE.sort((a, b) => a - b); // distances of the numbers of the epochs
const MAX_TABLE_EPOCHS = 50;
const APART = 48; // pixels between the numbers of the epochs, at least

/**
 * A chart of lines, drawn by `draw(spec)`. A line in `spec.series` is `{name, points: [[step,
 * value]], colour, dash, width}`, with `band: [[step, low, high]]` if it has one. A click
 * calls `choose(step)`. `told(step)` is called with the step at the pointer, or else with the
 * chosen one; without `told`, a text below the chart has the values of this step.
 */
export function createLines({ height = 150, choose = null, told = null }) {
  let spec = null;
  let steps = [];
  let chosen = null; // the step of the line across the chart
  const line = el("div", { class: "chosenline" });
  const read = el("p", { class: "quiet chartread" });
  const chart = createChart({ height, options, data });

  const tell = told ?? ((step) => say(read, valuesInWords(step)));

  function valuesInWords(step) {
    const said = spec.series.map(({ name, points }) => [name, valueAt(points, step)]);
    const known = said.filter(([, value]) => Number.isFinite(value));
    if (step === null || !known.length) return "";
    return `${epoch(step)}: ${known.map((one) => `${one[0]} ${number(one[1])}`).join(", ")}`;
  }

  function data() {
    const column = (points, k = 1) => {
      const at = new Map(points.map((point) => [point[0], point[k]]));
      // To uPlot, null is a gap, and undefined a place that this line does not have.
      const isGap = (step) => at.has(step) && !Number.isFinite(at.get(step));
      return steps.map((step) => (isGap(step) ? null : at.get(step)));
    };
    const edges = (band) => (band ? [column(band, 2), column(band, 1)] : []);
    return [
      steps.map((step) => step + 1),
      ...spec.series.map(({ points }) => column(points)),
      ...spec.series.flatMap(({ band }) => edges(band)),
    ];
  }

  function options() {
    const banded = spec.series.filter(({ band }) => band);
    const first = 1 + spec.series.length;
    const edge = { points: { show: false }, width: 0 };
    const [left, right] = [spec.left ?? LEFT, spec.right ?? 12];
    const from = steps.length > 1 ? [steps[0], steps.at(-1)] : [steps[0] - 0.5, steps[0] + 0.5];
    return {
      padding: [8, right, spec.left ? 8 : 0, 0],
      scales: {
        x: { time: false, range: (spec.span ?? from).map((step) => step + 1) },
        y: { range: spec.range ?? rangeOf(spec) },
      },
      axes: [
        axis({
          show: !spec.left,
          size: 26,
          incrs: EPOCHS,
          space: APART,
          grid: { show: false },
          values: (_, splits) => splits.map(String),
        }),
        axis({ size: left }),
      ],
      series: [{}, ...spec.series.map(asSeries), ...banded.flatMap(() => [edge, edge])],
      bands: banded.map((one, k) => ({
        series: [first + 2 * k, first + 2 * k + 1],
        fill: colour(one.colour, 0.16),
      })),
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      hooks: {
        ready: [ready],
        drawClear: [drawBehind],
        draw: [drawMarks],
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

  /** The epochs with a difference, and the effects within the threshold, as areas behind the lines. */
  function drawBehind(plot) {
    const { ctx, bbox } = plot;
    const area = (fill, [left, right], [top, bottom]) => {
      ctx.fillStyle = fill;
      ctx.fillRect(left, top, Math.max(0, right - left), bottom - top);
    };
    const { threshold: t, since } = spec;
    const ends = [bbox.top, bbox.top + bbox.height];
    const y = (value) => Math.max(ends[0], Math.min(ends[1], plot.valToPos(value, "y", true)));
    const x = (step) => plot.valToPos(step + 1, "x", true);
    if (t) area(colour("raised"), [bbox.left, bbox.left + bbox.width], [y(t), y(-t)]);
    if (since) area(colour(since.kind, 0.08), [x(since.from), x(since.to)], ends);
  }

  function drawMarks({ ctx, bbox, valToPos }) {
    const bottom = bbox.top + bbox.height;
    const size = 4 * (window.devicePixelRatio || 1);
    ctx.fillStyle = colour("alarm");
    for (const step of spec.marks ?? []) {
      const x = valToPos(step + 1, "x", true);
      const turn = `l${size} ${size}-${size} ${size}-${size}-${size}Z`;
      ctx.fill(new Path2D(`M${x} ${bottom - 2 * size}${turn}`));
    }
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
    node: told ? chart.node : el("div", null, chart.node, read),
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
  const values = series.flatMap(({ points, band }) => [
    ...points.map(([, value]) => value),
    ...(band ?? []).flatMap(([, low, high]) => [low, high]),
  ]);
  const [low, high] = extent(values, include);
  const room = (high - low) * 0.06;
  return [floor !== undefined && low >= floor ? floor : low - room, high + room];
}

/* Accuracy or loss of training and validation over the epochs, on the axis of the heatmap. */

import { api } from "./api.js";
import { axisOf } from "./axis.js";
import { button, fill, foldedTable, html, mark, say, svg } from "./dom.js";
import { epoch, number } from "./format.js";
import { createLines, extent, linesTable, stepsOf, valueAt } from "./lines.js";
import { createRequest } from "./requests.js";
import { measuresOf } from "./measures.js";

const HEIGHT = 150;
const LONG = 8; // from this number of epochs on, the scale ignores the first epochs
const WARM_UP = 1 / 8; // the share of epochs that the scale ignores
const LOOKS = {
  training: { colour: "train", width: 2 },
  "with the repair": { colour: "fine", width: 2 },
  validation: { colour: "validation", width: 2.5 },
};

/** `spans(steps)` is called with the first and the last step, which the heatmap must hold, too. */
export function createCurves({ state, failed, spans }) {
  const title = html`<h2 id="curves-title">Accuracy</h2>`;
  const choice = html`<div class="segments" role="group" aria-label="Measure"></div>`;
  const keys = html`<ul class="keys"></ul>`;
  const now = html`<div class="ends" data-testid="curves-now"></div>`;
  const chart = createLines({ height: HEIGHT, choose, told });
  const holder = html`<div class="axisroom" data-testid="curves-chart">${chart.node}${now}</div>`;
  const numbers = foldedTable("The curves as a table", () => measure && asTable());
  const node = html`<section
    class="curves" aria-labelledby="curves-title" data-testid="curves" hidden
  >
    <div class="head">${title}${choice}${keys}</div>${holder}
  </section>`;
  let model = null;
  let found = {}; // all series, by name
  let measure = null;
  let steps = [];
  let lines = []; // `{name, points}` of the lines that are drawn
  const request = createRequest(({ series = {} }) => {
    found = series;
    chooseMeasure();
  }, failed);
  new ResizeObserver(() => measure && draw()).observe(holder);

  function chooseMeasure() {
    const measures = measuresOf(found);
    measure = measures.find((one) => one.key === model.state.curve) ?? measures[0] ?? null;
    node.hidden = numbers.node.hidden = !measure;
    if (!measure) return spans([]);
    steps = stepsOf([{ points: measure.train }, { points: measure.validation ?? [] }]);
    spans([steps[0], steps.at(-1)]);
    say(title, measure.title);
    const pick = ({ key }) => state.set({ curve: key });
    const pressed = (one) => ({ "aria-pressed": String(one === measure) });
    const buttons = measures.map((one) => button(one.title, () => pick(one), pressed(one)));
    fill(choice, measures.length > 1 && buttons);
    numbers.update();
    draw();
  }

  function draw() {
    const { overview } = model;
    const width = Math.floor(holder.clientWidth);
    if (!width) return;
    lines = [
      { name: "training", points: measure.train },
      { name: "with the repair", points: measure.repaired },
      { name: "validation", points: measure.validation ?? [] },
    ].filter(({ points }) => points.length);
    const axis = axisOf(width, overview.steps, [steps[0], steps.at(-1)]);
    now.style.width = `${axis.right - 8}px`;
    const range = rangeOf(lines, steps);
    chart.draw({
      series: lines.map((one) => ({ ...one, ...LOOKS[one.name] })),
      left: axis.left,
      right: axis.right,
      span: [axis.first - 0.5, axis.last + 0.5],
      range,
      since: sinceOf(overview, axis),
      label:
        `${measure.title} over the epochs; latest: ` +
        lines.map(({ name, points }) => `${name} ${number(points.at(-1)[1])}`).join(", ") +
        ". The numbers are in a table below.",
    });
    const key = (one) => html`<li>${markOf(one.name)}${one.name}${beyond(one, range)}</li>`;
    fill(keys, lines.map(key));
    show();
  }

  function show() {
    // A long fit has only some of its epochs here.
    const wanted = model.state.epoch ?? Infinity;
    if (measure) chart.cursor(steps.findLast((step) => step <= wanted) ?? null);
  }

  /** The numbers of one epoch, right of the chart: of the chosen one, or of that at the pointer. */
  function told(step) {
    const values = lines.map(({ name, points }) => [name, valueAt(points, step)]);
    const known = values.filter(([, value]) => Number.isFinite(value));
    const lineOf = ([name, value]) => html`<span>${name}<b>${number(value)}</b></span>`;
    fill(now, step !== null && html`<strong>${epoch(step)}</strong>`, known.map(lineOf));
  }

  function choose(step) {
    state.set({ epoch: step >= steps.at(-1) ? null : step });
  }

  function asTable() {
    const columns = [{ name: "Training", points: measure.train }];
    if (measure.validation) columns.push({ name: "Validation", points: measure.validation });
    if (measure.repaired.length) columns.push({ name: "With the repair", points: measure.repaired });
    return linesTable(measure.title, columns);
  }

  return {
    node,
    numbers: numbers.node,
    update(next, changed) {
      const before = model?.run?.id;
      model = next;
      if (!model.overview || before !== model.run.id) {
        found = {};
        measure = null;
        node.hidden = numbers.node.hidden = true;
        spans([]);
      }
      if (!model.overview) return request.forget();
      if (changed.has("data") || changed.has("run")) request.load(model, api.curves);
      if (changed.has("curve")) chooseMeasure();
      if (changed.has("data") && measure) draw();
      if (changed.has("epoch")) show();
    },
  };
}

/** The vertical range. The large changes of the first epochs would hide the later changes. */
function rangeOf(lines, steps) {
  const start = steps.length < LONG ? -1 : steps[Math.ceil(steps.length * WARM_UP)];
  const points = lines.flatMap((one) => one.points).filter(([step]) => step >= start);
  const [low, high] = extent(points.map(([, value]) => value));
  const room = (high - low) * 0.06;
  return [low - room, high + room];
}

/** The epochs with the difference that the band tells of; null if they are all epochs or none. */
function sinceOf({ verdict }, axis) {
  const { kind, since } = verdict ?? {};
  if (!["act", "look"].includes(kind) || !(since > 1)) return null;
  return { kind, from: Math.max(axis.first, since - 1) - 0.5, to: axis.last + 0.5 };
}

/** Where a line began, if that is beyond the scale. */
function beyond({ points }, [low, high]) {
  const value = points.find((point) => Number.isFinite(point[1]))?.[1];
  if (!(value < low || value > high)) return null;
  const arrow = value < low ? "\u2193" : "\u2191";
  return html`<span class="offscale"> ${arrow} began at ${number(value)}</span>`;
}

function markOf(name) {
  const { colour, width } = LOOKS[name];
  return mark(svg("path", { d: "M1 6H23", stroke: `var(--${colour})`, "stroke-width": width }));
}

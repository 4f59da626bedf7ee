/* The adaptation: whether it helped, and charts over the epochs. */

import { api } from "./api.js";
import { fill, foldedTable, html } from "./dom.js";
import { number } from "./format.js";
import { runMark } from "./icons.js";
import { createLines, linesTable, ofRun } from "./lines.js";
import { createRequest } from "./requests.js";

const MAX_LINES = 4;
const OFF = "No adaptation: ShiftGuard(adapt=True) turns it on.";
const FROM_ZERO = { floor: 0, include: [0] };

/** The state of the adaptation in a few words; null if it is not known. */
export function adaptationInWords({ overview }) {
  if (!overview?.state) return null;
  const { adapting, adapts } = overview.state;
  return adapting ?? (adapts ? "on" : overview.features.length ? "off" : null);
}

const first = ([, points]) => Math.abs(points.find(([, value]) => Number.isFinite(value))?.[1] ?? 0);
const latest = ([, points]) => points.findLast(([, value]) => Number.isFinite(value))?.[1] ?? NaN;

/** Returns the charts that have data, each as `[title, [[label, points]], options]`. */
function charts(series) {
  const under = (prefix) =>
    Object.entries(series)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, points]) => [name.slice(prefix.length), points]);
  const single = (name, label) => (series[name] ? [[label, series[name]]] : []);
  const before = under("shift_before/").sort((a, b) => first(b) - first(a));
  // Both charts of the shift have one order of attributes, so that they can be compared.
  const order = before.map(([name]) => name);
  const place = ([name]) => order.indexOf(name) + 1 || order.length + 1;
  return [
    ["Strength of augmentation", under("strength/").sort((a, b) => latest(b) - latest(a)), FROM_ZERO],
    ["Target minus training in standard deviations, without augmentation", before, { include: [0] }],
    ["The same with augmentation", under("shift/").sort((a, b) => place(a) - place(b)), { include: [0] }],
    ["Alignment loss", single("alignment_loss", "alignment loss"), FROM_ZERO],
    [
      "How well target and training can still be told apart",
      [...single("domain_accuracy", "share told apart"), ...single("domain_chance", "chance")],
      { include: [0.4, 1] },
    ],
  ].filter(([, lines]) => lines.length);
}

export function createAdaptation({ failed }) {
  const grid = html`<div class="chartgrid"></div>`;
  const helped = html`<div class="helped" data-testid="helped"></div>`;
  const node = html`<section class="adaptation" aria-label="Adaptation" data-testid="adaptation">
    ${helped}${grid}
  </section>`;
  let drawn = "";
  let cursors = [];
  let model = null;
  const request = createRequest(({ series = {} }) => draw(series), failed);

  function draw(series) {
    const { verdict, state } = model.overview;
    const answer = state?.adapts && (verdict.adaptation || verdict.cause);
    const before = answer && state.worth?.before;
    const text = JSON.stringify([series, answer, before]);
    if (text === drawn) return;
    drawn = text;
    const found = charts(series);
    fill(
      helped,
      answer && html`<p>${answer}</p>`,
      before && html`<p class="quiet">Expected in epoch 1: ${before}</p>`,
      !answer && !found.length && html`<p class="quiet">${OFF}</p>`,
    );
    cursors = [];
    fill(grid, found.map(box));
  }

  function box([title, lines, options]) {
    const shown = lines.slice(0, MAX_LINES).map(([name, points], k) => ({ ...ofRun(k), name, points }));
    const chart = createLines({ height: 150 });
    cursors.push(chart);
    const last = shown.map(({ name, points }) => `${name} ${number(points.at(-1)?.[1])}`).join(", ");
    chart.draw({
      ...options,
      series: shown,
      label: `${title} over the epochs; latest: ${last}. The numbers are in a table below.`,
    });
    chart.cursor(model.step);
    const key = ({ name }, k) => html`<li>${runMark(k)}<span class="name">${name}</span></li>`;
    return html`<div class="chartcell">
      <h3>${title}</h3><ul class="keys">${shown.map(key)}</ul>${chart.node}
      ${foldedTable("Numbers", () => linesTable(title, shown)).node}
    </div>`;
  }

  return {
    node,
    update(next, changed) {
      model = next;
      if (!model.overview) {
        drawn = "";
        request.forget();
        return;
      }
      if (changed.has("data")) request.load(model, api.adaptation);
      for (const chart of cursors) chart.cursor(model.step);
    },
  };
}

/* The adaptation: whether it helped, and charts over the epochs. */

import { api } from "./api.js";
import { runMark } from "./icons.js";
import { el, fill, foldedTable, html } from "./dom.js";
import { number } from "./format.js";
import { createLines, linesTable, ofRun } from "./lines.js";
import { createRequest } from "./requests.js";

const MAX_LINES = 4;

/** The state of the adaptation in a few words; null if it is not known. */
export function adaptationInWords({ overview }) {
  if (!overview?.state) return null;
  const said = overview.state.adapting;
  return said ?? (overview.state.adapts ? "on" : overview.features.length ? "off" : null);
}

const first = (points) => Math.abs(points.find(([, value]) => Number.isFinite(value))?.[1] ?? 0);
const latest = (points) => points?.findLast(([, value]) => Number.isFinite(value))?.[1] ?? NaN;
const largestFirst = (lines) => [...lines].sort((a, b) => first(b[1]) - first(a[1]));

/** Returns the charts that have data, each as `[title, [[label, points]], options]`. */
function charts(series) {
  const under = (prefix) =>
    Object.entries(series)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, points]) => [name.slice(prefix.length), points]);
  const single = (name, label) => (series[name] ? [[label, series[name]]] : []);
  const ofClasses = under("class_frequency/").sort((a, b) => spread(b[1]) - spread(a[1]));
  const before = largestFirst(under("shift_before/"));
  const order = before.map(([name]) => name);
  const place = ([name]) => order.indexOf(name) + 1 || order.length + 1;
  // The charts of the shift without and with augmentation have the same order of attributes, so
  // that they can be compared.
  const left = before.length
    ? under("shift/").sort((a, b) => place(a) - place(b))
    : largestFirst(under("shift/"));
  const most = ofClasses.length > MAX_LINES ? ", those that moved most" : "";
  return [
    ["Strength of augmentation", largestAtLast(under("strength/")), { floor: 0, include: [0] }],
    [
      "Strength of alignment",
      single("alignment_strength", "strength"),
      { floor: 0, include: [0] },
    ],
    ["Target minus training in standard deviations, without augmentation", before, { include: [0] }],
    ["The same with augmentation", left, { include: [0] }],
    ["Alignment loss", single("alignment_loss", "alignment loss"), { floor: 0, include: [0] }],
    [
      "Domain accuracy",
      [...single("domain_accuracy", "domain accuracy"), ...single("domain_chance", "chance")],
      { include: [0.4, 1] },
    ],
    [`Estimated class frequencies${most}`, ofClasses, { floor: 0, include: [0] }],
  ].filter(([, lines]) => lines.length);
}

const largestAtLast = (lines) =>
  [...lines].sort((a, b) => Math.abs(latest(b[1])) - Math.abs(latest(a[1])));

/** Sentences on what was expected, on the domain accuracy and on the validation accuracy. */
function remarks(series, curves, worth) {
  const said = worth?.before ? [`Expected in epoch 1: ${worth.before}`] : [];
  const domain = series.domain_accuracy;
  if (domain?.length > 1) {
    const [a, b] = [domain[0][1], latest(domain)];
    said.push(
      `A rule tells the two domains apart in ${number(100 * b)} % of cases, ` +
        `${number(100 * a)} % at first; 50 % would be chance.`,
    );
  }
  const name = Object.keys(curves).find((key) => /^val_.*acc/i.test(key));
  const points = name ? curves[name].filter(([, value]) => Number.isFinite(value)) : [];
  if (points.length > 1)
    said.push(
      `Accuracy on validation went from ${number(points[0][1])} to ${number(points.at(-1)[1])}. ` +
        "Training itself raises it too: compare it with a run without adaptation.",
    );
  return said;
}

function spread(points) {
  const values = points.map(([, value]) => value).filter(Number.isFinite);
  return values.length ? Math.max(...values) - Math.min(...values) : 0;
}

export function createAdaptation({ failed }) {
  const grid = el("div", { class: "chartgrid" });
  const helped = el("div", { class: "helped", "data-testid": "helped" });
  const node = html`<section class="adaptation" aria-label="Adaptation" data-testid="adaptation">
    ${helped}${grid}
  </section>`;
  let drawn = "";
  let cursors = [];
  let model = null;

  const request = createRequest(([one, other]) => draw(one.series ?? {}, other.series ?? {}), failed);
  const ask = (id, options) => Promise.all([api.adaptation(id, options), api.curves(id, options)]);

  function draw(series, curves) {
    const { verdict, state } = model.overview;
    const answer = state?.adapts && (verdict.adaptation || verdict.cause);
    const text = JSON.stringify([series, curves, answer]);
    if (text === drawn) return;
    drawn = text;
    const found = charts(series);
    const actions = model.overview.events
      .filter((event) => event.kind === "action")
      .map((event) => event.step);
    fill(
      helped,
      answer && el("p", null, answer),
      answer && remarks(series, curves, state?.worth).map((one) => el("p", { class: "quiet" }, one)),
      !answer && !found.length && el("p", { class: "quiet" }, "No adaptation: ShiftGuard(adapt=True) turns it on."),
    );
    cursors = [];
    fill(
      grid,
      found.map(([title, lines, options]) => {
        const shown = lines.slice(0, MAX_LINES);
        const chart = createLines({ height: 150 });
        cursors.push(chart);
        const last = shown
          .map(([label, points]) => `${label} ${number(points.at(-1)?.[1])}`)
          .join(", ");
        const all = foldedTable("Numbers", () =>
          linesTable(title, shown.map(([name, points]) => ({ name, points }))),
        );
        const key = ([label], k) => html`<li>${runMark(k)}<span class="name">${label}</span></li>`;
        const box = html`<div class="chartcell">
          <h3>${title}</h3><ul class="keys">${shown.map(key)}</ul>${chart.node}${all.node}
        </div>`;
        chart.draw({
          ...options,
          series: shown.map(([name, points], k) => ({ ...ofRun(k), name, points })),
          marks: title.startsWith("Strength") ? actions : [],
          label: `${title} over the epochs; latest: ${last}. The numbers are in a table below.`,
        });
        chart.cursor(model.step);
        return box;
      }),
    );
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
      if (changed.has("data")) request.load(model, ask);
      if (changed.has("data") || changed.has("epoch"))
        for (const chart of cursors) chart.cursor(model.step);
    },
  };
}

/* Accuracy or loss of training and validation over the epochs, on the axis of the heatmap. */

import { api } from "./api.js";
import { axisOf } from "./axis.js";
import { button, el, fill, foldedTable, say, svg, table, visible } from "./dom.js";
import { number } from "./format.js";
import { onWidth } from "./lines.js";
import { measuresOf, withoutShift } from "./measures.js";
import { extent, linear, ticks } from "./scales.js";
import { linePath } from "./shapes.js";

const HEIGHT = 150;
const [TOP, BOTTOM] = [8, 8];
const MAX_TABLE_EPOCHS = 50; // in the table
const LONG = 8; // from this number of epochs on, the scale ignores the first epochs
const WARM_UP = 1 / 8; // the share of epochs that the scale ignores

export function createCurves({ state, failed }) {
  const title = el("h2", { id: "curves-title" }, "Accuracy");
  const choice = el("div", { class: "segments", role: "group", "aria-label": "Measure" });
  const keys = el("ul", { class: "keys" });
  const drawing = svg("svg", { class: "chart", role: "img", height: HEIGHT });
  const holder = el("div", { class: "axisroom", "data-testid": "curves-chart" }, drawing);
  const numbers = foldedTable("The curves as a table", () => measure && asTable());
  const node = el(
    "section",
    { class: "curves", "aria-labelledby": "curves-title", "data-testid": "curves", hidden: true },
    el("div", { class: "head" }, title, choice, keys),
    holder,
  );
  let model = null;
  let series = {};
  let measure = null;
  let axis = null;
  let steps = [];
  let wanted = "";
  let aborter = new AbortController();
  let cursor = null;
  const redraw = onWidth(holder, (width) => measure && paint(width));

  async function load() {
    const { selected, overview } = model;
    const key = JSON.stringify([selected[0].id, overview.updated, overview.looks]);
    if (key === wanted) return;
    wanted = key;
    aborter.abort();
    aborter = new AbortController();
    try {
      const answer = await api.curves(selected[0].id, { signal: aborter.signal });
      if (key !== wanted) return;
      series = answer.series ?? {};
      choose();
    } catch (error) {
      if (error?.name === "AbortError" || key !== wanted) return;
      failed(error);
    }
  }

  function choose() {
    const found = measuresOf(series);
    measure = found.find((one) => one.key === model.state.curve) ?? found[0] ?? null;
    node.hidden = numbers.node.hidden = !measure;
    if (!measure) return;
    say(title, measure.title);
    fill(
      choice,
      found.length > 1 &&
        found.map((one) =>
          button(one.title, () => state.set({ curve: one.key }), {
            "aria-pressed": String(one === measure),
          }),
        ),
    );
    numbers.update();
    redraw();
  }

  function paint(width) {
    const { overview } = model;
    const all = [measure.train, measure.validation ?? []].flat();
    steps = overview.steps.length ? overview.steps : [...new Set(all.map(([step]) => step))];
    axis = axisOf(width, steps.length);
    const estimate = withoutShift(measure, overview);
    // The large changes of the first epochs would set the scale, and hide the later changes.
    const start = steps.length < LONG ? -1 : steps[Math.ceil(steps.length * WARM_UP)];
    const [low, high] = extent(
      [...all, ...estimate].filter(([step]) => step >= start).map(([, value]) => value),
    );
    const room = (high - low) * 0.06;
    const scale = linear([low - room, high + room], [HEIGHT - BOTTOM, TOP]);
    const y = (value) => Math.max(-HEIGHT, Math.min(2 * HEIGHT, scale(value)));
    const x = (step) => axis.middle(placeOf(step));
    const { since, until } = overview.story ?? {};
    const urgent = overview.story?.kind === "act" || overview.story?.kind === "look";
    const from = urgent && (since > 1 || until) ? axis.x(Math.max(0, placeOf(since - 1))) : null;
    const end = until ? axis.x(placeOf(until - 1) + 1) : axis.end;
    cursor = svg("line", { class: "cursor", y1: 0, y2: HEIGHT });
    drawing.setAttribute("width", width);
    drawing.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    fill(
      drawing,
      from !== null &&
        svg("rect", {
          class: `sinceband ${overview.story.kind}`,
          x: from,
          y: 0,
          width: Math.max(0, end - from),
          height: HEIGHT,
        }),
      ticks(low, high, 7).map((value) => [
        svg("line", { class: "grid", x1: axis.left, x2: axis.end, y1: y(value), y2: y(value) }),
        svg(
          "text",
          { class: "tick", x: axis.left - 8, y: y(value) + 4, "text-anchor": "end" },
          number(value),
        ),
      ]),
      svg("path", { class: "line train", d: linePath(measure.train, x, y) }),
      estimate.length > 0 &&
        svg("path", { class: "line estimate", d: linePath(estimate, x, y) }),
      estimate.length === 1 &&
        svg("circle", { class: "estimate", cx: x(estimate[0][0]), cy: y(estimate[0][1]), r: 3 }),
      measure.validation &&
        svg("path", { class: "line validation", d: linePath(measure.validation, x, y) }),
      [measure.train, measure.validation ?? []].map((points, k) =>
        points.length === 1 && Number.isFinite(points[0][1])
          ? svg("circle", {
              class: k ? "validation" : "train",
              cx: x(points[0][0]),
              cy: y(points[0][1]),
              r: 3.5,
            })
          : null,
      ),
      offScale(scale),
      cursor,
      ends(estimate),
    );
    const shown = [["training", "train"]];
    if (measure.validation) shown.push(["validation", "validation"]);
    if (estimate.length) shown.push(["validation without the shift, estimated", "estimate"]);
    fill(
      keys,
      shown.map(([text, style]) => el("li", null, mark(style), text)),
    );
    const last = (points) => number(points?.at(-1)?.[1]);
    drawing.setAttribute(
      "aria-label",
      visible(
        `${measure.title} over the epochs; latest: training ${last(measure.train)}` +
          (measure.validation ? `, validation ${last(measure.validation)}` : "") +
          ". The numbers are in a table below.",
      ),
    );
    show();
  }

  /** The first values that lie beyond the scale, with an arrow at the edge that they are beyond. */
  function offScale(scale) {
    const lines = [
      ["training", measure.train],
      ["validation", measure.validation ?? []],
    ];
    const beyond = lines.flatMap(([name, points]) => {
      const [point] = points.filter(([, value]) => Number.isFinite(value));
      const y = point && scale(point[1]);
      return point && (y < 0 || y > HEIGHT) ? [{ name, point, below: y > HEIGHT }] : [];
    });
    return beyond.map(({ name, point: [step, value], below }, k) =>
      svg(
        "text",
        {
          class: "tick offscale",
          x: axis.middle(placeOf(step)) + 6,
          y: below ? HEIGHT - 6 - 16 * (beyond.length - 1 - k) : 14 + 16 * k,
        },
        `${below ? "\u2193" : "\u2191"} ${name} began at ${number(value)}`,
      ),
    );
  }

  /** The latest numbers, right of the chart, each under its name. */
  function ends(estimate) {
    const { train, validation } = measure;
    const rows = [
      [(validation ?? train).at(-1)?.[1], "endvalue", validation ? "validation" : "training"],
      [estimate.at(-1)?.[1], "tick", "without the shift"],
    ].filter(([value]) => Number.isFinite(value));
    const at = (k) => ({ x: axis.width - 4, y: HEIGHT / 2 - 12 + 18 * k, "text-anchor": "end" });
    return rows.map(([value, style, name], k) => [
      svg("text", { class: "tick", ...at(2 * k) }, name),
      svg("text", { class: style, ...at(2 * k + 1) }, number(value)),
    ]);
  }

  const placeOf = (step) =>
    Math.max(
      0,
      steps.findLastIndex((one) => one <= step),
    );

  function show() {
    if (!cursor || !axis) return;
    const x = axis.middle(placeOf(model.step));
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
  }

  drawing.addEventListener("click", (event) => {
    if (!axis) return;
    const t = axis.column(event.clientX - drawing.getBoundingClientRect().left);
    if (t >= 0) state.set({ epoch: t >= steps.length - 1 ? null : steps[t] });
  });

  function asTable() {
    const val = new Map(measure.validation ?? []);
    const rows = measure.train.slice(-MAX_TABLE_EPOCHS);
    const cut = rows.length < measure.train.length ? `, the latest ${MAX_TABLE_EPOCHS} epochs` : "";
    return table(
      measure.title + cut,
      ["Epoch", "Training", "Validation"],
      rows.map(([step, value]) => [
        step + 1,
        number(value),
        val.has(step) ? number(val.get(step)) : "",
      ]),
    );
  }

  return {
    node,
    numbers: numbers.node,
    update(next, changed) {
      const before = model?.selected[0]?.id;
      model = next;
      if (!model.overview) {
        node.hidden = numbers.node.hidden = true;
        wanted = "";
        return;
      }
      if (before !== model.selected[0].id) {
        series = {};
        measure = null;
        node.hidden = numbers.node.hidden = true;
      }
      if (changed.has("data") || changed.has("run")) load();
      if (changed.has("curve")) choose();
      if (changed.has("data") && measure) redraw();
      if (changed.has("epoch")) show();
    },
  };
}

function mark(style) {
  return svg(
    "svg",
    { class: "runmark", viewBox: "0 0 24 12", width: 24, height: 12, "aria-hidden": "true" },
    svg("path", { class: `line ${style}`, d: "M1 6H23" }),
  );
}

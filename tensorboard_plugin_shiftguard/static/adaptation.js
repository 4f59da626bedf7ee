/* Charts of the adaptation over time, beside the shift that drives it. */

import { api } from "./api.js";
import { runMark } from "./icons.js";
import { el, fill, foldedTable, table } from "./dom.js";
import { number } from "./format.js";
import { createLines } from "./lines.js";

const MOST_LINES = 4;
const MOST_EPOCHS = 50; // in a table

/** Returns the charts for which there are data: `[title, [[label, points]], options]`. */
function charts(series) {
  const under = (prefix) =>
    Object.entries(series)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, points]) => [name.slice(prefix.length), points]);
  const single = (name, label) => (series[name] ? [[label, series[name]]] : []);
  const ofClasses = under("class_frequency/").sort((a, b) => spread(b[1]) - spread(a[1]));
  const most = ofClasses.length > MOST_LINES ? ", those that moved most" : "";
  return [
    ["Strength of augmentation", under("strength/"), { floor: 0, include: [0] }],
    [
      "Strength of alignment",
      single("alignment_strength", "strength"),
      { floor: 0, include: [0] },
    ],
    ["Shift that drives it", under("shift/"), { include: [0] }],
    ["Alignment loss", single("alignment_loss", "alignment loss"), { floor: 0, include: [0] }],
    [
      "Domain accuracy",
      [...single("domain_accuracy", "domain accuracy"), ...single("domain_chance", "chance")],
      { include: [0.4, 1] },
    ],
    [`Estimated class frequencies${most}`, ofClasses, { floor: 0, include: [0] }],
  ].filter(([, lines]) => lines.length);
}

function spread(points) {
  const values = points.map(([, value]) => value).filter(Number.isFinite);
  return values.length ? Math.max(...values) - Math.min(...values) : 0;
}

export function createAdaptation({ failed }) {
  const grid = el("div", { class: "chartgrid" });
  const node = el(
    "section",
    {
      class: "panel adaptation",
      "aria-labelledby": "adaptation-title",
      "data-testid": "adaptation",
      hidden: true,
    },
    el("h2", { id: "adaptation-title" }, "Adaptation"),
    grid,
  );
  let aborter = new AbortController();
  let wanted = "";
  let drawn = "";
  let cursors = [];

  async function load(model) {
    const key = (wanted = JSON.stringify([
      model.selected[0].id,
      model.overview.updated,
      model.overview.looks,
    ]));
    aborter.abort();
    aborter = new AbortController();
    try {
      const { series = {} } = await api.adaptation(model.selected[0].id, {
        signal: aborter.signal,
      });
      if (key !== wanted) return;
      draw(series, model);
    } catch (error) {
      if (error?.name === "AbortError" || key !== wanted) return;
      failed(error, "adaptation");
    }
  }

  function draw(series, model) {
    const text = JSON.stringify(series);
    if (text === drawn) return;
    drawn = text;
    const found = charts(series);
    const actions = model.overview.events
      .filter((event) => event.kind === "action")
      .map((event) => event.step);
    node.hidden = !found.length;
    cursors = [];
    fill(
      grid,
      found.map(([title, lines, options]) => {
        const shown = lines.slice(0, MOST_LINES);
        const chart = createLines({ height: 150 });
        cursors.push(chart);
        const last = shown
          .map(([label, points]) => `${label} ${number(points.at(-1)?.[1])}`)
          .join(", ");
        const all = foldedTable("Numbers", () => numbers(title, lines));
        const box = el(
          "div",
          { class: "chartcell" },
          el("h3", null, title),
          el(
            "ul",
            { class: "keys" },
            shown.map(([label], k) =>
              el("li", null, runMark(k), el("span", { class: "name" }, label)),
            ),
          ),
          chart.node,
          all.node,
        );
        chart.draw({
          ...options,
          series: shown.map(([, points], k) => ({ run: k, points })),
          marks: title.startsWith("Strength") ? actions : [],
          label: `${title} over the epochs; latest: ${last}. The numbers are in a table below.`,
        });
        return box;
      }),
    );
  }

  return {
    node,
    update(model, changed) {
      if (!model.overview) {
        node.hidden = true;
        drawn = wanted = "";
        return;
      }
      if (changed.has("data")) load(model);
      if (changed.has("data") || changed.has("epoch"))
        for (const chart of cursors) chart.cursor(model.step);
    },
  };
}

function numbers(title, lines) {
  const steps = [...new Set(lines.flatMap(([, points]) => points.map(([step]) => step)))].sort(
    (a, b) => a - b,
  );
  const maps = lines.slice(0, MOST_LINES).map(([label, points]) => [label, new Map(points)]);
  const cut = steps.length > MOST_EPOCHS ? `, the latest ${MOST_EPOCHS} epochs` : "";
  return table(
    title + cut,
    ["Epoch", ...maps.map(([label]) => label)],
    steps
      .slice(-MOST_EPOCHS)
      .map((step) => [step + 1, ...maps.map(([, at]) => number(at.get(step)))]),
  );
}

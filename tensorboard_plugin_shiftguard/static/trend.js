/* The effect size of one feature over the epochs, a line for each chosen run. */

import { scoresOf } from "./distribution.js";
import { el, fill, html } from "./dom.js";
import { sinceInWords } from "./format.js";
import { badge, runMark } from "./icons.js";
import { createLines, ofRun } from "./lines.js";

export function createTrend({ choose }) {
  let steps = [];
  // A step that only another run has belongs to the one before it.
  const place = (step) => Math.max(0, steps.findLastIndex((one) => one <= step));
  const chart = createLines({ height: 140, choose: (step) => choose(place(step)) });
  const keys = el("ul", { class: "keys" });
  const node = html`<div><h3>Effect size</h3>${keys}${chart.node}</div>`;

  /** Draws the lines; `answers` maps the id of a run to the data of the feature in it. */
  function draw(model, answers, pair) {
    const runs = model.selected.map((run, k) => {
      const answer = answers.get(run.id);
      const scores = scoresOf(answer, pair);
      const known = model.overviews.get(run.id)?.index.has(model.feature);
      const absent = !known || Boolean(answer && !scores);
      return { run, k, absent, steps: answer?.steps ?? [], scores };
    });
    const key = ({ run, k, absent }) => html`<li>
      ${runMark(k)}<span class="name">${run.name}</span>${absent && badge("absent")}
    </li>`;
    fill(keys, runs.map(key));
    const [first] = runs;
    steps = first.steps;
    const { features, index } = model.overview;
    const record = features[index.get(model.feature)] ?? {};
    const begin = record.since ? steps.find((step) => step >= record.since - 1) : undefined;
    const threshold = model.overview.threshold ?? 0.1;
    const when = sinceInWords(record);
    chart.draw({
      series: runs.filter(({ scores }) => scores).map(asSeries),
      threshold,
      include: [-2 * threshold, 2 * threshold],
      marks: begin === undefined ? [] : [begin],
      label:
        `Effect size of ${model.label} over the epochs, with its 95 percent interval; ` +
        `${when ? `found ${when}` : "nothing found"}. The numbers are in a table below.`,
    });
  }

  return { node, draw, cursor: (index) => chart.cursor(steps[index] ?? null) };
}

/** The line of a run. Only the first run gets an interval band, since bands overlap. */
function asSeries({ run, k, steps, scores }) {
  return {
    ...ofRun(k),
    name: run.name,
    points: steps.map((step, t) => [step, scores.effect[t]]),
    band: k === 0 ? steps.map((step, t) => [step, scores.lower[t], scores.upper[t]]) : null,
  };
}

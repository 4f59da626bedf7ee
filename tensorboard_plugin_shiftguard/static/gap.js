/* The accuracy gap as a waterfall chart, from the reference accuracy to the measured one. */

import { api } from "./api.js";
import { badge } from "./icons.js";
import { fill, html, table } from "./dom.js";
import { date, percent } from "./format.js";
import { points } from "./groups.js";
import { lineToPaste } from "./pages.js";
import { createRequest } from "./requests.js";

const KINDS = { estimated: "estimate", rest: "not explained" };

export function createGap({ failed, found }) {
  const node = html`<section
    class="gap" aria-label="Accuracy gap: what it is made of" data-testid="gap"
  ></section>`;
  let model = null;
  let drawn = "";
  let shown = null; // the table

  const request = createRequest(({ gap = null }) => {
    const before = shown;
    shown = gap;
    const { is_code: isCode, step } = model.overview.verdict;
    draw(gap, isCode && step);
    if (Boolean(before) !== Boolean(gap)) found();
  }, failed);

  /** Draws the table, and the repairs except the line `said`, which the band shows. */
  function draw(gap, said) {
    const text = JSON.stringify([gap, said]);
    if (text === drawn) return;
    drawn = text;
    fill(node, gap && [headline(gap), waterfall(gap), notes(gap), repairs(gap, said)]);
  }

  return {
    node,
    /** The table that is shown; null if the run has none. */
    table: () => shown,
    update(next, changed) {
      model = next;
      if (!model.overview) {
        shown = null;
        drawn = "";
        request.forget();
        return;
      }
      if (changed.has("data")) request.load(model, api.gap);
    },
  };
}

/** The gap in a few words; null without a gap. */
export function gapInWords(gap) {
  if (!gap) return null;
  if (!gap.beyond_sampling) return gap.doubt ? "not known" : "no gap beyond chance";
  return `${points(gap.reference_accuracy - gap.accuracy)} points lower than it should be`;
}

function headline(gap) {
  const unknown = gap.doubt ? ["look", "Look"] : ["fine", "Fine"];
  const [kind, word] = gap.beyond_sampling ? ["act", "Act"] : unknown;
  return html`<p class="detailhead">
    ${badge(kind, word)}<span>${gap.headline ?? ""}</span>
    <span class="quiet">${Number.isFinite(gap.made) && date(gap.made)}</span>
  </p>`;
}

/** Steps from the reference to the measured accuracy, as `[row, from, to]`. */
function steps(gap) {
  let at = gap.reference_accuracy;
  return gap.rows.map((row) => [row, at, (at -= row.points)]);
}

function waterfall(gap) {
  const found = steps(gap);
  const levels = [0, gap.reference_accuracy, gap.accuracy, ...found.flatMap(([, a, b]) => [a, b])];
  const low = Math.min(...levels);
  const span = Math.max(...levels) - low || 1;
  const place = (from, to, kind) => {
    const left = (100 * (Math.min(from, to) - low)) / span;
    const width = (100 * Math.abs(to - from)) / span;
    return html`<span class="gap-room" aria-hidden="true">
      <span class=${`gap-fill ${kind}`} style=${`left: ${left}%; width: ${width}%`}></span>
    </span>`;
  };
  const quiet = (text) => html`<span class="quiet">${text}</span>`;
  const bold = (label) => html`<strong>${label}</strong>`;
  const total = (label, value) => [bold(label), place(0, value, "total"), percent(value), ""];
  return table(
    "Points of accuracy that each cause takes, with 95 % intervals",
    ["Accuracy or cause", "From the expected accuracy down to the measured one", "Points", "What was found"],
    [
      total(`expected: ${gap.reference ?? "reference"}`, gap.reference_accuracy),
      ...found.map(([row, from, to]) => [
        row.cause,
        place(from, to, row.points < 0 ? "gain" : (row.kind ?? "removed")),
        [points(row.points), quiet(` ${ends(row.interval)}`)],
        [KINDS[row.kind] && quiet(`${KINDS[row.kind]} `), row.detail],
      ]),
      total(gap.estimated ? "estimated" : "measured", gap.accuracy),
    ],
  );
}

function repairs({ rows, estimated }, said) {
  // Without labels, a wrong input that makes the model more confident gets negative points.
  const isWrong = (row) => row.points > 0 || (estimated && row.kind === "removed");
  const lines = [...new Set(rows.filter((r) => r.repair && isWrong(r)).map((r) => r.repair))];
  return lines.filter((line) => line !== said).map((line) => {
    const of = rows.filter((row) => row.repair === line).map((row) => row.cause);
    return html`<h3>To repair ${of.join(" and ")}</h3>${lineToPaste(line, "Repair")}`;
  });
}

const notes = ({ notes: all }) =>
  all?.length > 0 && html`<ul class="plainlist quiet">${all.map((one) => html`<li>${one}</li>`)}</ul>`;

const ends = (interval) =>
  interval?.every(Number.isFinite) ? `[${interval.map(points).join(", ")}]` : "";

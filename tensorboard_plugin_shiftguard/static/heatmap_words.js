/* Texts of the heatmap: descriptions of a cell and of the whole heatmap, its legend and table. */

import { fill, html, table } from "./dom.js";
import { count, effect, epoch, sinceInWords, streamName } from "./format.js";
import { ALONG, cellOf, EXPECTED, FOUND, NOTHING, ofAccuracy, points, titleOf, TOLERATED, UNCLEAR } from "./groups.js";
import { markOf } from "./heatmap_draw.js";
import { badge, featureKind, icon } from "./icons.js";

const MAX_TABLE_ROWS = 100;
const MARKS = { action: "augmentation changed", negligible: "found, no alarm yet", note: "note" };

/** Describes the cell `{row, t}`; row -1 is the line of events. */
export function cellInWords({ overview }, rows, { row, t }, marks) {
  if (t < 0 || t >= overview.steps.length) return "";
  const when = epoch(overview.steps[t]);
  if (row < 0) {
    const events = marks.get(t) ?? [];
    const said = events.slice(0, 3).map((event) => event.text);
    return `${when}: ${said.length ? said.join(" ") : "nothing happened"}`;
  }
  if (!rows[row]) return "";
  const cell = cellOf(overview, rows[row], t);
  const name = titleOf(overview, rows[row], t);
  if (rows[row].alike) return `${name}, at every epoch`;
  if (cell.level < 0) return `${name}, ${when}: not measured`;
  if (cell.level === NOTHING) return `${name}, ${when}: nothing found`;
  const { label } = cell.member.record;
  const which = label && label.toLowerCase() !== name.toLowerCase() ? ` (${label})` : "";
  const said = `${name}, ${when}: ${levelInWords(cell, overview.metric)}`;
  return `${said}; effect size ${effect(cell.effect)}${which}`;
}

function levelInWords({ level, cost }, metric) {
  if (level === FOUND)
    return cost === null ? "shifted, cost not measured" : `costs ${points(cost)} ${ofAccuracy(metric)}`;
  if (level === UNCLEAR) return "differs, its cost is unclear";
  if (level === ALONG) return "goes along with a stronger finding";
  if (level === EXPECTED) return "expected, training is augmented";
  if (level === TOLERATED)
    return cost > 0
      ? `differs; costs ${points(cost)} ${ofAccuracy(metric)}, within tolerance`
      : "differs, within tolerance";
  return "";
}

/** The sentence that both streams are prepared wrongly in the same way; "" if they are not. */
export function alikeInWords({ state, pair }) {
  const names = (pair ?? "").split("/");
  const both = names.map((name) => state?.diagnosis?.[name]);
  if (both.length !== 2 || both.some((one) => one?.status !== "mismatch")) return "";
  if (both[0].advice !== both[1].advice) return "";
  const [first, second] = names.map(streamName).reverse();
  return (
    `This compares ${second} with ${first}. Both are prepared wrongly in the same way, so that ` +
    "mistake does not show here."
  );
}

/** Describes the whole heatmap in a few sentences. */
export function heatmapInWords(overview, rows, column) {
  const groups = rows.filter((row) => !row.inside);
  const found = groups.filter((row) => cellOf(overview, row, column).level === FOUND);
  const named = found.slice(0, 5).map((row) => titleOf(overview, row, column));
  const size = `${count(groups.length, "cause")} by ${count(overview.steps.length, "epoch")}`;
  const what = found.length
    ? `found at the shown epoch: ${named.join(", ")}${found.length > 5 ? " and more" : ""}`
    : "nothing found at the shown epoch";
  return `What differs between the streams, epoch by epoch, ${size}; ${what}. The same as a table is below.`;
}

export function heatmapTable({ overview, column, step }) {
  const { features } = overview;
  const shown = features.slice(0, MAX_TABLE_ROWS);
  const cut = features.length > shown.length ? ` (the first ${shown.length} of ${features.length})` : "";
  return table(
    `Features at ${epoch(step)}; effects in standard deviations between samples${cut}`,
    ["Feature", "State", "Effect", "Cost in points", "Found"],
    shown.map((record, i) => {
      const cell = cellOf(overview, { members: [{ name: record.name, i, record }] }, column);
      return [
        record.label ?? record.name,
        badge(featureKind(record)),
        effect(cell.effect),
        cell.cost === null ? "" : points(cell.cost),
        sinceInWords(record) || "never",
      ];
    }),
  );
}

/** The legend: costs if this pair of streams has any; effects if an alarm has no cost. */
export function drawLegend(node, overview, marks) {
  const least = String(Number((100 * overview.tolerance).toPrecision(3)));
  const priced = Object.keys(overview.costs).length > 0;
  const unpriced = overview.features.some(({ alarmed, name }) => alarmed && !overview.costs[name]);
  const key = (style, text) =>
    html`<span class="key"><i class=${`swatch ${style}`}></i>${text}</span>`;
  const scale = (styles, texts) => styles.map((style, k) => key(style, texts[k]));
  const kinds = new Set(marks.map((events) => markOf(events, overview.verdict?.kind)));
  fill(
    node,
    [...kinds].sort().map((kind) => html`<span class="key">${icon(kind, 10)} ${MARKS[kind] ?? "found"}</span>`),
    key("quiet", "nothing found"),
    key("tolerated", "differs, within tolerance"),
    key("along", "goes along with a finding"),
    priced && key("unclear", "cost unclear"),
    priced && scale(["h1", "h2", "h3", "h4"], [least, "2", "4", "6 points lost and more"]),
    unpriced && key("unpriced", "found, cost not measured"),
  );
}

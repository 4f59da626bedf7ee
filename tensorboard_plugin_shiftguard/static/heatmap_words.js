/* Texts of the heatmap: descriptions of a cell and of the whole heatmap, its legend and table. */

import { fill, html, table } from "./dom.js";
import { count, effect, epoch, sinceInWords, streamName } from "./format.js";
import { ALONG, cellOf, EXPECTED, FOUND, NOTHING, ofAccuracy, points, titleOf, TOLERATED, UNCLEAR } from "./groups.js";
import { badge, featureKind } from "./icons.js";

const MAX_TABLE_ROWS = 100;

/** Describes the cell `{row, t}`. */
export function cellInWords({ overview }, rows, { row, t }) {
  if (t < 0 || t >= overview.steps.length) return "";
  const when = epoch(overview.steps[t]);
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
  const lost = `costs ${points(cost ?? 0)} ${ofAccuracy(metric)}`;
  const words = {
    [FOUND]: cost === null ? "shifted, cost not measured" : lost,
    [UNCLEAR]: "differs, its cost is unclear",
    [ALONG]: "follows from a stronger finding",
    [EXPECTED]: "expected, training is augmented",
    [TOLERATED]: `differs${cost > 0 ? `; ${lost}` : ""}, within tolerance`,
  };
  return words[level] ?? "";
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
export function drawLegend(node, overview) {
  const least = String(Number((100 * overview.tolerance).toPrecision(3)));
  const priced = Object.keys(overview.costs).length > 0;
  const unpriced = overview.features.some(({ alarm, name }) => alarm && !overview.costs[name]);
  const key = (style, text) =>
    html`<span class="key"><i class=${`swatch ${style}`}></i>${text}</span>`;
  const scale = (styles, texts) => styles.map((style, k) => key(style, texts[k]));
  fill(
    node,
    key("quiet", "nothing found"),
    key("tolerated", "differs, within tolerance"),
    key("along", "follows from a finding"),
    priced && key("unclear", "cost unclear"),
    priced && scale(["h1", "h2", "h3", "h4"], [least, "2", "4", "6 points lost and more"]),
    unpriced && key("unpriced", "found, cost not measured"),
  );
}

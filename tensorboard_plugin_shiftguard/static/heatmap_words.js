/* Texts of the heatmap: description of a cell and of the whole, legend, table. */

import { el, fill, svg, table } from "./dom.js";
import { count, effect, epoch } from "./format.js";
import { badge, featureKind, icon } from "./icons.js";

const MOST_IN_TABLE = 100;

/** Describes the cell `{row, t}`; row -1 is the line of events. */
export function cellInWords({ overview, rows }, { row, t }, marks) {
  if (t < 0 || t >= overview.steps.length) return "";
  const when = epoch(overview.steps[t]);
  if (row < 0) {
    const events = marks.get(t) ?? [];
    const said = events.slice(0, 3).map((event) => event.text);
    return `${when}: ${said.length ? said.join(" ") : "nothing happened"}`;
  }
  if (!rows[row]) return "";
  const { name, i, elsewhere } = rows[row];
  if (i < 0) return `${name}: absent in this run, present in ${elsewhere}`;
  const value = overview.effect(i, t);
  if (Number.isNaN(value)) return `${name}, ${when}: not measured`;
  const flag = overview.flag(i, t);
  const state = flag & 1 ? ", shifted" : flag & 2 ? ", expected" : flag & 4 ? ", negligible" : "";
  return `${name}, ${when}: effect ${effect(value)}${state}`;
}

/** Describes the whole heatmap in a few sentences. */
export function heatmapInWords(overview, rows) {
  const alarms = rows.filter((row) => row.record?.alarm);
  const named = alarms.slice(0, 5).map((row) => `${row.name} ${effect(row.record.effect)}`);
  const size = `${count(rows.length, "feature")} by ${count(overview.steps.length, "epoch")}`;
  const what = alarms.length
    ? `${count(alarms.length, "feature")} shifted at the latest epoch: ${named.join(", ")}` +
      (alarms.length > named.length ? " and more" : "")
    : "no feature shifted at the latest epoch";
  return `Heatmap of effect sizes, ${size}; ${what}. The same as a table is below.`;
}

/** The largest effect of a feature and the step it was at. */
function peak(overview, i) {
  let [best, when] = [0, null];
  for (let t = 0; i >= 0 && t < overview.steps.length; t++) {
    const value = overview.effect(i, t);
    if (Math.abs(value) >= Math.abs(best)) [best, when] = [value, overview.steps[t]];
  }
  return [best, when];
}

export function heatmapTable({ overview, rows, column, step }) {
  const shown = rows.slice(0, MOST_IN_TABLE);
  const cut = rows.length > shown.length ? ` (the first ${shown.length} of ${rows.length})` : "";
  return table(
    `Effect sizes, in standard deviations between samples${cut}`,
    ["Feature", "State", `At ${epoch(step)}`, "Latest", "Strongest", "Shifted since"],
    shown.map(({ name, record, i }) => {
      const [top, when] = peak(overview, i);
      return [
        name,
        badge(featureKind(record)),
        effect(i < 0 ? null : overview.effect(i, column)),
        effect(record?.effect),
        when === null ? "unknown" : `${effect(top)} (${epoch(when)})`,
        record?.since ? `epoch ${record.since}` : "never",
      ];
    }),
  );
}

/** A ramp of eight colours, as they run from the threshold to the largest. */
function ramp(colours, threshold, sign) {
  const shares = Array.from({ length: 8 }, (_, i) => (sign < 0 ? 8 - i : i + 1) / 8);
  return el(
    "span",
    { class: "ramp", "aria-hidden": "true" },
    shares.map((share) => {
      const swatch = el("span");
      swatch.style.background = colours(
        sign * (threshold + share ** 2 * (colours.top - threshold)),
      );
      return swatch;
    }),
  );
}

export function drawLegend(node, colours, threshold, largest) {
  const calm = el("span", { class: "calm" }, `\u00b1${threshold}`);
  calm.style.background = colours.calm;
  const end = colours.top.toFixed(1);
  const beyond = largest > colours.top ? " and beyond" : "";
  const dot = svg("circle", { class: "fillline", cx: 6, cy: 6, r: 1.5 });
  const missing = svg(
    "svg",
    { class: "icon", viewBox: "0 0 12 12", width: 12, height: 12, "aria-hidden": "true" },
    dot,
  );
  const key = (mark, text) => el("span", { class: "key" }, mark, text);
  fill(
    node,
    el(
      "span",
      { class: "scale" },
      `less \u2212${end}`,
      ramp(colours, threshold, -1),
      calm,
      ramp(colours, threshold, 1),
      `+${end} more${beyond}`,
    ),
    key(null, `inside \u00b1${threshold}: negligible`),
    key(icon("alarm"), "shifted"),
    key(icon("expected"), "expected"),
    key(icon("action"), "action"),
    key(icon("mismatch"), "preprocessing"),
    key(missing, "not measured"),
  );
}

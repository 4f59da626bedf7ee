/* Icons of states. A state has a shape, a word and a color; the color is never the only sign. */

import { el, svg } from "./dom.js";

const SHAPES = {
  alarm: { tag: "path", d: "M8 1.8 15 14.2H1Z" },
  mismatch: { tag: "path", d: "M8 1.8 15 14.2H1Z" },
  differs: { tag: "path", d: "M8 3 14 13.4H2Z", open: true },
  expected: { tag: "path", d: "M8 1 15 8 8 15 1 8Z", open: true },
  action: { tag: "path", d: "M2 2h12v12H2Z" },
  unclear: { tag: "path", d: "M8 1 15 8 8 15 1 8Z" },
  negligible: { tag: "circle", cx: 8, cy: 8, r: 5.6, open: true },
  steady: { tag: "circle", cx: 8, cy: 8, r: 6 },
  collecting: { tag: "path", d: "M8 2a6 6 0 1 1-6 6", open: true },
  unknown: { tag: "path", d: "M2 8h12", open: true },
  best: { tag: "path", d: "M2 8.5l4 4 8-9", open: true },
  absent: { tag: "path", d: "M3 3 13 13M13 3 3 13", open: true },
  along: { tag: "path", d: "M8 3 14 13.4H2Z", open: true },
  act: { tag: "path", d: "M8 1.8 15 14.2H1Z" },
  look: { tag: "path", d: "M8 1 15 8 8 15 1 8Z" },
  corrected: { tag: "path", d: "M2 8.5l4 4 8-9", open: true },
  fine: { tag: "circle", cx: 8, cy: 8, r: 6 },
  waiting: { tag: "path", d: "M8 2a6 6 0 1 1-6 6", open: true },
  note: { tag: "path", d: "M3 4h10M3 8h10M3 12h6", open: true },
};

/** The word of each state of a run. */
export const STATES = {
  act: "Act",
  look: "Look",
  corrected: "Corrected",
  fine: "Fine",
  waiting: "Nothing compared",
};

const WORDS = {
  alarm: "shifted",
  mismatch: "mismatch",
  differs: "differs",
  along: "goes along",
  expected: "expected",
  negligible: "within tolerance",
  unclear: "cost unclear",
  steady: "no shift",
  collecting: "collecting",
  unknown: "not known",
  absent: "absent",
};

/** Returns the shape alone; the word must be beside it. */
export function icon(kind, size = 12) {
  const { tag, open, ...shape } = SHAPES[kind] ?? SHAPES.unknown;
  return svg(
    "svg",
    {
      class: `icon ${kind}${open ? " open" : ""}`,
      viewBox: "0 0 16 16",
      width: size,
      height: size,
      "aria-hidden": "true",
    },
    svg(tag, shape),
  );
}

/** Shape and word; the color comes from the style sheet. */
export function badge(kind, word = WORDS[kind] ?? kind) {
  return el("span", { class: `badge ${kind}` }, icon(kind), el("span", null, word));
}

// A feature without an alarm may still have shifted together with a reported one. Beyond
// these limits, "no shift" would be wrong.
const CERTAIN = -6; // log10 of the p-value
const MATTERS = 0.1; // effect size

/** The state of a feature, from its record in an overview. */
export function featureKind(record) {
  if (!record) return "absent";
  if (record.alarm) return "alarm";
  if (record.along) return "along";
  if (record.expected) return "expected";
  if (record.effect === null) return "unknown";
  if (record.unclear) return "unclear";
  if (record.negligible || record.found) return "negligible";
  const certain = record.log10_p !== null && record.log10_p < CERTAIN;
  return certain && Math.abs(record.effect) >= MATTERS ? "differs" : "steady";
}

/** Dash patterns of four runs, whose lines also differ in color. */
export const RUN_DASHES = ["", "6 3", "2 2.5", "8 3 2 3"];

/** A short piece of a run's line, for the legend of a chart. */
export function runMark(i) {
  return svg(
    "svg",
    { class: "runmark", viewBox: "0 0 24 12", width: 24, height: 12, "aria-hidden": "true" },
    svg("path", { class: `run${i}`, d: "M0 6H24", "stroke-dasharray": RUN_DASHES[i] }),
  );
}

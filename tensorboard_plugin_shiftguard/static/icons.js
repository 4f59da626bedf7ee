/* Icons of states. A state has a shape, a word and a color; the color is never the only sign. */

import { html, mark, svg } from "./dom.js";
import { DASHES } from "./lines.js";

const TRIANGLE = { d: "M8 1.8 15 14.2H1Z" };
const DIAMOND = { d: "M8 1 15 8 8 15 1 8Z" };
const DOT = { d: "M2 8a6 6 0 1 0 12 0a6 6 0 1 0-12 0Z" };
const TICK = { d: "M2 8.5l4 4 8-9", open: true };
const CLOCK = { d: "M8 2a6 6 0 1 1-6 6", open: true };
const HOLLOW = { d: "M8 3 14 13.4H2Z", open: true };
const SHAPES = {
  alarm: TRIANGLE,
  mismatch: TRIANGLE,
  act: TRIANGLE,
  look: DIAMOND,
  unclear: DIAMOND,
  expected: { ...DIAMOND, open: true },
  fine: DOT,
  steady: DOT,
  negligible: { ...DOT, open: true },
  corrected: TICK,
  waiting: CLOCK,
  differs: HOLLOW,
  along: HOLLOW,
  unknown: { d: "M2 8h12", open: true },
  absent: { d: "M3 3 13 13M13 3 3 13", open: true },
  note: { d: "M3 4h10M3 8h10M3 12h6", open: true },
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
  along: "follows",
  expected: "expected",
  negligible: "within tolerance",
  unclear: "cost unclear",
  steady: "no shift",
  unknown: "not known",
  absent: "absent",
};

/** Returns the shape alone; the word must be beside it. */
export function icon(kind, size = 12) {
  const { d, open } = SHAPES[kind] ?? SHAPES.unknown;
  const look = { class: `icon ${kind}${open ? " open" : ""}`, width: size, height: size };
  return svg("svg", { ...look, viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d }));
}

/** The word of the state of a feature. */
export const stateOf = (kind) => WORDS[kind] ?? kind;

/** Shape and word; the color comes from the style sheet. */
export function badge(kind, word = stateOf(kind)) {
  return html`<span class=${`badge ${kind}`}>${icon(kind)}<span>${word}</span></span>`;
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

/** A short piece of a line, for the legend of a chart. */
export function runMark(i) {
  return mark(svg("path", { class: `run${i}`, d: "M0 6H24", "stroke-dasharray": DASHES[i].join(" ") }));
}

/** A piece of a histogram, for its legend: the reference is filled, the current one an outline. */
export function swatch(role) {
  const look = { stroke: `var(--${role})`, "stroke-width": 2 };
  if (role === "reference") Object.assign(look, { fill: `var(--${role})`, "fill-opacity": 0.4 });
  return mark(svg("rect", { x: 1, y: 1, width: 22, height: 10, fill: "none", ...look }));
}

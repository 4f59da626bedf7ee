/* Prepares an overview for the views, and filters and sorts its list of features. */

import { unpack } from "./api.js";
import { FLAGS, goesAlong } from "./flags.js";

const UNKNOWN = -32768;
const TOLERANCE = 0.01; // of accuracy, for logs of version 0.1, which do not contain it

/** How far costs may lie above their estimates, by feature, from the latest findings without an alarm. */
function doubtsOf({ state, pairs, pair }) {
  const shown = pairs?.[pair] && pairKey(pairs[pair]);
  const harmless = (state?.report?.findings ?? []).filter(
    (one) => (one?.harmless || one?.is_question) && pairKey(one) === shown && one.cost_interval?.every(Number.isFinite),
  );
  return new Map(harmless.map(({ feature, cost, cost_interval: [, high] }) => [feature, high - cost]));
}

/** An overview with an index of its features, and functions that read its packed numbers. */
export function readOverview(raw) {
  const steps = raw.steps ?? [];
  const tolerance = raw.state?.tolerance ?? TOLERANCE;
  const doubts = doubtsOf(raw);
  const features = (raw.features ?? []).map((feature) => ({
    ...feature,
    along: goesAlong(feature.flags),
    found: Boolean(feature.flags & FLAGS.reported),
    unclear:
      (feature.flags & FLAGS.reported) > 0 &&
      !(feature.flags & FLAGS.alarm) &&
      raw.costs?.[feature.name]?.at(-1) + doubts.get(feature.name) > tolerance,
  }));
  const effects = unpack(raw.effects, 2);
  const flags = unpack(raw.flags, 1);
  const width = steps.length;
  const pairs = raw.pairs ?? [];
  const whole = flags.length >= features.length * width;
  return {
    ...raw,
    steps,
    features,
    pairs,
    pair: pairs[raw.pair] ? pairKey(pairs[raw.pair]) : null,
    pairIndex: raw.pair ?? null, // its index on the server
    events: raw.events ?? [],
    causes: raw.causes ?? {},
    costs: raw.costs ?? {},
    metric: (raw.state?.report?.findings ?? []).find((one) => Number.isFinite(one?.cost))?.metric,
    problems: raw.problems ?? [],
    state: raw.state ?? null,
    tolerance,
    doubts,
    pictures: raw.pictures ?? [],
    index: new Map(features.map((feature, i) => [feature.name, i])),
    /** Effect of feature `i` at column `t`; NaN where it is not known. */
    effect(i, t) {
      const packed = effects[i * width + t];
      return packed === undefined || packed === UNKNOWN ? NaN : packed / 100;
    },
    /** Flags of feature `i` at column `t`, see `FLAGS`. */
    flag: (i, t) => flagAt(flags, i * width + t, whole),
  };
}

/** The flags at `place`. A byte has the flags of one place if `whole`, else of two places. */
function flagAt(flags, place, whole) {
  if (whole) return flags[place] ?? 0;
  return ((flags[place >> 1] ?? 0) >> (4 * (place & 1))) & 15;
}

/** "stream/against", as the server names a pair. */
export const pairKey = (pair) => `${pair.stream}/${pair.against}`;

/** A test of names. The query is a part of the name, or a pattern between slashes. */
export function matcher(query) {
  const text = query.trim();
  if (!text) return { test: () => true };
  const pattern = /^\/(.+)\/([iu]*)$/.exec(text);
  if (pattern) {
    try {
      const expression = new RegExp(pattern[1], pattern[2] || "i");
      return { test: (name) => expression.test(name) };
    } catch (error) {
      return { test: () => true, problem: `This pattern cannot be read: ${error.message}` };
    }
  }
  const small = text.toLowerCase();
  return { test: (name) => name.toLowerCase().includes(small) };
}

/** Rows of the feature list: `{name, i, record}`, with the index `i` in the overview. */
export function listRows(overview, { query, onlyShifted, sort, pins }) {
  if (!overview) return { rows: [], total: 0 };
  const rows = overview.features.map((record, i) => ({ name: record.name, i, record }));
  const { test, problem } = matcher(query);
  const fits = ({ name, record }) => test(name) || test(record.label ?? "");
  const shown = ({ record }) => !onlyShifted || record.alarm || record.along;
  const kept = rows.filter((row) => fits(row) && shown(row));
  if (sort === "name") kept.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  if (sort === "change") {
    const change = new Map(kept.map((row) => [row, lastChange(overview, row.i)]));
    kept.sort((a, b) => change.get(b) - change.get(a));
  }
  const pinned = new Set(pins);
  const first = kept.filter((row) => pinned.has(row.name));
  const rest = kept.filter((row) => !pinned.has(row.name));
  return { rows: [...first, ...rest], total: rows.length, problem };
}

/** The change between the last two known effects; -1 if there are fewer. */
function lastChange(overview, i) {
  let last = NaN;
  for (let t = overview.steps.length - 1; t >= 0; t--) {
    const value = overview.effect(i, t);
    if (Number.isNaN(value)) continue;
    if (!Number.isNaN(last)) return Math.abs(last - value);
    last = value;
  }
  return -1;
}

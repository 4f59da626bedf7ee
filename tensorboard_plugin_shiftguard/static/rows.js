/* Prepares an overview for the views: an index of its features, and its unpacked numbers. */

import { unpack } from "./api.js";

const UNKNOWN = -32768;
const TOLERANCE = 0.01; // of accuracy, for logs of version 0.1, which do not contain it

/* The flags of a score, as `metadata.py` defines them for the log. */
export const FLAGS = { alarm: 1, expected: 2, negligible: 4, reported: 8 };

/** "stream/against", as the server names a pair. */
export const pairKey = (pair) => `${pair.stream}/${pair.against}`;

/**
 * How far costs may lie above their estimates, by feature, from the latest findings without an alarm;
 * of a question that no experiment could answer, a cost may be anything.
 */
function doubtsOf({ state, pairs, pair }) {
  const shown = pairs?.[pair] && pairKey(pairs[pair]);
  const open = (state?.report?.findings ?? []).filter(
    (one) => (one?.harmless || one?.is_question) && pairKey(one) === shown,
  );
  const doubt = ({ cost, cost_interval: ends, is_question: isOpen }) =>
    ends?.every(Number.isFinite) ? ends[1] - cost : isOpen ? Infinity : 0;
  return new Map(open.map((one) => [one.feature, doubt(one)]));
}

/** An overview with an index of its features, and functions that read its packed numbers. */
export function readOverview(raw) {
  const { steps = [], pairs = [], costs = {}, state = null } = raw;
  const tolerance = state?.tolerance ?? TOLERANCE;
  const doubts = doubtsOf(raw);
  const features = (raw.features ?? []).map((feature) => {
    const { name, flags } = feature;
    const [isAlarm, found] = [Boolean(flags & FLAGS.alarm), Boolean(flags & FLAGS.reported)];
    return {
      ...feature,
      found,
      alarm: isAlarm && found,
      along: isAlarm && !found,
      unclear: found && !isAlarm && (costs[name]?.at(-1) ?? 0) + doubts.get(name) > tolerance,
      expected: Boolean(flags & FLAGS.expected),
      negligible: Boolean(flags & FLAGS.negligible),
    };
  });
  const effects = unpack(raw.effects, 2);
  const flags = unpack(raw.flags, 1);
  const width = steps.length;
  return {
    ...raw,
    steps,
    features,
    pairs,
    pair: pairs[raw.pair] ? pairKey(pairs[raw.pair]) : null,
    causes: raw.causes ?? {},
    costs,
    metric: (state?.report?.findings ?? []).find((one) => Number.isFinite(one?.cost))?.metric,
    problems: raw.problems ?? [],
    state,
    tolerance,
    doubts,
    pictures: raw.pictures ?? [],
    index: new Map(features.map((feature, i) => [feature.name, i])),
    /** Effect of feature `i` at column `t`; NaN where it is not known. */
    effect(i, t) {
      const packed = effects[i * width + t];
      return packed === undefined || packed === UNKNOWN ? NaN : packed / 100;
    },
    /** Flags of feature `i` at column `t`, see `FLAGS`; a byte holds those of two places. */
    flag(i, t) {
      const place = i * width + t;
      return ((flags[place >> 1] ?? 0) >> (4 * (place & 1))) & 15;
    },
  };
}

/* Converts the answer to `/feature` to the data that the charts draw. */

import { pairKey } from "./rows.js";

const FIRST_EPOCH = "the first epoch"; // the reference is the first epoch of the same stream
const ORDER = ["reference", "train", "validation", "target"];

/** The pair that an overview shows, as `{stream, against}`. */
export function shownPair(overview) {
  return (
    overview?.pairs.find((pair) => pairKey(pair) === overview.pair) ?? overview?.pairs[0] ?? null
  );
}

/**
 * Streams of a feature with their role in the drawing: the stream of the pair is an
 * outline, its reference is filled, the others are thin lines. A stream that is
 * compared with its own first epoch has that epoch as a fixed reference.
 */
export function layStreams(feature, pair, hidden, overlay) {
  if (!feature || !(feature.edges || feature.classes)) return null;
  const names = Object.keys(feature.streams ?? {}).sort((a, b) => place(a) - place(b));
  const streams = [];
  const own = feature.streams[pair?.stream];
  if (pair && feature.streams[pair.against]) {
    streams.push({
      name: pair.against,
      steps: feature.streams[pair.against],
      role: "reference",
      filled: true,
    });
  } else if (own && pair?.against === FIRST_EPOCH) {
    const fixed = own.findIndex(Boolean);
    if (fixed >= 0)
      streams.push({
        name: `${pair.stream}, first epoch`,
        steps: own,
        fixed,
        role: "reference",
        filled: true,
        });
  }
  names.forEach((name) => {
    if (name === pair?.stream || name === pair?.against || hidden.includes(name)) return;
    streams.push({
      name,
      steps: feature.streams[name],
      role: "other",
    });
  });
  if (overlay) streams.push(overlay);
  if (own) streams.push({ name: pair.stream, steps: own, role: "current" });
  return streams;
}

const place = (name) => ORDER.indexOf(name) + 1 || ORDER.length + 1;

/** Streams that are not in the pair; the user may hide them. */
export function otherStreams(feature, pair) {
  return Object.keys(feature?.streams ?? {}).filter(
    (name) => name !== pair?.stream && name !== pair?.against,
  );
}

/**
 * The stream of a second run on the bins of the first run; null if the second run lacks it.
 * A bin's share is spread evenly over its width; classes are matched by name.
 */
export function overlayOf(feature, other, pair, runName) {
  const steps = other?.streams?.[pair?.stream];
  if (!steps || !(feature.edges ? other.edges : other.classes)) return null;
  const at = new Map(other.steps.map((step, t) => [step, t]));
  const aligned = feature.steps.map((step) => {
    const shares = steps[at.get(step) ?? -1];
    if (!shares) return null;
    return feature.edges
      ? rebin(other.edges, shares, feature.edges)
      : byName(other.classes, shares, feature.classes);
  });
  return {
    name: `${pair.stream} of ${runName}`,
    steps: aligned,
    role: "overlay",
  };
}

function byName(names, shares, wanted) {
  const known = new Map(names.map((name, i) => [name, shares[i]]));
  return wanted.map((name) => known.get(name) ?? 0);
}

/** Shares on other bins; shares outside of these bins are added to the outermost bins. */
export function rebin(from, shares, to) {
  const result = new Array(to.length - 1).fill(0);
  const last = result.length - 1;
  for (let i = 0; i < shares.length; i++) {
    const [low, high, share] = [from[i], from[i + 1], shares[i]];
    if (!(share > 0) || !(high > low)) continue;
    if (low < to[0]) result[0] += (share * (Math.min(high, to[0]) - low)) / (high - low);
    if (high > to[last + 1])
      result[last] += (share * (high - Math.max(low, to[last + 1]))) / (high - low);
    for (let k = 0; k <= last; k++) {
      const both = Math.min(high, to[k + 1]) - Math.max(low, to[k]);
      if (both > 0) result[k] += (share * both) / (high - low);
    }
  }
  return result;
}

/** The scores of the pair that is shown, aligned with the feature's steps. */
export function scoresOf(feature, pair) {
  return (
    feature?.scores?.find((one) => one.stream === pair?.stream && one.against === pair?.against) ??
    null
  );
}

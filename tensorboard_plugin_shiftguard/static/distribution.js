/* Converts the answer to `/feature` to the data that the histogram draws, and to a table. */

import { table } from "./dom.js";
import { epoch, number, percent, streamName } from "./format.js";
import { pairKey } from "./rows.js";

const FIRST_EPOCH = "the first epoch"; // the reference is the first epoch of the same stream

/** The pair that an overview shows, as `{stream, against}`. */
export const shownPair = (overview) =>
  overview?.pairs.find((pair) => pairKey(pair) === overview.pair) ?? overview?.pairs[0] ?? null;

/**
 * The two streams of a pair: the reference, which is filled, and the current one, an outline. A
 * stream that is compared with its own first epoch has that epoch as a fixed reference. Null if
 * the feature has no distribution.
 */
export function layStreams(feature, pair, name) {
  const { edges = null, classes = null, streams: known = {}, steps: stepNumbers } = feature;
  if (!pair || !(edges || classes)) return null;
  const streams = [];
  const own = known[pair.stream];
  if (known[pair.against])
    streams.push({ name: pair.against, steps: known[pair.against], role: "reference" });
  else if (own && pair.against === FIRST_EPOCH) {
    const fixed = own.findIndex(Boolean);
    const first = { name: `${pair.stream}, first epoch`, steps: own, fixed, role: "reference" };
    if (fixed >= 0) streams.push(first);
  }
  if (own) streams.push({ name: pair.stream, steps: own, role: "current" });
  // Classes get bins of width one.
  const all = edges ?? Array.from({ length: classes.length + 1 }, (_, i) => i);
  return streams.length ? { name, streams, edges: all, classes, stepNumbers } : null;
}

/** The name of a bin: a class, or both ends of the bin. */
export const binName = ({ edges, classes }, i) =>
  classes ? classes[i] : `${number(edges[i])} to ${number(edges[i + 1])}`;

/** Share of each bin now minus its share in the reference; null if either stream is missing. */
export function differences({ streams }, at) {
  const sharesOf = (role) => {
    const stream = streams.find((one) => one.role === role);
    return stream?.steps[stream.fixed ?? at];
  };
  const [now, before] = [sharesOf("current"), sharesOf("reference")];
  return now && before ? now.map((share, i) => share - before[i]) : null;
}

/** A table of the shares of each bin at one step; of classes, the largest change comes first. */
export function binTable(data, at) {
  const shift = differences(data, at);
  const rows = Array.from({ length: data.edges.length - 1 }, (_, i) => i);
  if (data.classes && shift) rows.sort((a, b) => Math.abs(shift[b]) - Math.abs(shift[a]));
  return table(
    `Shares of ${data.name} at ${epoch(data.stepNumbers[at])}`,
    [data.classes ? "Class" : "Bin", ...data.streams.map(({ name }) => streamName(name)), "Change"],
    rows.map((i) => [
      binName(data, i),
      ...data.streams.map(({ steps, fixed }) => percent(steps[fixed ?? at]?.[i])),
      shift ? percent(shift[i]) : "unknown",
    ]),
  );
}

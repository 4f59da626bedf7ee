/* The numbers behind the charts of a feature, as tables and as downloads. */

import { shownPair, scoresOf } from "./distribution.js";
import { table } from "./dom.js";
import { FLAGS, goesAlong, isOwnAlarm } from "./flags.js";
import { effect, epoch, interval, percent, streamName } from "./format.js";
import { binName, differences } from "./histogram.js";
import { findingOf } from "./meaning.js";

const MAX_TABLE_EPOCHS = 100; // in a table; the JSON has them all

/** A table of each bin at one step: the shares, their difference, its part of all differences. */
export function binTable(data, index) {
  if (!data) return null;
  const shift = differences(data, index);
  const whole = (shift ?? []).reduce((sum, value) => sum + Math.abs(value), 0);
  const bins = data.classes ? data.classes.length : data.edges.length - 1;
  const names = data.streams.map((stream) => streamName(stream.name));
  return table(
    `Shares of ${data.name} at ${epoch(data.stepNumbers[index])}`,
    [data.classes ? "Class" : "Bin", ...names, "Difference", "Part of it"],
    Array.from({ length: bins }, (_, i) => [
      binName(data, i),
      ...data.streams.map((stream) => percent(stream.steps[stream.fixed ?? index]?.[i])),
      shift ? percent(shift[i]) : "unknown",
      shift && whole > 0 ? percent(Math.abs(shift[i]) / whole) : "none",
    ]),
  );
}

/** Effect size of each epoch, with its interval. */
export function epochTable(feature, label, overview) {
  const scores = scoresOf(feature, shownPair(overview));
  if (!scores) return null;
  const cut = Math.max(0, feature.steps.length - MAX_TABLE_EPOCHS);
  const state = (flag) => {
    if (isOwnAlarm(flag)) return "shifted";
    if (goesAlong(flag)) return "goes along";
    if (flag & FLAGS.expected) return "expected";
    return flag & FLAGS.reported ? "differs, no alarm" : "no alarm";
  };
  return table(
    `Effect size of ${label}${cut ? `, the latest ${MAX_TABLE_EPOCHS} epochs` : ""}`,
    ["Epoch", "Effect", "95 % interval", "State"],
    feature.steps
      .slice(cut)
      .map((step, i) => [
        step + 1,
        effect(scores.effect[cut + i]),
        interval(scores.lower[cut + i], scores.upper[cut + i]) || "unknown",
        state(scores.flags?.[cut + i]),
      ]),
  );
}

/** The data of a feature as JSON: the shares at one step, and the effects at all epochs. */
export function asJson({ selected, overview, feature: name }, feature, data, index) {
  const step = feature?.steps[index];
  const shares = (data?.streams ?? []).map(({ name, steps, fixed }) => [
    name,
    steps[fixed ?? index] ?? null,
  ]);
  const content = {
    run: selected[0].id,
    feature: name,
    compared: shownPair(overview),
    epoch: step === undefined ? null : step + 1,
    latest: overview.features[overview.index.get(name)] ?? null,
    finding: findingOf(overview, name),
    edges: feature?.edges,
    classes: feature?.classes,
    shares: Object.fromEntries(shares),
    epochs: feature?.steps.map((one) => one + 1),
    effects: scoresOf(feature, shownPair(overview)),
  };
  return JSON.stringify(content, null, 2);
}

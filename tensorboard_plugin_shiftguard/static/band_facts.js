/* The facts of the band: cost, date and certainty; for a fine run, the features and samples. */

import { el } from "./dom.js";
import { count, number, streamName } from "./format.js";
import { points } from "./groups.js";

const DIFFERS = 9; // flags of an alarm, and of a reported difference

function fact(value, note, testid) {
  return el(
    "div",
    { "data-testid": testid },
    el("dt", null, value),
    el("dd", { class: "quiet" }, note),
  );
}

/** Cost, date and certainty at column `t`, each as a number with a note under it. */
export function factsOf(story, overview, t) {
  const urgent = story.kind === "act" || story.kind === "look";
  const calm = story.kind === "fine" || story.kind === "waiting";
  return [
    story.left && leftOf(story.left),
    story.kind === "fine" ? healthOf(story, overview, t) : costOf(story, urgent),
    dateOf(story, overview.state?.step),
    story.pair && urgent && certaintyOf(overview.state?.alpha),
    calm && samplesOf(overview.state?.report?.num_samples ?? {}),
  ].filter(Boolean);
}

function rangeOf(ends) {
  return ends?.every(Number.isFinite) ? `, ${points(ends[0])} to ${points(ends[1])}` : "";
}

function costOf({ kind, cost, cost_interval: ends, cost_words: words }, urgent) {
  if (Number.isFinite(cost)) {
    // An uncertain cost is not shown as the large number.
    if (words === "not clear")
      return fact("cost not clear", `perhaps ${points(cost)} points of accuracy${rangeOf(ends)}`, "cost");
    const note = `of accuracy${rangeOf(ends)}`;
    return fact(`${points(cost)} points lost`, words ? `${words}; ${note}` : note, "cost");
  }
  if (kind === "corrected")
    return fact("repaired", "the model gets what it expects, inside fit", "cost");
  return urgent && fact("cost unknown", "accuracy lost: not measured", "cost");
}

/** For a run in which nothing is wrong: how many features differ, and their cost. */
function healthOf(story, { features, tolerance, flag }, t) {
  const { cost, cost_interval: ends } = story;
  if (!features.length) return gapOf(story);
  const differing = features.filter((_, i) => flag(i, t) & DIFFERS).length;
  const value = `${differing} of ${count(features.length, "feature")} ${differing === 1 ? "differs" : "differ"}`;
  if (!differing) return fact(value, "beyond chance", "health");
  const lost = cost > 0 ? `${points(cost)} points of accuracy${rangeOf(ends)}` : "no accuracy";
  const allowed = `; ${points(tolerance)} would be tolerated`;
  const note = Number.isFinite(cost) ? `costs ${lost}${allowed}` : "too little to matter, or as intended";
  return fact(value, note, "health");
}

/** For a run that has only an accuracy gap, which chance explains. */
function gapOf({ cost, cost_interval: ends }) {
  if (!Number.isFinite(cost)) return null;
  const value = `${points(Math.abs(cost))} points ${cost < 0 ? "above" : "below"}`;
  return fact(value, `the expected accuracy, by chance alone${rangeOf(ends)}`, "health");
}

/** How much training and target differ, without and with augmentation. */
function leftOf([[what, before], [, now]]) {
  const value = `${number(before, 2)} \u2192 ${number(now, 2)}`;
  return fact(value, `largest difference (${what}), without and with augmentation`, "left");
}

function dateOf({ kind, since, about }, last) {
  if (!since) return about?.[0] === "gap" && fact("no date", "measured once", "since");
  const of = Number.isFinite(last) ? `of ${Math.max(last + 1, since)}` : "";
  if (kind === "corrected")
    return fact(`corrected since epoch ${since}`, "the data itself is wrong from the first batch on", "since");
  const wrong = about?.[0] === "preprocessing" && about[1] === "preprocessing" && kind === "act";
  return fact(`${wrong ? "wrong" : "differs"} since epoch ${since}`, of, "since");
}

function certaintyOf(alpha) {
  if (!(alpha > 0)) return null;
  const note = `at most 1 fit in ${Math.round(1 / alpha)} has a false alarm`;
  return fact("beyond chance", note, "chance");
}

function samplesOf(numSamples) {
  const sizes = Object.entries(numSamples).filter(([name]) => name !== "the first epoch");
  if (!sizes.length) return null;
  const all = sizes.reduce((sum, [, n]) => sum + n, 0);
  const each = sizes.map(([name, n]) => `${n.toLocaleString("en")} of ${streamName(name)}`);
  return fact(`${all.toLocaleString("en")} samples`, each.join(", "), "samples");
}

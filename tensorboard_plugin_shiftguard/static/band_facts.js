/* The facts of the band: cost, date and certainty; for a fine run, the features and samples. */

import { fact } from "./answer.js";
import { count, date, number, streamName } from "./format.js";
import { points } from "./groups.js";

const DIFFERS = 9; // flags of an alarm, and of a reported difference

/** Cost, date and certainty at column `t`, each as a number with a note under it. */
export function factsOf(story, overview, t) {
  const urgent = story.kind === "act" || story.kind === "look";
  const calm = story.kind === "fine" || story.kind === "waiting";
  return [
    story.kind === "fine" ? healthOf(story, overview, t) : costOf(story, urgent),
    dateOf(story, overview.state?.step),
    story.left && leftOf(story.left),
    urgent && certaintyOf(story, overview.state?.alpha),
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
      return fact("cost not clear", `about ${points(cost)} points, but it may be 0${rangeOf(ends)}`, "cost");
    const note = `of accuracy${rangeOf(ends)}`;
    const value = cost > 0 ? `${points(cost)} points lost` : "no points lost";
    return fact(value, words ? `${note}; ${words}` : note, "cost");
  }
  if (kind === "corrected")
    return fact("no cost in fit", "the model gets what it expects; in plain predict it does not", "cost");
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
function leftOf([[, before], [, now]]) {
  const value = `${number(before, 2)} \u2192 ${number(now, 2)}`;
  return fact(value, "largest difference without and with augmentation", "left");
}

function dateOf({ kind, since, until, made, about }, last) {
  if (Number.isFinite(made)) return fact(`measured ${date(made)}`, "once, by explain_gap", "since");
  if (!since) return null;
  if (until) {
    const value = since < until ? `epochs ${since} to ${until}` : `epoch ${until}`;
    return fact(`${value} only`, `no difference since epoch ${until + 1}`, "since");
  }
  const of = Number.isFinite(last) ? `of ${Math.max(last + 1, since)}` : "";
  if (kind === "corrected")
    return fact(`corrected since epoch ${since}`, "the data itself is wrong from the first batch on", "since");
  const wrong = about?.[0] === "preprocessing" && about[1] === "preprocessing" && kind === "act";
  return fact(`${wrong ? "wrong" : "differs"} since epoch ${since}`, of, "since");
}

function certaintyOf({ pair, made }, alpha) {
  if (made) return fact("beyond chance", "the interval of the cost lies above 0", "chance");
  if (!pair || !(alpha > 0)) return null;
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

/* The facts of the band: cost, date and certainty; for a fine run, the features and samples. */

import { fact } from "./answer.js";
import { FLAGS } from "./flags.js";
import { count, date, number, streamName } from "./format.js";
import { isAccuracy, ofAccuracy, points, unitOf } from "./groups.js";

const DIFFERS = FLAGS.alarm | FLAGS.reported;

/** The facts at column `t` of the heatmap, each as a figure with a note under it. */
export function factsOf(story, overview, t) {
  const urgent = story.kind === "act" || story.kind === "look";
  const calm = story.kind === "fine" || story.kind === "waiting";
  return [
    ...(story.kind === "fine" ? healthOf(story, overview, t) : [costOf(story, urgent, overview)]),
    dateOf(story, overview),
    story.left && leftOf(story.left),
    urgent && certaintyOf(story, overview.state?.alpha),
    calm && samplesOf(overview.state?.report?.num_samples ?? {}),
  ].filter(Boolean);
}

function rangeOf(ends) {
  return ends?.every(Number.isFinite) ? `, ${points(ends[0])} to ${points(ends[1])}` : "";
}

/** The ends of an unclear cost, without the part below 0, which would be a gain. */
function betweenOf({ cost, cost_interval: ends, metric }, tolerance) {
  const [low, high] = ends?.every(Number.isFinite) ? ends : [0, cost];
  const least = low > 0 ? points(low) : "0";
  return `between ${least} and ${points(high)} ${ofAccuracy(metric)}; ${points(tolerance)} would be tolerated`;
}

function costOf(story, urgent, { tolerance }) {
  const { kind, cost, cost_interval: ends, cost_words: words, about: cause, metric } = story;
  const isKnown = Number.isFinite(cost);
  // An uncertain cost is not shown as the large number. Perhaps only its upper bound is known.
  if (words === "unclear" && (isKnown || ends?.every(Number.isFinite)))
    return fact("cost unclear", betweenOf(story, tolerance), "cost");
  if (isKnown) {
    const what = isAccuracy(metric) ? "of accuracy" : metric;
    const note = `${what}${rangeOf(ends)}`;
    const about = words?.startsWith("estimated") ? "about " : "";
    const lost = `${about}${points(cost)} ${unitOf(metric)}${isAccuracy(metric) ? " lost" : ""}`;
    const value = cost > 0 ? lost : "nothing lost";
    return fact(value, words ? `${note}; ${words}` : note, "cost");
  }
  if (kind === "corrected")
    return fact("nothing lost in fit", "what plain predict loses is not measured", "cost");
  if (!urgent) return null;
  const how = cause?.[0] === "preprocessing" ? "; sg.explain_gap(model, labelled_data) measures it" : "";
  return fact("cost unknown", `accuracy lost: not measured${how}`, "cost");
}

/** For a run in which nothing is wrong: its cost, and how many features differ. */
function healthOf(story, { features, tolerance, flag }, t) {
  const { cost, cost_interval: ends, metric } = story;
  if (!features.length) return [gapOf(story)];
  const differing = features.filter((_, i) => flag(i, t) & DIFFERS).length;
  const value = `${differing} of ${count(features.length, "feature")} ${differing === 1 ? "differs" : "differ"}`;
  if (!differing)
    return [
      fact("no cost", "nothing differs that could cost accuracy", "cost"),
      fact(value, "beyond chance", "health"),
    ];
  if (!Number.isFinite(cost)) return [fact(value, "too little to matter, or as intended", "health")];
  const lost = cost > 0 ? `${points(cost)} ${unitOf(metric)}${isAccuracy(metric) ? " lost" : ""}` : "no cost found";
  const most = ends?.[1] > 0 ? `at most ${points(ends[1])}; ` : "";
  return [
    fact(lost, `${most}${points(tolerance)} would be tolerated`, "cost"),
    fact(value, "beyond chance", "health"),
  ];
}

/** For a run that has only an accuracy gap which chance may explain: the size of the gap. */
function gapOf({ cost, cost_interval: ends }) {
  if (!Number.isFinite(cost)) return null;
  const value = `${points(Math.abs(cost))} points ${cost < 0 ? "above" : "below"}`;
  return fact(value, `the expected accuracy, by chance alone${rangeOf(ends)}`, "health");
}

/** How much training and target differ, without and with augmentation. */
function leftOf([[name, before], [other, now]]) {
  const value = `${number(before, 2)} \u2192 ${number(now, 2)}`;
  const what = name === other ? `difference in ${name}` : "largest difference";
  return fact(value, `${what} in standard deviations, without and with augmentation`, "left");
}

function dateOf(story, overview) {
  const { kind, since, until, made, about } = story;
  if (Number.isFinite(made))
    return fact("since: not known", `measured once, by explain_gap, on ${date(made)}`, "since");
  if (!since) return null;
  if (until) {
    const value = since < until ? `epochs ${since} to ${until}` : `epoch ${until}`;
    return fact(`${value} only`, `no difference since epoch ${until + 1}`, "since");
  }
  const last = overview.state?.step;
  const of = Number.isFinite(last) ? `of ${Math.max(last + 1, since)}` : "";
  if (kind === "corrected")
    return fact(`corrected since epoch ${since}`, "the data itself is wrong from the first batch on", "since");
  const wrong = about?.[0] === "preprocessing" && about[1] === "preprocessing" && kind === "act";
  return fact(`${wrong ? "wrong" : "differs"} since epoch ${since}`, of, "since");
}

function certaintyOf({ pair, made, about, cost_words: words }, alpha) {
  if (made) return fact("beyond chance", "the interval of the cost lies above 0", "chance");
  if (!pair || !(alpha > 0)) return null;
  const rate = `false-alarm rate: at most 1 in ${Math.round(1 / alpha)} fits`;
  const who = about?.[0] === "label" ? "the classes differ" : "the data differ";
  return fact("beyond chance", words === "unclear" ? `${who}; ${rate}` : rate, "chance");
}

function samplesOf(numSamples) {
  const sizes = Object.entries(numSamples).filter(([name]) => name !== "the first epoch");
  if (!sizes.length) return null;
  const all = sizes.reduce((sum, [, n]) => sum + n, 0);
  const each = sizes.map(([name, n]) => `${n.toLocaleString("en")} of ${streamName(name)}`);
  return fact(`${all.toLocaleString("en")} samples`, each.join(", "), "samples");
}

/* The facts of the band: cost, date and certainty. */

import { el } from "./dom.js";
import { streamName } from "./format.js";
import { points } from "./groups.js";

function fact(value, note, testid) {
  return el(
    "div",
    { "data-testid": testid },
    el("dt", null, value),
    el("dd", { class: "quiet" }, note),
  );
}

/** Cost, date and certainty, each as a number with a note under it. */
export function factsOf(story, overview) {
  const { kind, cost, cost_interval: ends, since, cost_words: words } = story;
  const found = [];
  const range = ends?.every(Number.isFinite)
    ? `, ${points(ends[0])} to ${points(ends[1])}`
    : "";
  if (Number.isFinite(cost)) {
    const lost = `${points(cost)} points lost`;
    const note = `of accuracy${range}`;
    // What is not clear is no number to remember.
    if (words === "not clear") found.push(fact("cost not clear", `${lost} ${note}`, "cost"));
    else found.push(fact(lost, words ? `${words}; ${note}` : note, "cost"));
  } else if (kind === "corrected")
    found.push(fact("repaired", "the model gets what it expects, inside fit", "cost"));
  else if (kind === "act" || kind === "look")
    found.push(fact("cost unknown", "accuracy lost: not measured", "cost"));
  const last = overview.state?.step;
  if (since)
    found.push(
      fact(
        `since epoch ${since}`,
        Number.isFinite(last) ? `of ${Math.max(last + 1, since)}` : "",
        "since",
      ),
    );
  else if (story.about?.[0] === "gap") found.push(fact("no date", "measured once", "since"));
  const alpha = overview.state?.alpha;
  if (story.pair && alpha > 0 && (kind === "act" || kind === "look"))
    found.push(
      fact("difference beyond chance", `at most 1 fit in ${Math.round(1 / alpha)} has a false alarm`, "chance"),
    );
  if (kind === "fine" || kind === "waiting") {
    const sizes = Object.entries(overview.state?.report?.num_samples ?? {}).filter(
      ([name]) => name !== "the first epoch",
    );
    if (sizes.length)
      found.push(
        fact(
          `${sizes.reduce((sum, [, n]) => sum + n, 0).toLocaleString("en")} samples`,
          sizes.map(([name, n]) => `${n.toLocaleString("en")} of ${streamName(name)}`).join(", "),
          "samples",
        ),
      );
  }
  return found;
}

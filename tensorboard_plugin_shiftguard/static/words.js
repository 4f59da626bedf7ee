/* Texts about a feature: what its state means and what to do. */

import { FAMILIES, KINDS, OTHER } from "./causes.js";
import { effect, pValue, streamName } from "./format.js";
import { featureKind } from "./icons.js";
import { pairKey } from "./rows.js";

const NOTHING = "Nothing needs to be done.";

/** The finding about a feature in the pair that is shown, if there is one. */
export function findingOf(overview, name) {
  const fits = (finding) =>
    finding?.feature === name && (!overview.pair || pairKey(finding) === overview.pair);
  return (overview?.state?.report?.findings ?? []).find(fits) ?? null;
}

/** `{means, todo}`: sentences for the detail of a feature. */
export function explain(record, finding, pair, threshold) {
  const who = pair
    ? `${streamName(pair.stream)} and ${streamName(pair.against)}`
    : "the two streams";
  if (!record) return { means: ["This run has not measured it."], todo: [] };
  if (record.alarm || record.expected || finding) return found(record, finding, threshold);
  if (record.effect === null)
    return { means: ["There is no measurement of it yet."], todo: [] };
  const small = Math.abs(record.effect) < threshold;
  const size = `${effect(record.effect)} standard deviations between samples`;
  if (record.along) {
    return {
      means: [
        `${who[0].toUpperCase()}${who.slice(1)} differ by ${size}.`,
        "It has the same cause as a stronger finding, so it is not reported a second time.",
        ...chance(record),
      ],
      todo: ["Repair the stronger finding. This difference should then disappear as well."],
    };
  }
  if (featureKind(record) === "differs") {
    return {
      means: [
        `${who[0].toUpperCase()}${who.slice(1)} differ by ${size}.`,
        "It raises no alarm of its own, because a stronger finding explains it.",
        ...chance(record),
      ],
      todo: ["Repair the features that have shifted. This difference should then disappear as well."],
    };
  }
  return {
    means: [
      `No shift was found: ${who} differ by ${size}, ` +
        (small ? "too little to matter." : "which chance alone may explain."),
      ...chance(record),
    ],
    todo: [NOTHING],
  };
}

function found(record, finding, threshold) {
  const kind = KINDS[finding?.kind] ?? (record.kind === "classes" ? KINDS.label : null);
  const family = FAMILIES[finding?.family];
  const means = finding?.explanation ? [finished(finding.explanation)] : [];
  if (record.expected || finding?.expected) {
    means.push("This is meant to be so: it was acknowledged, or training was resampled.");
    return { means, todo: [NOTHING] };
  }
  const cause = family ? `The cause that the measurements point to: ${family.means}` : OTHER.means;
  means.push(kind?.means ?? cause);
  const now = record.effect === null ? NaN : Math.abs(record.effect);
  if (record.negligible || finding?.negligible) {
    return { means: [...means, "The effect is there, but too small to matter."], todo: [NOTHING] };
  }
  // A finding is valid for the whole fit, even if the streams are equal again.
  if (now < threshold) {
    means.push(`It was found earlier; at the latest epoch the effect is ${effect(record.effect)}.`);
  } else means.push(...chance(record));
  return { means, todo: [kind?.todo ?? family?.todo ?? OTHER.todo] };
}

/** The p-value of the latest comparison, with a note that it is not corrected for other tests. */
function chance({ log10_p: log10 }) {
  if (log10 === null || log10 === undefined) return [];
  return [
    `The p-value of this one test at the latest look is ${pValue(log10)}, ` +
      "not corrected for the others.",
  ];
}

/** Words as a list in a sentence. */
export function listed(words) {
  return words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words.join("");
}

function finished(sentence) {
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

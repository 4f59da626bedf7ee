/* What a finding means and what can be done, in plain words. */

import { effect, percent, pValue, streamName } from "./format.js";

const KINDS = {
  preprocessing: {
    means:
      "Pixels reach the model in another form than they do in the other stream: another scale, offset or channel order.",
    todo: "Give both streams the same preprocessing. The panel on preprocessing has the line that does it.",
  },
  label: {
    means:
      "The classes come with other frequencies. Accuracy of the two streams cannot be compared as it stands.",
    todo: "Check how the data was split; stratify the split, or weigh the classes. If the target really has another mix, correct the outputs for it.",
  },
  concept: {
    means:
      "Some classes look different here and the others do not: the same name may stand for something else.",
    todo: "Look at samples of those classes in both streams, and check that they were labelled by the same rules.",
  },
};

const FAMILIES = {
  brightness: [
    "The images are lighter or darker as a whole.",
    "Vary brightness in training, or bring both streams to one exposure.",
  ],
  contrast: [
    "Light and dark lie further apart, or closer together.",
    "Vary contrast in training, or look for a step that stretches contrast in one stream only.",
  ],
  blur: [
    "Fine detail is missing, or there is more of it.",
    "Look for another resize method or focus; vary blur in training.",
  ],
  noise: [
    "There is more or less random grain in the images.",
    "Look for another sensor, gain or compression; add noise in training.",
  ],
  compression: [
    "The images carry traces of stronger or weaker compression.",
    "Use the same quality when images are saved; vary JPEG quality in training.",
  ],
  resolution: [
    "The images come from another resolution.",
    "Resize both streams in the same way from the same size.",
  ],
  colour: [
    "The colours, or their balance, differ.",
    "Check white balance and channel order; vary hue and saturation in training.",
  ],
  weather: [
    "It looks like haze, rain, snow or frost.",
    "Collect or imitate such conditions for training.",
  ],
  geometry: [
    "Objects have another size or place in the image.",
    "Check how images are cropped; vary crop, shift and scale in training.",
  ],
  missing: [
    "Values are missing more often, or less often.",
    "Find out where they get lost, and fill them in the same way in both streams.",
  ],
};

const OTHER = {
  means: "The samples of this stream are different from those they are compared with.",
  todo: "Look at samples from both ends of the distribution above. If this is how the data will be in use, train on such data; if not, find the step that differs.",
};

/** The finding about a feature in the pair that is shown, if there is one. */
export function findingOf(overview, name) {
  const pair = overview?.pairs.find((one) => `${one.stream}/${one.against}` === overview.pair);
  const found = (overview?.state?.report?.findings ?? []).filter(
    (finding) => finding?.feature === name,
  );
  return (
    found.find(
      (finding) => !pair || (finding.stream === pair.stream && finding.against === pair.against),
    ) ?? null
  );
}

/** `{means, todo}`: sentences for the detail of a feature. */
export function explain(name, record, finding, pair, threshold) {
  const who = pair
    ? `${streamName(pair.stream)} and ${streamName(pair.against)}`
    : "the two streams";
  if (!record) return { means: [`This run has not measured ${name}.`], todo: [] };
  const chance =
    record.log10_p === null
      ? ""
      : ` A difference like this or larger would come about by chance with p = ${pValue(record.log10_p)}.`;
  if (!record.alarm && !record.expected && !finding) {
    const small = Math.abs(record.effect ?? 0) < threshold;
    return {
      means: [
        record.effect === null
          ? `There is no measurement of ${name} yet.`
          : `No shift: ${who} differ by ${effect(record.effect)} standard deviations between samples, ${small ? "too little to matter" : "which may be chance"}.${chance}`,
      ],
      todo: ["Nothing needs to be done."],
    };
  }
  const means = [];
  if (finding?.explanation) means.push(finished(finding.explanation));
  const kind = KINDS[finding?.kind] ?? (record.kind === "classes" ? KINDS.label : null);
  const family = FAMILIES[finding?.family];
  if (record.expected || finding?.expected) {
    means.push(
      "This is meant to be so: training is augmented at random, so it varies more than the data it is compared with.",
    );
    return {
      means,
      todo: ["Nothing needs to be done, unless training is not meant to be augmented."],
    };
  }
  means.push(kind?.means ?? family?.[0] ?? OTHER.means);
  if (chance) means.push(chance.trim());
  if (record.negligible || finding?.negligible) {
    return {
      means: [...means, "The effect is there, but too small to matter."],
      todo: ["Nothing needs to be done."],
    };
  }
  return { means, todo: [kind?.todo ?? family?.[1] ?? OTHER.todo] };
}

/** How much of a distribution lies elsewhere: half the sum of all differences. */
export function movedInWords(shift) {
  if (!shift) return "";
  const moved = shift.reduce((sum, value) => sum + Math.abs(value), 0) / 2;
  return `${percent(moved)} of the samples lie elsewhere than in the reference.`;
}

function finished(sentence) {
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

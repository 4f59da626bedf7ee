/* The words of this tab, each with its meaning. */

import { html } from "./dom.js";

const WORDS = [
  ["Act", "Something is wrong, and it costs accuracy, or surely will: do what the band says."],
  ["Look", "The data differ; what that costs is unclear. Look at the samples before you act."],
  ["Corrected", "The input is prepared wrongly, and the guard corrects it inside fit."],
  ["Fine", "Nothing differs in a way that costs accuracy."],
  ["Waiting", "There are too few samples, or nothing to compare with, so nothing is judged yet."],
  ["Point", "One hundredth of accuracy: from 0.93 to 0.92 is one point."],
  [
    "Cost",
    "The points of accuracy that are lost to a difference, measured with the present model on " +
      "labelled images. The two numbers beside it are a 95 % interval. Causes that were measured " +
      "together share one cost.",
  ],
  [
    "Cost unclear",
    "The difference is certain, but its cost may be 0 and may also be above the tolerance. More " +
      "labelled samples would show which.",
  ],
  [
    "Beyond chance",
    "The difference is too large to be chance. If nothing differed, at most 1 in 20 fits would " +
      "raise any alarm, over all its epochs and features. This false-alarm rate is " +
      "ShiftGuard(alpha=0.05), the default; the band shows the rate of this run.",
  ],
  [
    "Within tolerance",
    "It differs, but costs less than ShiftGuard(tolerance=) allows (one point, unless you choose " +
      "otherwise), or is too small to matter.",
  ],
  [
    "Made up for",
    "Augmentation changes the training images so that they look like the target. The model then " +
      "trains on images that no longer differ from the target. The stored data still differ.",
  ],
  [
    "Unusual image",
    "One that lies far from the reference, or from training, in brightness, noise, detail and so " +
      "on. The number is the distance in standard deviations between images.",
  ],
  [
    "Goes along",
    "This feature differs too, but a stronger finding has the same cause. It is no finding of its " +
      "own: if you repair the stronger finding, this difference should disappear as well.",
  ],
  [
    "In epochs 1 to 3 only",
    "The difference was found in epoch 1 and is over: the samples of epoch 4 show that it is no " +
      "longer there. If an epoch only fails to show a difference, it counts as lasting.",
  ],
  ["Expected", "Training is augmented at random, so it is meant to vary more than validation."],
  [
    "Effect size",
    "How far two streams lie apart, in standard deviations between samples (Cohen's d). For " +
      "class shares it is Cohen's w. Below 0.1 it is too small to matter; sentences say " +
      "\u201cslightly\u201d below 0.4 and \u201cmuch\u201d from 1.5 on.",
  ],
  [
    "p-value",
    "How probable a difference of this size or more would be if the streams did not differ.",
  ],
  [
    "Stream",
    "Where samples come from: training, validation, the target (unlabelled data of the place " +
      "where the model will work), the reference (data that was kept), the first epoch.",
  ],
  [
    "Validation without the shift, estimated",
    "The accuracy of validation plus what the shift costs. It is what you may win back.",
  ],
  [
    "Accuracy gap",
    "The accuracy that was expected minus the accuracy that was measured. sg.explain_gap says " +
      "how many points each cause takes.",
  ],
  [
    "Augmentation",
    "Random changes of training images, so that the network learns to ignore such changes.",
  ],
  [
    "Adaptation",
    "Training changes so that the model works on the target as well: by augmentation, or by " +
      "aligning what the network computes from both. ShiftGuard(adapt=) turns it on.",
  ],
  [
    "Convention",
    "How pixels become network input: a scale, an offset and the order of the colour channels.",
  ],
  [
    "Misfit",
    "How far the statistics of a batch are from those that batch normalisation kept from " +
      "training, if the input is read in one convention. 0 is a perfect fit.",
  ],
  [
    "Wrong preprocessing",
    "Pixels reach the model on another scale, or with colours in another order, than the one it " +
      "was trained with.",
  ],
  ["Covariate shift", "The inputs differ, such as darker images."],
  ["Label shift", "The classes come with other frequencies."],
  [
    "Concept shift",
    "Some classes look different and the others do not: the same name may stand for something else.",
  ],
];

// What is measured of an image: the names of features on cards and in sentences.
const ATTRIBUTES = [
  ["Brightness", "The mean of all pixels of an image."],
  ["Contrast", "How much the pixels of an image vary, on a logarithmic scale."],
  ["Saturation", "How far the colours are from gray, relative to the contrast."],
  [
    "Balance of the first channel, balance of the second channel, balance of the third channel, " +
      "balance of the fourth channel",
    "How far the mean of the channel lies from the mean brightness, relative to the contrast.",
  ],
  [
    "Finest detail (2 pixels), fine detail (4 pixels), medium detail (8 pixels), coarse detail " +
      "(16 pixels)",
    "How much an image varies at that distance. Blur takes fine detail away, a bad resize adds it.",
  ],
  ["Growth of detail with scale", "How fast the variation grows from fine to coarse detail."],
  ["Edge sharpness", "How steep the edges are."],
  ["Share of edges", "The share of pixels with a steep step beside them."],
  [
    "Noise, noise in flat regions",
    "Grain: what is left of the pixels after smoothing, in the whole image and in its smooth regions.",
  ],
  ["Spikiness of noise", "Low for even grain, high for single dead pixels."],
  ["Blockiness", "The size of the steps at the borders of the 8 x 8 blocks of JPEG."],
  [
    "Share of equal neighbours, share of runs of equal pixels",
    "How many pixels equal their neighbours; many do in enlarged, drawn and compressed images.",
  ],
  ["Variety of gray levels", "High if an image has pixels of every brightness."],
  [
    "Share of brightest pixels, share of darkest pixels",
    "How many pixels are nearly white, and how many are nearly black.",
  ],
  ["Balance of bright and dark", "Above 0 if a few pixels are much brighter than the rest."],
  [
    "Common direction of edges, straightness of edges",
    "How far all edges, and edges that lie close together, share one direction.",
  ],
  [
    "Level of the border, variation along the border, share of background",
    "The outermost pixels, which show padding and frames, and how many pixels look like them.",
  ],
  [
    "Horizontal position of the object, vertical position of the object, size of the object",
    "Of the region that differs from the border; no object is recognised.",
  ],
  ["Class shares", "How often each class comes."],
  ["Content as a whole", "All features together, if no single one stands out."],
];

export function createGlossary() {
  const entry = ([word, meaning]) => html`<dt>${word}</dt><dd>${meaning}</dd>`;
  const entries = [...WORDS, ...ATTRIBUTES].map(entry);
  const node = html`<dl class="glossary" data-testid="glossary">${entries}</dl>`;
  return { node, update() {} };
}

/* The words of this tab, each with its meaning. */

import { html } from "./dom.js";

const WORDS = {
  Act: "Something is wrong, and it costs accuracy, or surely will: do what the band says.",
  Look: "The data differ; what that costs is unclear. Look at the samples before you act.",
  Corrected: "The input is prepared wrongly, and the guard corrects it inside fit.",
  Fine: "Nothing differs in a way that costs accuracy.",
  "Nothing compared": "There are too few samples, or nothing to compare with, so nothing is judged yet.",
  Cost: `The points of accuracy (hundredths) that are lost to a difference, measured with the present
    model on labelled samples; with its 95 % interval. Causes that were measured together share one.`,
  "Cost unclear": "The difference is certain, but its cost may be 0, or above the tolerance.",
  "Within tolerance": `It differs, but costs less than ShiftGuard(tolerance=) allows, or is too small
    to matter.`,
  Follows: `This feature differs too, but a stronger finding has the same cause: if you repair
    that one, this difference should disappear as well.`,
  "In epochs 1 to 3 only": "The samples of epoch 4 show that the difference is no longer there.",
  Expected: "Training is augmented at random, so it is meant to vary more than validation.",
  "Effect size": `How far two streams lie apart, in standard deviations between samples (Cohen's d;
    for class shares Cohen's w). Below 0.1 it is too small to matter; sentences say \u201cslightly\u201d
    below 0.4 and \u201cmuch\u201d from 1.5 on.`,
  "Beyond chance": `If nothing differed, at most 1 in 20 fits would raise any alarm, over all epochs and
    features: ShiftGuard(alpha=0.05).`,
  Stream: `Where samples come from: training, validation, the target (unlabelled data of the place where
    the model will work), the reference (data that was kept), the first epoch.`,
  "With the repair": "Validation in the same epoch, measured once more with the repair of the finding.",
  "Accuracy gap": `The accuracy that was expected minus the measured one. sg.explain_gap says how many
    points each cause takes.`,
  Adaptation: `Training changes so that the model works on the target as well: by augmentation (random
    changes of training images), or by aligning what the network computes from both.`,
  Convention: "How pixels become network input: a scale, an offset and the order of the colour channels.",
  Misfit: `How far the statistics of a batch are from those that batch normalisation kept from training,
    if the input is read in one convention. 0 is a perfect fit.`,
  "Covariate shift": "The inputs differ, such as darker images.",
  "Label shift": "The classes come with other frequencies.",
  "Concept shift": "Some classes look different and the others do not: a name may stand for something else.",
  "Unusual image": "One that lies far from the reference, or from training, in brightness, noise and so on.",
  // What is measured of an image: the names of features.
  Brightness: "The mean of all pixels of an image.",
  Contrast: "How much the pixels of an image vary, on a logarithmic scale.",
  Saturation: "How far the colours are from gray, relative to the contrast.",
  "Growth of detail with scale": "How fast the variation grows from fine to coarse detail.",
  "Share of brightest pixels, share of darkest pixels": "How many are nearly white, or nearly black.",
  "Class shares": "How often each class comes.",
  "Balance of the first channel, balance of the second channel, balance of the third channel, balance of the fourth channel":
    "How far the mean of the channel lies from the mean brightness, relative to the contrast.",
  "Finest detail (2 pixels), fine detail (4 pixels), medium detail (8 pixels), coarse detail (16 pixels)":
    "How much an image varies at that distance. Blur takes fine detail away, a bad resize adds it.",
  "Edge sharpness, share of edges": "How steep the edges are, and how many pixels have one beside them.",
  "Noise, noise in flat regions": "What is left of the pixels after smoothing, everywhere or in smooth regions.",
  "Spikiness of noise": "Low for even grain, high for single dead pixels.",
  Blockiness: "The size of the steps at the borders of the 8 x 8 blocks of JPEG.",
  "Share of equal neighbours, share of runs of equal pixels":
    "How many pixels equal their neighbours; many do in enlarged, drawn and compressed images.",
  "Variety of gray levels": "High if an image has pixels of every brightness.",
  "Balance of bright and dark": "Above 0 if a few pixels are much brighter than the rest.",
  "Common direction of edges, straightness of edges":
    "How far all edges, and edges that lie close together, share one direction.",
  "Level of the border, variation along the border, share of background":
    "The outermost pixels, which show padding and frames, and how many pixels look like them.",
  "Horizontal position of the object, vertical position of the object, size of the object":
    "Of the region that differs from the border; no object is recognised.",
};

export function createGlossary() {
  const entry = ([word, meaning]) => html`<dt>${word}</dt><dd>${meaning.replace(/\s+/g, " ")}</dd>`;
  const node = html`<dl class="glossary" data-testid="glossary">${Object.entries(WORDS).map(entry)}</dl>`;
  return { node, update() {} };
}

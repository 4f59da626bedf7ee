"""Limits (thresholds) of the verdict, in one place, with their sources.

Misfits are logarithms (lower is better), gaps are differences of two misfits, and sigmas are
standard errors. `by_evidence.py` says where they are used.
The benchmarks `verdicts.py` and `preprocessing.py` in `examples/benchmarks` measure how well the
limits work, with other networks and other draws of photos than those that they were chosen on.
"""

import numpy as np

# --- the posterior (its weights are in `posterior.py`) --------------------------------------------

MIN_OK, MIN_MISMATCH = 0.7, 0.9  # smallest probabilities for "ok", and for a mismatch

# --- batch norm (chosen on EfficientNet-Lite0, with other draws of photos) -----------------

MIN_IMAGES = 4  # with fewer images, batch norm is no evidence
# Largest misfit of gray images whose dark and bright are exchanged: images of other subjects may
# look like that.
MAX_INVERTED_FIT = np.log(0.2)
MAX_FAIR_FIT = np.log(0.35)  # images like those of the training fit at least this well
MIN_MODE_GAP, MIN_MODE_SIGMAS = 0.3, 3.0  # an unusual order of the means must fit better by both
# Gap by which the expected mode must fit better for the fix to be offered, if the trial cannot
# tell. Only raw pixels in place of small numbers, and the reverse, give such a gap.
MIN_OBVIOUS_GAP = np.log(5.0)
MIN_SWAP_GAP, MIN_SWAP_SIGMAS = 0.08, 4.0  # swapped channels must fit better by both
MIN_LIKELY_SWAP_SIGMAS = 2.0  # above it a swap is likely, but not yet a mismatch

# --- the trial (chosen on Lite0, torchvision's MobileNetV2 and small networks) --------------

MIN_TRIAL_IMAGES, MAX_TRIAL_IMAGES = 8, 32  # numbers of distinct images
MIN_IMAGES_ALONE = 16  # with fewer images, the trial can only support batch norm
TRIAL_TEMPERATURE = 0.1  # of the softmax over cosine similarities
# How well a network must tell the images apart, from 0 (chance) to 1 (perfect), for the trial to
# count. Tiles of one picture and untrained networks stay below.
MIN_TOLD_APART = 0.5
MIN_TRIAL_SIGMAS = 3.0  # the fix must help by more, if batch norm does not support it
MIN_TRIAL_SIGMAS_SUPPORTED = 2.0  # likewise, if batch norm or clearly garbled images support it
# Likewise, if the network ends in a classifier of the user and the two conventions are close. With
# a classifier trained on a frozen backbone, a wrong fix to the close convention reached 2.9.
MIN_HEAD_SIGMAS = 3.5
# Likewise, for a fix that the model's own layers suggest. With a classifier that was trained on
# images in another convention, a wrong fix reached 3.2. Right fixes reached 8 or more.
MIN_LAYERS_SIGMAS = 4.5
# Layers of an unrecognized network are not believed if the fix that they suggest does harm by more.
# On Fashion-MNIST, networks that had learned from images scaled twice reached 2.3 or more. Networks
# that were fed wrongly reached 1.2 at most, or did not distinguish the images at all (0.0).
MIN_OBJECTION_SIGMAS, MIN_APART_TO_OBJECT = 1.5, 0.1
MIN_HELP_SIGMAS = 1.0  # a fix that helps by more is offered, if the verdict is sure
MIN_ACQUITTAL_SIGMAS = 2.0  # for "ok" by the trial alone, other modes must score worse by more
# The trial stops after `FIRST_IMAGES` distinct images if the fix helps by `CLEAR_SIGMAS`, or does
# harm by `MIN_ACQUITTAL_SIGMAS`.
FIRST_IMAGES, CLEAR_SIGMAS = 16, 4.5

# --- the feed: the images as fed ------------------------------------------------------------

MIN_CERTAINTY = 0.9  # from this certainty on, the observed convention is sure
MIN_CERTAINTY_WIDE_GAP = 0.5  # is enough if the gap of batch norm is twice `MIN_MODE_GAP`
# Gray levels that ordinary photos reach in both directions. A collection that does not (all
# pale, all dark, low in contrast) looks as if it were in a neighboring convention.
DARK, BRIGHT = 64.0, 191.0
# Limits of `Levels` (not tuned): the quantiles that become black and white, and the number of
# gray levels that must lie between them. Noise and compression alone fill a smaller span.
DARKEST, BRIGHTEST, MIN_LEVELS_SPAN = 0.01, 0.99, 16.0
# Contrast that the training images may have had, as a share of the contrast of the images as fed.
# It is the contrast of a collection that just spans `DARK` to `BRIGHT`.
LOW_CONTRAST = (BRIGHT - DARK) / 255
# If two conventions differ by this factor, pale or dark images cannot explain the difference.
FAR_FACTOR = 10.0
MAX_OUTSIDE = 0.1  # how far augmentation may take values out of 0..255, as a share of that range
# If 5 % of the values are further out than this, they are in another convention. In between, they
# are undecided: the random brightness of `tf.image` does not clip, and takes white backgrounds out.
MAX_MANY_OUTSIDE = 0.3
# Augmented images fit a stated convention if 98 % of their values span at least this share of its
# range. So images in [0, 1], which span at most half of [-1, 1], do not fit [-1, 1].
MIN_STATED_SPAN = 0.6
MIN_SPAN_FROM_BLACK = 1 / 16  # the same share for dark images, whose darkest value is black
# Pale or dark images fit a stated convention if the share that they span of its range is larger by
# this factor than that of any other range that holds them. For images in [-1, 1] it is 2 or less.
MIN_SPAN_RATIO = 1.5
# Images that span more of the range and reach neither black nor white are in another convention: in
# that of CLIP, ordinary photos span 85 % of the range of "torch".
MAX_PALE_SPAN = 0.75
MAX_EXTREME_OUTSIDE = 0.5  # how far single values may exceed a stated range, as a share of it

# --- garbled images (chosen on photos of 224 and 32 pixels; CIFAR photos agree) ------------------

# Roughness of the repaired images divided by that of the images as fed, in the worse of the two
# directions: up to 0.7 if the images are garbled, 1 for noise such as radar, else 1.5 or more.
MAX_LAYOUT_ROUGHNESS = 0.8
MAX_CHROMA_SPREAD = 0.45  # deviation divided by that of channel 1: chroma 0.2, colors 1
MAX_CHROMA_MEAN_ERROR = 12.0  # largest distance of mean chroma from 128, in gray levels
MAX_HUE_CORRELATION = 0.45  # about 0 between hue and other channels, above 0.85 between colors

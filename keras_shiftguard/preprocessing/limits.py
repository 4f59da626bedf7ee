"""The limits of the verdict, in one place, each with where it comes from.

Misfits are logarithms (lower is better) and gaps are differences of two misfits; sigmas are
standard errors. `examples/benchmarks/verdicts.py` and `preprocessing.py` measure how well the
limits work, on networks and draws that they were not chosen on.
"""

import numpy as np

# --- what batch norm says (chosen on other draws of photos on EfficientNet-Lite0) ----------

MIN_IMAGES = 4  # with fewer images no mismatch is reported
MAX_GOOD_FIT = np.log(0.26)  # of the best hypothesis; blurred or hazy images fit worse
# Images of other subjects may look inverted, so an inversion must fit better than
# `MAX_GOOD_FIT`, and by a wider gap.
MAX_INVERTED_FIT, MIN_INVERTED_GAP = np.log(0.2), 2.0
MAX_FAIR_FIT = np.log(0.35)  # images like those of the training fit at least this well
MAX_CLEAR_FIT = np.log(0.5)  # likewise, if every other mode fits worse by the limits below
MIN_MODE_GAP, MIN_MODE_SIGMAS = 0.3, 3.0  # by which another mode must fit better
# By which it must fit better for its fix to be offered, where the trial cannot tell. Of the wrong
# modes only raw pixels in place of small numbers, and the reverse, are so far off.
MIN_OBVIOUS_GAP = np.log(5.0)
MIN_SWAP_GAP, MIN_SWAP_SIGMAS = 0.08, 4.0  # by which swapped channels must fit better
MIN_LIKELY_SWAP_SIGMAS = 2.0  # from here on a swap is called likely, but is no mismatch

# --- what the trial says (chosen on Lite0, torchvision's MobileNetV2 and small networks) ----

MIN_TRIAL_IMAGES, MAX_TRIAL_IMAGES = 8, 32  # distinct images
MIN_IMAGES_ALONE = 16  # with fewer images, the trial supports batch norm but is no witness itself
TRIAL_TEMPERATURE = 0.1  # of the softmax over cosine similarities
# How far from chance to perfect a network must tell the images apart, or it cannot judge. Tiles
# of one picture and untrained networks stay below.
MIN_TOLD_APART = 0.5
MIN_TRIAL_SIGMAS = 3.0  # by which the fix must help, if the trial is one of two witnesses
MIN_TRIAL_SIGMAS_SUPPORTED = 2.0  # likewise, if batch norm says the same
# Likewise, if somebody trained the classifier at the end of the network, and the two conventions
# are alike: on a frozen backbone fed the one, the other helped by up to 2.9.
MIN_HEAD_SIGMAS = 3.5
MIN_HELP_SIGMAS = 1.0  # by which it must help to be offered, if the other two witnesses convict
MIN_ACQUITTAL_SIGMAS = 2.0  # by which every rival must be worse than the images as fed
# Distinct images that are enough, if with them the fix helps by `CLEAR_SIGMAS` or does harm.
FIRST_IMAGES, CLEAR_SIGMAS = 16, 4.5

# --- what the feed shows --------------------------------------------------------------------

MIN_CERTAINTY = 0.9  # of the observation, to be sure of the convention of the feed
MIN_CERTAINTY_WIDE_GAP = 0.5  # likewise, if batch norm tells it by twice `MIN_MODE_GAP`
# Grey levels that ordinary photos reach in both directions. A collection that does not (all
# pale, all dark, low in contrast) looks as if it were in a neighbouring convention.
DARK, BRIGHT = 64.0, 191.0
# A factor by which two conventions differ too much for a pale or dark collection to matter.
FAR_FACTOR = 10.0
MAX_OUTSIDE = 0.1  # how far augmentation may take values out of 0..255, as a share of that range

# --- garbled images (chosen on photos of 224 and 32 pixels; those of CIFAR agree) ---------------

MAX_LAYOUT_ROUGHNESS = 0.8  # of the right layout, in that as fed: .3 or .55 if garbled, else 1.8
MAX_CHROMA_SPREAD = 0.45  # of chroma, in that of luma: about .2; of colours about 1
MAX_CHROMA_MEAN_ERROR = 12.0  # grey levels between mean chroma and 128
MAX_HUE_CORRELATION = 0.45  # of hue with the other channels: about 0; of colours above .85

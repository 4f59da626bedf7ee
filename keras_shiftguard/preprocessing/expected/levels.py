"""Levels of ordinary photos: what makes a pale, dark, hazy or tinted collection comparable.

Batch norm stores statistics of ordinary images. A collection that is pale, dark, hazy or tinted
fits these statistics badly in every convention, also in the right one, and it may fit a wrong one
by chance. Photo editors correct such images by their levels: in each channel, the darkest values
become black and the brightest white. The correction stays within the convention that the images
were fed in. So images in [0, 1] stay in [0, 1], and still fit badly if the model expects [-1, 1].
"""

import numpy as np

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.profiles import InputSummary

# Gray levels that ordinary photos reach in both directions. A collection that does not (all
# pale, all dark, low in contrast) looks as if it were in a neighboring convention.
DARK, BRIGHT = 64.0, 191.0
# Limits that were not tuned: the quantiles that become black and white, and the number of gray
# levels that must lie between them. Noise and compression alone fill a smaller span.
DARKEST, BRIGHTEST, MIN_LEVELS_SPAN = 0.01, 0.99, 16.0

Correction = tuple[np.ndarray, np.ndarray]  # gain and bias of each channel as fed


def level_correction(observed: InputConvention, summary: InputSummary) -> Correction | None:
    """Returns gain and bias of each channel that give images the levels of ordinary photos.

    The result is None if the images are not in color or in no named convention, if they reach dark
    and bright values in every channel, as ordinary photos do, or if they hardly vary.

    Args:
        observed: The convention of the images as fed.
        summary: The profile of the input.
    """
    if summary.num_channels != 3 or observed.mode not in MODES:
        return None
    scale, offset = (
        np.broadcast_to(np.asarray(v, "float64"), 3) for v in (observed.scale, observed.offset)
    )
    low, high = (
        (np.asarray([summary.quantile(q, c) for c in range(3)]) - offset) / scale
        for q in (DARKEST, BRIGHTEST)
    )
    if np.all(low < DARK) and np.all(high > BRIGHT):
        return None
    if not np.all(high - low > MIN_LEVELS_SPAN):
        return None
    # In raw pixels: (raw - low) * stretch. In the convention as fed, `offset` is black.
    stretch = 255 / (high - low)
    return stretch, offset - stretch * (offset + scale * low)

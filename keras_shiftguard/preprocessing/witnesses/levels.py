"""Levels of images: what gives pale, dark, hazy or tinted images those of ordinary photos."""

import numpy as np

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.limits import MIN_SPAN, QUARTER
from keras_shiftguard.profiles import InputSummary

Levels = tuple[np.ndarray, np.ndarray]  # gain and bias of each channel as fed


def level_correction(observed: InputConvention, summary: InputSummary) -> Levels | None:
    """Returns gain and bias of each channel that give images the levels of ordinary photos.

    Batch norm stores statistics of ordinary images. A collection that is pale, dark, hazy or tinted
    fits these statistics badly in every convention, also in the right one, and it may fit a wrong
    one by chance. Photo editors correct such images by their levels: in each channel, the darkest
    values become black and the brightest white. The images stay in the convention that they were
    fed in.

    The result is None if the images are not in color or in no named convention, if they reach dark
    and bright values in every channel, as ordinary photos do, or if they hardly vary.
    """
    if summary.num_channels != 3 or observed.mode not in MODES:
        return None
    scale, offset = (
        np.broadcast_to(np.asarray(v, "float64"), 3) for v in (observed.scale, observed.offset)
    )
    low, high = (summary.channel_quantiles(0.01, 0.99) - offset) / scale
    is_ordinary = np.all(low < QUARTER) and np.all(high > 255 - QUARTER)
    if is_ordinary or not np.all(high - low > MIN_SPAN):
        return None
    # In raw pixels: (raw - low) * stretch. In the convention as fed, `offset` is black.
    stretch = 255 / (high - low)
    return stretch, offset - stretch * (offset + scale * low)

"""What the feed shows by itself: whether it surely is in the convention that it seems to be in."""

import numpy as np

from keras_shiftguard.preprocessing.correction.convention import InputConvention, affine_between
from keras_shiftguard.preprocessing.limits import BRIGHT, DARK, FAR_FACTOR
from keras_shiftguard.profiles import InputSummary


def is_filled(summary: InputSummary, observed: InputConvention) -> bool:
    """Whether the images reach dark and bright pixels, as ordinary photos do.

    Args:
        summary: The profile of the input.
        observed: The convention that the images are in.
    """
    scale, offset = np.asarray(observed.scale), np.asarray(observed.offset)
    ends = (np.asarray([summary.quantile(0.01), summary.quantile(0.99)])[:, None] - offset) / scale
    return bool(ends.min() < DARK and ends.max() > BRIGHT)


def could_be_the_subject(
    summary: InputSummary, observed: InputConvention, expected: InputConvention
) -> bool:
    """Whether pale, dark or hazy images could explain why another convention seems to fit.

    Stretched, such images look more like those of training, to batch norm and to the trial.
    That does not explain a factor such as 255.
    """
    _, gain, _ = affine_between(observed, expected)
    near = np.all((np.abs(gain) < FAR_FACTOR) & (np.abs(gain) > 1 / FAR_FACTOR))
    return bool(near) and not is_filled(summary, observed)

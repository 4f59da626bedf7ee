"""Feed evidence: checks whether the images as fed are certainly in the observed convention."""

import numpy as np

from keras_shiftguard.conventions import Form
from keras_shiftguard.preprocessing.correction.convention import InputConvention, affine_between
from keras_shiftguard.preprocessing.limits import BRIGHT, DARK, FAR_FACTOR
from keras_shiftguard.preprocessing.observation import MAX_GAP
from keras_shiftguard.profiles import InputSummary


def is_filled(summary: InputSummary, observed: InputConvention) -> bool:
    """Whether the images reach dark and bright pixels, as ordinary photos do."""
    scale, offset = np.asarray(observed.scale), np.asarray(observed.offset)
    ends = (summary.channel_quantiles(0.01, 0.99) - offset) / scale
    return bool(ends.min() < DARK and ends.max() > BRIGHT)


def shows_its_convention(
    summary: InputSummary,
    observed: InputConvention,
    expected: InputConvention,
    is_fitted: bool,
) -> bool:
    """Whether the values rule out pale or dark images in the expected convention.

    Values from 0.06 to 1 may be ordinary images in [0, 1], or pale images in [-1, 1]. The values
    rule out pale images if they leave the expected range. They also do so if they reach the
    black or white of the observed convention, and this black or white has another value in the
    expected convention.

    Args:
        summary: Statistics of the images as fed.
        observed: The convention that the images seem to be in.
        expected: The convention that the model expects.
        is_fitted: Whether `observed` was fitted to the smallest and the largest value, so that
            images of any kind reach its black and white.
    """
    form = Form(("expected",), "", np.asarray(expected.scale), np.asarray(expected.offset))
    if not form.holds(summary.minimum, summary.maximum):
        return True
    return not is_fitted and reaches_own_end(summary, observed, expected)


def reaches_own_end(
    summary: InputSummary, observed: InputConvention, expected: InputConvention
) -> bool:
    """Whether the values reach a black or white of `observed` that `expected` does not share.

    All channels must reach it if each has its own numbers: one channel may reach it by chance.
    """
    scale, offset = np.asarray(expected.scale), np.asarray(expected.offset)
    own_scale, own_offset = np.asarray(observed.scale), np.asarray(observed.offset)
    is_enough = np.all if np.ptp(own_scale) or np.ptp(own_offset) else np.any
    for end, found in ((0.0, summary.minimum), (255.0, summary.maximum)):
        value = own_offset + end * own_scale
        is_shared = np.all(np.abs((value - offset) / scale - end) < MAX_GAP)
        if not is_shared and is_enough(np.abs((found - own_offset) / own_scale - end) < MAX_GAP):
            return True
    return False


def could_be_the_subject(
    summary: InputSummary, observed: InputConvention, expected: InputConvention
) -> bool:
    """Whether pale, dark or hazy images could explain why another convention seems to fit.

    A fix that stretches the contrast of such images makes them look more like training images to
    batch norm and the trial. The stretching of contrast cannot explain a factor as large as 255.
    """
    return are_near(observed, expected) and not is_filled(summary, observed)


def are_near(one: InputConvention, other: InputConvention) -> bool:
    """Whether the scales of two conventions differ by less than a factor of ten."""
    _, gain, _ = affine_between(one, other)
    return bool(np.all((np.abs(gain) < FAR_FACTOR) & (np.abs(gain) > 1 / FAR_FACTOR)))

"""Feed evidence: what the values of the images as fed say of the convention that they are in.

The values alone accuse nobody if they may be pale, dark or augmented images in the expected
convention.
"""

import numpy as np

from keras_shiftguard.conventions import Form, forms
from keras_shiftguard.preprocessing.correction.convention import InputConvention, affine_between
from keras_shiftguard.preprocessing.limits import MIN_MISMATCH, MIN_OK, MIN_SPAN, QUARTER
from keras_shiftguard.preprocessing.observed.extremes import MAX_GAP, MAX_OUTSIDE, hits_an_end
from keras_shiftguard.preprocessing.observed.observation import Observation
from keras_shiftguard.profiles import InputSummary

# If two conventions differ by this factor, pale or dark images cannot explain the difference. A
# convention.
FAR_FACTOR = 10.0
# If 5 % of the values are further out than this, they are in another convention. Up to
# `MAX_OUTSIDE` they are augmented. In between, they are undecided: the random brightness of
# `tf.image` does not clip, and takes white backgrounds out. A convention.
MAX_MANY_OUTSIDE = 0.3
# Augmented images span at least so large a share of a range. Those in [0, 1] span at most half of
# [-1, 1]. A convention.
MIN_STATED_SPAN = 0.6
# Pale images span at most so large a share of a range, and other ranges that hold them no more than
# this share of it. Ordinary photos in the convention of CLIP span 85 % of the range of "torch". A
# convention.
MAX_PALE_SPAN = 0.75


def is_fed_another(
    observation: Observation,
    summary: InputSummary,
    observed: InputConvention,
    expected: InputConvention,
) -> bool:
    """Whether images in a known convention are surely not in the expected one.

    The range of pale images in [-1, 1] can be that of images in [0, 1], and augmentation takes
    values out of the expected range. The black or white of another convention is no chance, and no
    paleness explains a scale that is far off. A single broken pixel can widen a fitted range, but
    not narrow it.
    """
    is_far = not are_near(observed, expected)
    is_shown = observation.by_grid or (
        not observation.is_fitted and reaches_own_end(summary, observed, expected)
    )
    could_be_one_pixel = observation.is_fitted and not is_narrower(observed, expected)
    is_clear = observation.certainty >= MIN_OK and not could_be_one_pixel
    if (observation.certainty >= MIN_MISMATCH and (is_far or is_shown)) or (is_clear and is_far):
        return True
    return _outside(summary, expected, MAX_MANY_OUTSIDE)


def why_as_expected(
    observation: Observation, summary: InputSummary, expected: InputConvention, stated: bool
) -> str:
    """Returns why images of an uncertain convention are in the expected one; "" if they may not.

    Resizing with a sharp filter and changes of brightness take single values out of the range.
    Dark collections do not reach white, but their black has the right value. Pale collections whose
    white has the right value are not decided: white is 1 both in [0, 1] and in [-1, 1]. Other pale
    or dark images need a statement, and must fill its range better than any other.
    """
    form = Form(("stated",), "", np.asarray(expected.scale), np.asarray(expected.offset))
    ends = form.to_raw(np.stack([summary.minimum, summary.maximum]))
    low, high = form.to_raw(summary.channel_quantiles(0.01, 0.99))
    excess = max(-ends[0].min(), ends[1].max() - 255)
    is_inside = excess <= 2 * QUARTER and not _outside(summary, expected, MAX_OUTSIDE)
    if observation.kind is None and observation.certainty < MIN_OK and is_inside:
        span = (high.min() - low.max()) / 255
        if span >= MIN_STATED_SPAN and _reaches_an_end(ends):
            return (
                f"The values fill the range of {expected}, with few outside, as augmentation does."
            )
        if np.all(np.abs(ends[0]) < MAX_GAP) and 255 * span >= MIN_SPAN:
            return f"The values begin at black of {expected}, and stay in a part of its range."
    if not stated or observation.kind not in (None, "scaled_twice"):
        return ""
    span = form.span(summary.minimum, summary.maximum)
    if observation.certainty >= MIN_MISMATCH or not 0 < span <= MAX_PALE_SPAN:
        return ""
    if any(_is_likelier(rival, expected, span, summary) for rival in forms(summary.num_channels)):
        return ""
    return f"The values lie in the range of {expected}, and span {100 * span:.0f} % of it."


def fills_stated_range(
    observation: Observation, summary: InputSummary, expected: InputConvention
) -> bool:
    """Whether images fit a stated convention without a name, which `observe` cannot recognize.

    Their values come from pixels in 0..255 and span enough of that range. They must also reach
    black or white, unless the observed convention is uncertain.
    """
    form = Form(("stated",), "", np.asarray(expected.scale), np.asarray(expected.offset))
    is_held = form.span(summary.minimum, summary.maximum) > 0
    return is_held and (observation.certainty < MIN_MISMATCH or hits_an_end(form, summary))


def _is_likelier(
    rival: Form, expected: InputConvention, span: float, summary: InputSummary
) -> bool:
    """Whether images span more of the range of another convention, or reach its black or white.

    If the means were subtracted in the other order, the channels differ less in that order.
    """
    other = rival.span(summary.minimum, summary.maximum)
    if rival.has_two_steps or not other:
        return False
    if rival.steps == (expected.mode,):
        return other < span - 1e-6
    ends = rival.to_raw(np.stack([summary.minimum, summary.maximum]))
    return _reaches_an_end(ends) or other > MAX_PALE_SPAN * span


def _reaches_an_end(ends: np.ndarray) -> bool:
    """Whether all channels reach black, or all reach white; `ends` are raw pixels."""
    return bool(np.all(ends[0] < MAX_GAP) or np.all(ends[1] > 255 - MAX_GAP))


def _outside(summary: InputSummary, expected: InputConvention, share: float) -> bool:
    """Whether more than 5 % of the values leave the expected range by `share` of it or more."""
    values = summary.channel_quantiles(0.05, 0.95)
    low, high = (values - np.asarray(expected.offset)) / np.asarray(expected.scale)
    return bool(low.min() < -share * 255 or high.max() > (1 + share) * 255)


def is_narrower(observed: InputConvention, expected: InputConvention) -> bool:
    """Whether pixels become smaller numbers in the observed convention than in the expected one."""
    return bool(np.all(np.abs(np.asarray(observed.scale)) < np.abs(np.asarray(expected.scale))))


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


def are_near(one: InputConvention, other: InputConvention) -> bool:
    """Whether the scales of two conventions differ by less than a factor of ten."""
    _, gain, _ = affine_between(one, other)
    return bool(np.all((np.abs(gain) < FAR_FACTOR) & (np.abs(gain) > 1 / FAR_FACTOR)))

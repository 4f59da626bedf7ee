"""The extremes of the values: black and white of a convention.

In a convention with `mean` and `std` (of pixels in 0..1), black is `-mean / std` and white is `(1 -
mean) / std`, which may differ by channel.
"""

import numpy as np

from keras_shiftguard.conventions import MODES_WITH_ORDER, Form, forms
from keras_shiftguard.preprocessing.correction.convention import UNKNOWN, InputConvention
from keras_shiftguard.preprocessing.correction.convention_words import mistake_in_words
from keras_shiftguard.preprocessing.limits import MIN_SPAN, MOST, QUARTER
from keras_shiftguard.preprocessing.observed.observation import (
    MIN_OBSERVED,
    Observation,
    convention_of,
)
from keras_shiftguard.profiles import InputSummary

# How far augmentation may take values out of 0..255, as a share of that range. A convention.
MAX_OUTSIDE = 0.1
# Gray levels by which the extremes may miss black or white; values that span less lie on any grid.
# A convention.
MAX_GAP = 3.0


def from_extremes(summary: InputSummary, range_sentence: str) -> Observation:
    """Returns the one convention whose range fits the values.

    If not exactly one convention fits, three others are tried in turn: a convention that single
    values exceed, two preprocessing steps in a row, and a custom convention.
    """
    channels = summary.num_channels
    low, high = summary.minimum, summary.maximum
    single = [form for form in forms(channels) if not form.has_two_steps]
    if not _can_be_raw(summary):
        single = [form for form in single if form.steps[0] != "raw"]
    fitting = [form for form in single if form.holds(low, high) and _is_typical(form, summary)]
    modes = {form.steps[0] for form in fitting}
    if "unit" in modes:
        modes &= {"unit"}  # values in [0, 1] fit [-1, 1] as well
    if len(modes) == 1:
        (mode,) = modes
        of_mode = [form for form in fitting if form.steps[0] == mode]
        if mode not in MODES_WITH_ORDER:
            convention = convention_of(mode, None, channels)
            return Observation(convention, None, 0.97, (f"{range_sentence} This is {convention}.",))
        if len(of_mode) == 1 and of_mode[0].order:
            convention = InputConvention(mode, of_mode[0].order)
            found = f"{range_sentence} Black or white has its value of {convention}."
            return Observation(convention, None, 0.95, (found,))
    exceeding = _exceeding(single, summary)
    if exceeding is not None:
        (mode,) = exceeding.steps
        convention = convention_of(mode, exceeding.order or None, channels)
        found = f"{range_sentence} This is {convention}, with single values beyond black and white."
        return Observation(convention, None, 0.8, (found,))
    twice = _two_steps(summary)
    if twice is not None:
        convention, is_sure = twice
        found = f"{range_sentence} This is {mistake_in_words(convention)}."
        if not is_sure:
            found = f"{range_sentence} This may be {mistake_in_words(convention)}."
        return Observation(convention, "scaled_twice", 0.97 if is_sure else 0.7, (found,))
    return _fitted(summary, range_sentence)


def _exceeding(single: list[Form], summary: InputSummary) -> Form | None:
    """Returns the form in which all channels reach black and white, or exceed them a little.

    Returns None if there is no such form, or more than one.
    """
    ends = np.stack([summary.minimum, summary.maximum])
    most = summary.channel_quantiles(0.05, 0.95)
    found = []
    for form in single:
        low, high = form.to_raw(ends)
        reaches = np.all(low < MAX_GAP) and np.all(high > 255 - MAX_GAP)
        is_near = low.min() > -QUARTER and high.max() < 255 + QUARTER
        if reaches and is_near and np.abs(form.to_raw(most) - 127.5).max() < 127.5 + MAX_GAP:
            found.append(form)
    return found[0] if len(found) == 1 else None


def _fitted(summary: InputSummary, range_sentence: str) -> Observation:
    """Returns a custom scale and offset, for values that no named convention fits.

    The result is "unknown" if there are fewer than 8 images, if all values are in 0..256, or if a
    channel is constant.
    """
    low, high = summary.minimum, summary.maximum
    inside = -1.001 <= low.min() and high.max() <= 256
    if summary.num_measured < MIN_OBSERVED or (inside and low.min() >= 0) or np.any(high <= low):
        found = f"{range_sentence} This fits several conventions, and none well."
        return Observation(UNKNOWN, None, 0.0, (found,))
    scale, offset = (high - low) / 255, low
    # If the scales and offsets of the channels are nearly equal, all channels get the same.
    if np.ptp(scale) < 0.05 * scale.mean() and np.ptp(offset) < 0.05 * np.ptp([low, high]):
        scale = np.full_like(scale, (high.max() - low.min()) / 255)
        offset = np.full_like(offset, low.min())
    order = "gray" if summary.num_channels == 1 else "unknown"
    custom = InputConvention("custom", order, tuple(scale.tolist()), tuple(offset.tolist()))
    mean, std = summary.mean, summary.std
    # A scale and an offset can be fitted to any dark or pale images. The fit is only
    # plausible if mean and deviation are those of standardized data.
    standardised = np.all(np.abs(mean) < 0.5) and np.all(np.abs(std - 1) < 0.4)
    like = (
        "standardised with the mean and deviation of a data set"
        if standardised
        else "no convention with a name"
    )
    found = (
        f"{range_sentence} Mean {in_list(mean)}, deviation {in_list(std)}: {like}. If its darkest "
        f"value is black and its brightest white, this is {custom}."
    )
    return Observation(custom, None, 0.7 if standardised else 0.3, (found,))


def _two_steps(summary: InputSummary) -> tuple[InputConvention, bool] | None:
    """Returns the convention that results from two named steps in a row; None if none fits.

    If several conventions fit, the function returns the one whose range the values fill best. The
    values must fill at least half of the range. The second result is whether they also reach its
    black or white, or fill nearly all of it. If not, dark images in another convention may look
    alike.
    """
    low, high = summary.minimum, summary.maximum
    best: tuple[float, Form] | None = None
    for form in forms(summary.num_channels):
        if not form.has_two_steps or not form.holds(low, high):
            continue
        coverage = form.coverage(low, high)
        if coverage >= 0.5 and (best is None or coverage > best[0] + 1e-6):
            best = (coverage, form)
    if best is None:
        return None
    form = best[1]
    # In the order "mixed", the channels were reversed twice, and all orders have the same numbers.
    order = form.order if form.order in ("rgb", "bgr") else "unknown"
    order = "gray" if summary.num_channels == 1 else order
    scale, offset = tuple(form.scale.tolist()), tuple(form.offset.tolist())
    filled = (form.to_raw(high) - form.to_raw(low)) / 255
    is_sure = np.all(filled > MOST) or hits_an_end(form, summary)
    return InputConvention("custom", order, scale, offset), bool(is_sure)


def _is_typical(form: Form, summary: InputSummary) -> bool:
    """Whether the values are typical of images in this form."""
    if form.steps[0] in MODES_WITH_ORDER:
        return hits_an_end(form, summary)
    # The values span a quarter of 0..255 and come near to black or white. In "tf", dark pixels are
    # clearly negative. In [0, 1] images, a sharp filter or jitter makes only single values slightly
    # negative.
    raw = form.to_raw(np.stack([summary.minimum, summary.maximum]))
    return bool(
        np.ptp(raw) > QUARTER
        and (raw[0].min() < 30 or raw[1].max() > 225)
        and (form.steps[0] != "tf" or summary.quantile(0.02) < -MAX_OUTSIDE)
    )


def _can_be_raw(summary: InputSummary) -> bool:
    """Whether the values are whole numbers, or not nearly all close to each other.

    One broken pixel can stretch the range of standardized values to that of raw images.
    """
    if summary.lattice_share("raw") >= MOST:
        return True
    return bool(np.ptp(summary.channel_quantiles(0.005, 0.995)) >= MIN_SPAN)


def hits_an_end(form: Form, summary: InputSummary) -> bool:
    """Whether all channels reach black, or all channels reach white, in this form.

    The values must also span more than 64 gray levels.
    """
    raw = form.to_raw(np.stack([summary.minimum, summary.maximum]))
    black, white = np.all(np.abs(raw[0]) < MAX_GAP), np.all(np.abs(raw[1] - 255) < MAX_GAP)
    return bool((black or white) and np.ptp(raw) > QUARTER)


def in_list(values: np.ndarray) -> str:
    """Returns the values in words; a single number if they are alike."""
    words = [f"{v:.4g}" for v in np.ravel(values)]
    return words[0] if len(set(words)) == 1 else f"[{', '.join(words)}]"

"""Finds the convention that images were fed in, from the profile of the input alone.

Two properties of the values identify the convention. The first property is the extremes: in a
convention with `mean` and `std` (of pixels in 0..1), black is `-mean / std` and white is `(1 -
mean) / std`, which may differ by channel. The second property is the grid: the values of 8-bit
images are `1 / (255 std)` apart, unless the images were resized in floating point. If neither
property is clear, as for a dark or pale data set, the convention is "unknown", or a custom one is
fitted to the extremes with a low certainty.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.conventions import LATTICES, MODES_WITH_ORDER, Form, compose, forms
from keras_shiftguard.preprocessing.correction.convention import UNKNOWN, InputConvention
from keras_shiftguard.preprocessing.correction.convention_words import mistake_in_words
from keras_shiftguard.preprocessing.limits import (
    MIN_IMAGES,
    MIN_MISMATCH,
    MIN_OK,
    MIN_SPAN,
    MIN_TRIAL_IMAGES,
    MOST,
    QUARTER,
)
from keras_shiftguard.profiles import InputSummary

SURE, LIKELY = MIN_MISMATCH, MIN_OK  # certainties of an observed convention
# How far augmentation may take values out of 0..255, as a share of that range. A convention.
MAX_OUTSIDE = 0.1
# Share of values that must differ from the two commonest ones. A convention.
MIN_OTHER_VALUES = 0.05
# With fewer photos, the convention is recognized correctly in only 9 of 10 cases.
MIN_OBSERVED = MIN_TRIAL_IMAGES
# Gray levels by which the extremes may miss black or white; values that span less lie on any grid.
# A convention.
MAX_GAP = 3.0


@dataclass(frozen=True)
class Observation:
    """The convention that an input tensor was fed in.

    Args:
        convention: The observed convention; mode `"unknown"` if it cannot be identified. For
            `"torch"`, `"caffe"` and two steps with one of them, the channel order is the order in
            which the means were subtracted. Otherwise it is `"unknown"` (`"gray"` for one channel).
        kind: A special case: `"nonfinite"`, `"constant"`,
            `"per_image_standardised"` or `"scaled_twice"`; else None.
        certainty: How certain the convention is, from 0 to 1.
        evidence: Sentences with numbers.
        by_grid: Whether the convention follows from the 8-bit grid, not from the extremes.
    """

    convention: InputConvention
    kind: str | None
    certainty: float
    evidence: tuple[str, ...]
    by_grid: bool = False

    @property
    def is_fitted(self) -> bool:
        """Whether the convention is a fit to the extremes; no named steps lead to them."""
        is_named = self.convention.mode != "custom" or self.kind == "scaled_twice"
        return not (is_named or self.by_grid)


def observe(summary: InputSummary) -> Observation:
    """Returns the convention that one input was fed in, according to its profile."""
    low, high = summary.minimum, summary.maximum
    range_sentence = _range_sentence(summary)
    if summary.num_samples == 0:
        return Observation(UNKNOWN, None, 0.0, ("No images were seen.",))
    if 2 * summary.nonfinite_samples > summary.num_samples or not np.isfinite([low, high]).all():
        bad = f"{summary.nonfinite_samples} of {summary.num_samples} images"
        return Observation(UNKNOWN, "nonfinite", 1.0, (f"{bad} hold a NaN or an infinity.",))
    if not summary.is_image:
        return Observation(UNKNOWN, None, 0.0, ("This input does not hold images.",))
    if np.all(high == low) or summary.sample_std.mean + summary.sample_std.std < 1e-7 * max(
        1.0, float(np.abs([low, high]).max())
    ):
        found = f"Every image is a single colour. {range_sentence}"
        return Observation(UNKNOWN, "constant", 1.0, (found,))
    if _per_image_standardised(summary):
        mean, std = summary.sample_mean, summary.sample_std
        found = (
            f"Every single image has mean {_with_spread(mean.mean, mean.std)} and deviation "
            f"{_with_spread(std.mean, std.std)}: each was standardised by itself."
        )
        return Observation(UNKNOWN, "per_image_standardised", 0.99, (found, range_sentence))
    return _from_grid(summary, range_sentence) or _from_range(summary, range_sentence)


def _per_image_standardised(summary: InputSummary) -> bool:
    """Whether every image by itself has mean 0 and standard deviation 1."""
    mean, std = summary.sample_mean, summary.sample_std
    return bool(
        summary.num_measured >= MIN_IMAGES
        and abs(mean.mean) < 0.01
        and mean.std < 0.01
        and abs(std.mean - 1) < 0.02
        and std.std < 0.01
    )


# --- the grid ----------------------------------------------------------------


def _from_grid(summary: InputSummary, range_sentence: str) -> Observation | None:
    """Returns the convention whose grid the values lie on; None unless there is exactly one."""
    counts = summary.counts.sum(axis=0)
    # Share of the values that equal one of the two commonest values.
    common = np.sort(counts)[-2:].sum() / max(counts.sum(), 1)
    if 1 - common < MIN_OTHER_VALUES:  # black and white alone lie on several grids at once
        return None
    # Most values, since one broken pixel may lie far outside.
    most = summary.channel_quantiles(0.005, 0.995)
    shares: dict[str, float] = {}
    for name in LATTICES:
        share = summary.lattice_share(name)
        form = _lattice_form(name, summary)
        # All values count on the raw grid: few pixels of 12-bit images may be bright.
        low, high = (summary.minimum, summary.maximum) if LATTICES[name][0] == "raw" else most
        if not form.holds(low, high, QUARTER):
            continue
        # The two commonest values do not count: they may lie on the grid by chance.
        if not np.isfinite(share) or (share - common) / (1 - common) < MOST:
            continue
        if 255 * _coverage(form, summary) >= MAX_GAP:
            shares[name] = share
    if "tf" in shares and "unit" in shares:
        # All values of the [-1, 1] grid lie on the [0, 1] grid, but only half of the values of the
        # [0, 1] grid lie on the [-1, 1] grid.
        shares.pop("unit")
    if len(shares) != 1:
        return None
    ((name, share),) = shares.items()
    mode, order = LATTICES[name]
    convention = _convention(mode, order, summary.num_channels)
    found = f"{100 * share:.0f} % of the values lie on the grid of 8-bit pixels in {convention}."
    # A handful of gray levels can lie on a grid of another convention by chance.
    coverage = _coverage(_lattice_form(name, summary), summary)
    certainty = 0.999 if coverage > 0.06 else 0.7
    return Observation(convention, None, certainty, (found, range_sentence), by_grid=True)


def _lattice_form(name: str, summary: InputSummary) -> Form:
    """Returns the form of the images whose values lie on the grid `name`."""
    mode, order = LATTICES[name]
    return compose((mode,), order or "", summary.num_channels)


# --- the extremes ------------------------------------------------------------


def _from_range(summary: InputSummary, range_sentence: str) -> Observation:
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
            convention = _convention(mode, None, channels)
            return Observation(convention, None, 0.97, (f"{range_sentence} This is {convention}.",))
        if len(of_mode) == 1 and of_mode[0].order:
            convention = InputConvention(mode, of_mode[0].order)
            found = f"{range_sentence} Black or white has its value of {convention}."
            return Observation(convention, None, 0.95, (found,))
    exceeding = _exceeding(single, summary)
    if exceeding is not None:
        (mode,) = exceeding.steps
        convention = _convention(mode, exceeding.order or None, channels)
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
        f"{range_sentence} Mean {_list(mean)}, deviation {_list(std)}: {like}. If its darkest "
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


def _coverage(form: Form, summary: InputSummary) -> float:
    """Returns the share of 0..255 that the values span if they are in this form."""
    return form.coverage(summary.minimum, summary.maximum)


def _convention(mode: str, order: str | None, channels: int) -> InputConvention:
    if channels == 1:
        return InputConvention(mode, "gray")
    return InputConvention(mode, order or "unknown")


def _range_sentence(summary: InputSummary) -> str:
    low, high = summary.minimum, summary.maximum
    number = f"{summary.num_samples} image{'s' if summary.num_samples != 1 else ''}"
    if summary.num_channels > 4:
        low, high = low.min(keepdims=True), high.max(keepdims=True)
    return f"Over {number} the values run from {_list(low)} to {_list(high)}."


def _list(values: np.ndarray) -> str:
    words = [f"{v:.4g}" for v in np.ravel(values)]
    return words[0] if len(set(words)) == 1 else f"[{', '.join(words)}]"


def _with_spread(value: np.ndarray, spread: np.ndarray) -> str:
    return f"{float(value):.3f} (+- {float(spread):.3f})"

"""Finds the convention that images were fed in, from the profile of the input alone.

Two properties of the values identify the convention: the 8-bit grid (`grid.py`), and the extremes
(`extremes.py`). If neither property is clear, as for a dark or pale data set, the convention is
"unknown", or a custom one is fitted to the extremes with a low certainty.
"""

import numpy as np

from keras_shiftguard.preprocessing.correction.convention import UNKNOWN
from keras_shiftguard.preprocessing.limits import MIN_IMAGES
from keras_shiftguard.preprocessing.observed.extremes import from_extremes, in_list
from keras_shiftguard.preprocessing.observed.grid import from_grid
from keras_shiftguard.preprocessing.observed.observation import Observation
from keras_shiftguard.profiles import InputSummary


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
    return from_grid(summary, range_sentence) or from_extremes(summary, range_sentence)


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


def _range_sentence(summary: InputSummary) -> str:
    low, high = summary.minimum, summary.maximum
    number = f"{summary.num_samples} image{'s' if summary.num_samples != 1 else ''}"
    if summary.num_channels > 4:
        low, high = low.min(keepdims=True), high.max(keepdims=True)
    return f"Over {number} the values run from {in_list(low)} to {in_list(high)}."


def _with_spread(value: np.ndarray, spread: np.ndarray) -> str:
    return f"{float(value):.3f} (+- {float(spread):.3f})"

"""`Explanation`: a step of preprocessing that explains a difference, with the code to undo it."""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.words.said import Said
from keras_shiftguard.io.code_lines import digits
from keras_shiftguard.profiles import InputSummary

# How far two streams may be apart after a step is undone: means (in standard deviations),
# logarithms of the standard deviations, quantiles (in standard deviations), and extremes (in units
# of the range). BEYOND_CHANCE standard errors are added to the first three, at most MAX_NOISE.
# Conventions, checked in docs/benchmarks/causes.md.
TIGHT = (0.08, 0.08, 0.12, 0.05)
MAX_NOISE = 0.25


@dataclass(frozen=True)
class Explanation:
    """A preprocessing step that was done in only one of two streams.

    Args:
        name: Name of the difference, such as `"not rescaled"`, `"rescaled twice"` or
            `"channels swapped"`.
        said: What differs, with numbers.
        scale: Scale of each channel, `current = reference * scale + offset`,
            `(channels,)`, in the channel order of `current`.
        offset: Offset of each channel, `(channels,)`.
        swapped: Whether `current` has the channels in the reverse order.
        effect_size: For images: largest difference of a channel's mean or standard
            deviation, divided by the standard deviation of the samples' means. For
            columns: largest difference of a column's mean, divided by the column's
            standard deviation. The divisors are those of the reference. Not negative.
        fix: A line of Python that turns `x` of `current` into the form of the
            reference, in the layout of the input.
    """

    name: str
    said: Said
    scale: np.ndarray
    offset: np.ndarray
    swapped: bool
    effect_size: float
    fix: str


def affine(x: str, scale: np.ndarray, offset: np.ndarray, first: bool) -> str:
    """Returns Python code for `x * scale + offset`, as short as possible.

    `scale` and `offset` have one value for each channel, and `first` tells whether the channels
    come first.
    """
    # Offsets below 1e-4 of the scaled range 0..255 are left out.
    tiny = 1e-4 * 255 * float(np.abs(scale).max())
    if np.ptp(scale) < 1e-6 * abs(scale[0]):
        factor = float(scale[0])
        division_is_shorter = len(digits(1 / factor)) < len(digits(factor))
        if factor != 1:
            by = f"/ {digits(1 / factor)}" if division_is_shorter else f"* {digits(factor)}"
            x = f"{x} {by}"
    else:
        x = f"{x} * {_array(scale, first)}"
    if np.ptp(offset) < tiny:
        number = float(offset.mean())
        return x if abs(number) < tiny else f"{x} {'+-'[number < 0]} {digits(abs(number))}"
    return f"{x} + {_array(offset, first)}"


def _array(values: np.ndarray, first: bool) -> str:
    """Returns Python code for an array with one value for each channel."""
    listed = f"np.array([{', '.join(digits(v) for v in values)}])"
    return f"{listed}.reshape(-1, 1, 1)" if first else listed


def span_of(summary: InputSummary) -> str:
    """Formats the range of the values of an input, such as `0..255`."""
    return f"{summary.minimum.min():.3g}..{summary.maximum.max():.3g}"


def listed(values: np.ndarray) -> str:
    """Formats numbers with at most three digits, separated by commas."""
    return ", ".join(f"{v:.3g}" for v in values)

"""What an explained difference is, and the lines of Python and numbers in it."""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.profiles import InputSummary


@dataclass(frozen=True)
class Explanation:
    """A step that was done in one of two streams only.

    Args:
        name: `"not rescaled"`, `"rescaled twice"`, `"channels swapped"`, ...
        sentence: One plain sentence with numbers.
        scale: Of each channel, `current = reference * scale + offset`,
            `(channels,)`; the channels of `current` count.
        offset: `(channels,)`.
        swapped: Whether the channels are in the other order.
        effect_size: How far the means or deviations of the channels are
            apart, whichever is more, in standard deviations of the reference's
            sample means; not signed.
        fix: A line of Python that turns `x` of `current` into what the
            reference holds; for channels last.
    """

    name: str
    sentence: str
    scale: np.ndarray
    offset: np.ndarray
    swapped: bool
    effect_size: float
    fix: str


def affine(x: str, scale: np.ndarray, offset: np.ndarray, first: bool) -> str:
    """`x * scale + offset` as one would write it; channels first or last."""
    tiny = 1e-4 * 255 * float(np.abs(scale).max())
    if np.ptp(scale) < 1e-6 * abs(scale[0]):
        factor = float(scale[0])
        rounder = len(digits(1 / factor)) < len(digits(factor))
        if factor != 1:
            x = f"{x} / {digits(1 / factor)}" if rounder else f"{x} * {digits(factor)}"
    else:
        x = f"{x} * {_array(scale, first)}"
    if np.ptp(offset) < tiny:
        number = float(offset.mean())
        return x if abs(number) < tiny else f"{x} {'+-'[number < 0]} {digits(abs(number))}"
    return f"{x} + {_array(offset, first)}"


def _array(values: np.ndarray, first: bool) -> str:
    listed = f"np.array([{', '.join(digits(v) for v in values)}])"
    return f"{listed}.reshape(-1, 1, 1)" if first else listed


def digits(value: float) -> str:
    """Six digits at most."""
    return f"{value:.6g}"


def span_of(summary: InputSummary) -> str:
    """The range of the values, such as `0..255`."""
    return f"{summary.minimum.min():.3g}..{summary.maximum.max():.3g}"


def listed(values: np.ndarray) -> str:
    """Numbers with commas between them."""
    return ", ".join(f"{v:.3g}" for v in values)

"""Are red and blue swapped in one of two streams?

Swapping them exchanges two distributions and leaves the third alone. A change
of colour does neither: it would have to turn the red of one stream into the
blue of the other, and the blue into the red, at every quantile.
"""

from typing import NamedTuple, Self

import numpy as np

from keras_shiftguard.profiles import FeatureTable, InputSummary

QUANTILES = (0.05, 0.15, 0.25, 0.35, 0.5, 0.65, 0.75, 0.85, 0.95)
# How many standard errors the gap between red and blue must have moved. The
# spread of a sample's gap is not known; that of its mean is of the same size.
SIGNIFICANT = 6.0
EXPLAINED = 0.35  # at most this part of the difference may remain
# The same for the sum of two squared z of the colour balance, whose spread from
# sample to sample is known: p < 1e-8, and what is left by chance in one of 1000.
BALANCE_SIGNIFICANT, BALANCE_LEFT, BALANCE_EXPLAINED = 40.0, 14.0, 0.1


class Levels(NamedTuple):
    """Where the values of each channel lie.

    Args:
        mean: `(channels,)`, as are `std`, `low` and `high`.
        std: Deviation of the pixels.
        low: Smallest value.
        high: Largest value.
        quantiles: `(channels, len(QUANTILES))`.
    """

    mean: np.ndarray
    std: np.ndarray
    low: np.ndarray
    high: np.ndarray
    quantiles: np.ndarray

    @classmethod
    def of(cls, summary: InputSummary) -> Self:
        rows = [
            [summary.quantile(q, c) for q in QUANTILES]
            for c in (range(summary.num_channels) if len(summary.counts) > 1 else (None,))
        ]
        quantiles = np.broadcast_to(np.asarray(rows), (summary.num_channels, len(QUANTILES)))
        return cls(summary.mean, summary.std, summary.minimum, summary.maximum, quantiles)

    def mapped(self, scale: np.ndarray, offset: np.ndarray) -> Self:
        """What becomes of them under `x * scale + offset`, all scales positive."""
        return type(self)(
            self.mean * scale + offset,
            self.std * scale,
            self.low * scale + offset,
            self.high * scale + offset,
            self.quantiles * scale[:, None] + offset[:, None],
        )

    def reversed(self) -> Self:
        """The same with the channels in the other order."""
        return type(self)(*(values[::-1] for values in self))


def channels_swapped(reference: Levels, current: Levels, error: float) -> bool:
    """Whether `current` is `reference` with its channels in the other order.

    Args:
        reference: Of the one stream.
        current: Of the other, in the same units.
        error: Standard error of the difference of two channel means.

    Returns:
        False also where red and blue are too much alike to tell.
    """
    if len(reference.mean) != 3:
        return False
    gap, gap_now = (levels.mean[0] - levels.mean[2] for levels in (reference, current))
    if abs(gap_now - gap) <= SIGNIFICANT * error:
        return False
    if abs(gap_now + gap) > max(EXPLAINED * abs(gap_now - gap), 3 * error):
        return False
    std = float(np.mean(reference.std))
    direct, crossed = (_apart(reference, levels) for levels in (current, current.reversed()))
    # One percent is what the sketch of the quantiles can tell.
    return direct > 0.01 * std and crossed <= EXPLAINED * direct + error


def balance_swapped(reference: FeatureTable, current: FeatureTable) -> bool:
    """Whether the colour balance of the samples is that of the other order.

    Sharper than `channels_swapped`, since the spread between samples is known,
    but blind behind steps that treat the channels differently.
    """
    names = ("colour_balance_0", "colour_balance_2")
    if not all(name in table.names for name in names for table in (reference, current)):
        return False
    first, second = (
        [(t.mean(n), t.std(n) ** 2 / max(t.moments.count[t.names.index(n)], 1)) for n in names]
        for t in (reference, current)
    )

    def squared(a: tuple[float, float], b: tuple[float, float]) -> float:
        return (a[0] - b[0]) ** 2 / max(a[1] + b[1], 1e-12)

    direct = squared(first[0], second[0]) + squared(first[1], second[1])
    crossed = squared(first[0], second[1]) + squared(first[1], second[0])
    left = max(BALANCE_LEFT, BALANCE_EXPLAINED * direct)
    return direct > BALANCE_SIGNIFICANT and crossed < min(left, EXPLAINED * direct)


def _apart(first: Levels, second: Levels) -> float:
    """Mean distance of the quantiles of all channels (Wasserstein, order 1)."""
    return float(np.abs(first.quantiles - second.quantiles).mean())

"""Detection of swapped red and blue channels between two streams.

A swap exchanges the distributions of two channels and leaves the third unchanged. A change of
color hardly ever does so: it would have to turn the red of one stream into the blue of the other,
and the blue into the red, at every quantile.
"""

from typing import NamedTuple, Self

import numpy as np

from keras_shiftguard.profiles import FeatureTable, InputSummary

QUANTILES = (0.02, 0.25, 0.5, 0.75, 0.98)  # of a channel, which are compared. A convention.
# Smallest difference of the gap between the streams, in standard errors. The gap is the mean of red
# minus the mean of blue. Its spread between samples is not stored, so the spread of the samples'
# means is used, which is about as large. A convention, checked in docs/benchmarks/causes.md.
MIN_GAP_MOVE = 6.0
# Largest part of a difference that may remain after the swap is undone. A convention, checked in
# docs/benchmarks/causes.md.
MAX_REMAINING = 0.35
# Smallest sum of two squared z-scores of color balances with the channels as they are. It is chi2
# with 2 degrees of freedom if nothing differs, so it is above 40 with p < 1e-8. After the swap is
# undone, it must be below 14 (p = .001), or the balances must differ by MAX_REMAINING as much. A
# convention, checked in docs/benchmarks/causes.md.
MIN_BALANCE_MOVE = 40.0


class Levels(NamedTuple):
    """Location and spread of the values of each channel.

    Args:
        mean: Mean, `(channels,)`.
        std: Standard deviation of the pixels, `(channels,)`.
        low: Smallest value, `(channels,)`.
        high: Largest value, `(channels,)`.
        quantiles: The `QUANTILES`, `(channels, len(QUANTILES))`.
    """

    mean: np.ndarray
    std: np.ndarray
    low: np.ndarray
    high: np.ndarray
    quantiles: np.ndarray

    @classmethod
    def of(cls, summary: InputSummary) -> Self:
        """Returns the levels of an input."""
        rows = [
            [summary.quantile(q, c) for q in QUANTILES]
            for c in (range(summary.num_channels) if len(summary.counts) > 1 else (None,))
        ]
        quantiles = np.broadcast_to(np.asarray(rows), (summary.num_channels, len(QUANTILES)))
        return cls(summary.mean, summary.std, summary.minimum, summary.maximum, quantiles)

    def mapped(self, scale: np.ndarray, offset: np.ndarray) -> Self:
        """Returns the levels of `x * scale + offset`; all scales are positive."""
        return type(self)(
            self.mean * scale + offset,
            self.std * scale,
            self.low * scale + offset,
            self.high * scale + offset,
            self.quantiles * scale[:, None] + offset[:, None],
        )

    def reversed(self) -> Self:
        """Returns the levels with the channels in reverse order."""
        return type(self)(*(values[::-1] for values in self))


def channels_swapped(reference: Levels, current: Levels, error: float) -> bool:
    """Whether red and blue have changed places; the fit of the whole map is another matter.

    `error` is the standard error of the difference of a channel's mean, in the unit of the levels.
    The result is False if red and blue are too similar to decide, or if there are not three
    channels.
    """
    if len(reference.mean) != 3:
        return False
    gap, gap_now = (levels.mean[0] - levels.mean[2] for levels in (reference, current))
    if abs(gap_now - gap) <= MIN_GAP_MOVE * error:
        return False
    return bool(abs(gap_now + gap) <= max(MAX_REMAINING * abs(gap_now - gap), 3 * error))


def balance_swapped(reference: FeatureTable, current: FeatureTable) -> bool:
    """Whether the color balances of red and blue are exchanged between the streams.

    This test has more power than `channels_swapped`, since the spread of the balances between
    samples is known, but it is not valid after a step that treats the channels differently.
    """
    names = ("colour_balance_0", "colour_balance_2")
    if not all(name in table.names for name in names for table in (reference, current)):
        return False
    # Mean and squared standard error of each of the two attributes.
    first, second = (
        [(t.mean(n), t.std(n) ** 2 / max(t.moments.count[t.names.index(n)], 1)) for n in names]
        for t in (reference, current)
    )

    def squared_z(a: tuple[float, float], b: tuple[float, float]) -> float:
        return (a[0] - b[0]) ** 2 / max(a[1] + b[1], 1e-12)

    distance = squared_z(first[0], second[0]) + squared_z(first[1], second[1])
    distance_reversed = squared_z(first[0], second[1]) + squared_z(first[1], second[0])
    allowed = MAX_REMAINING * max(MIN_BALANCE_MOVE, MAX_REMAINING * distance)
    return bool(distance > MIN_BALANCE_MOVE and distance_reversed < allowed)

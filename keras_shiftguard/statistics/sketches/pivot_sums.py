"""`PivotSums`: sums of values around a pivot near their mean, from which moments are made.

If the mean is large relative to the deviation, float32 sums of squares lose the variance by
cancellation. Sums of squares around a pivot near the mean do not. The pivot is nearly the mean of
the first batch after a reset. The host adds the pivot back to the mean, in float64.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.profiles import Moments
from keras_shiftguard.statistics.state import State


class PivotSums:
    """Accumulates the moments of `k` numbers; `prefix` begins the names of its variables."""

    def __init__(self, state: State, prefix: str, k: int) -> None:
        self.prefix = prefix
        self.pivot = state.add(f"{prefix}_pivot", (k,))
        self.count = state.add(f"{prefix}_count", (k,))  # samples with a value
        self.first = state.add(f"{prefix}_first", (k,))  # sum of the deviations from the pivot
        self.second = state.add(f"{prefix}_second", (k,))  # sum of their squares

    def update(self, values: Any, weight: Any) -> None:
        """Adds finite values, `(samples, k)`; the weight is 1.0, or 0.0 for a value left out."""
        number = ops.sum(weight, axis=0)
        batch_mean = ops.sum(values * weight, axis=0) / ops.maximum(number, 1.0)
        pivot = ops.where(self.count.value > 0, self.pivot.value, batch_mean)
        deviation = (values - pivot) * weight
        self.pivot.assign(pivot)
        self.count.assign(self.count + number)
        self.first.assign(self.first + ops.sum(deviation, axis=0))
        self.second.assign(self.second + ops.sum(ops.square(deviation), axis=0))

    def read(self, values: Mapping[str, np.ndarray]) -> Moments:
        return read_moments(values, self.prefix)


def read_moments(values: Mapping[str, np.ndarray], prefix: str) -> Moments:
    """Returns the moments of sums whose names begin with a prefix.

    All are 0 where a sum has overflowed, from values of about 1e19 on.
    """
    names = ("count", "pivot", "first", "second")
    count, pivot, first, second = (values[f"{prefix}_{name}"] for name in names)
    divisor = np.maximum(count, 1)
    mean = np.where(count > 0, pivot + first / divisor, 0.0)
    with np.errstate(invalid="ignore", over="ignore"):
        m2 = np.maximum(second - first**2 / divisor, 0.0)
    known = np.isfinite(mean) & np.isfinite(m2)
    return Moments(*(np.where(known, each, 0.0) for each in (count, mean, m2)))

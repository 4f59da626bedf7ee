"""Moments and histograms of named features, which have one value for each sample."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.profiles import BINS_PER_SIGN, FeatureTable
from keras_shiftguard.profiles.features import COARSE_PER_SIGN, COARSENING, FINE_FEATURES, num_bins
from keras_shiftguard.statistics.batch import row_mask
from keras_shiftguard.statistics.sketches.pivot_sums import PivotSums
from keras_shiftguard.statistics.sketches.quantiles import steps_from_zero
from keras_shiftguard.statistics.state import State

# Larger values count as missing, because their squares would overflow float32. Given by float32.
LARGEST_VALUE = 1e18


class FeatureSketch:
    """Accumulates a `FeatureTable` from batches of `(samples, k)` values.

    `prefix` begins the names of the variables in the state.
    """

    def __init__(self, names: Sequence[str], state: State, prefix: str = "features") -> None:
        self.names = tuple(names)
        self.prefix = prefix
        k = len(self.names)
        self.bins = num_bins(k)
        self.seen = state.add(f"{prefix}_seen", ())  # number of samples
        self.sums = PivotSums(state, prefix, k)
        self.histogram = state.add(f"{prefix}_histogram", (k * self.bins,))

    def update(self, values: Any, rows: Any = None) -> None:
        """Adds the values of one batch; non-finite or too large values count as missing.

        The values are `(samples, k)`, of any numeric dtype.
        """
        values = ops.cast(values, "float32")
        known = ops.abs(values) < LARGEST_VALUE
        weight = ops.cast(known, "float32")
        if rows is not None:
            weight = weight * row_mask(values, rows)
        values = ops.where(known, values, 0.0)
        self.sums.update(values, weight)
        number_of_rows = ops.shape(values)[0] if rows is None else rows
        self.seen.assign(self.seen + ops.cast(number_of_rows, "float32"))
        if self.bins:
            counted = ops.segment_sum(
                ops.reshape(weight, (-1,)),
                ops.reshape(self._bin(values), (-1,)),
                num_segments=len(self.names) * self.bins,
            )
            self.histogram.assign(self.histogram + counted)

    def _bin(self, values: Any) -> Any:
        """Returns the index into `histogram` of each value. The bins are those of `Quantiles`."""
        step, middle = steps_from_zero(values), BINS_PER_SIGN
        if len(self.names) > FINE_FEATURES:
            step = ops.ceil(step / COARSENING)
            middle = COARSE_PER_SIGN
        index = ops.cast(middle + ops.sign(values) * step, "int32")
        return index + ops.arange(len(self.names), dtype="int32") * self.bins

    def read(self, values: Mapping[str, np.ndarray]) -> FeatureTable:
        """Returns the table, from the values of the state."""
        counts = values[f"{self.prefix}_histogram"].reshape(len(self.names), self.bins)
        seen = int(values[f"{self.prefix}_seen"])
        return FeatureTable(self.names, seen, self.sums.read(values), counts.astype("int64"))

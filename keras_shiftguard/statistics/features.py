"""Named numbers, one value a sample: their moments and histograms."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.profiles import BINS_PER_SIGN, LOG_GAMMA, SMALLEST, FeatureTable, Moments
from keras_shiftguard.profiles.features import COARSE_PER_SIGN, COARSENING, FINE_FEATURES, num_bins
from keras_shiftguard.statistics.moments import around_zero
from keras_shiftguard.statistics.state import State

# Past this a square overflows float32, and nobody's feature means it.
LARGEST_VALUE = 1e18


class FeatureSketch:
    """Accumulates a `FeatureTable` from `(samples, k)` batches.

    Works in a compiled step, as a part of a larger `State`, and by itself:

    >>> sketch = FeatureSketch(["confidence", "entropy"])
    >>> sketch.update(keras.ops.convert_to_tensor([[0.5, 1.0], [0.7, np.nan]]))
    >>> table = sketch.drain()
    >>> table.missing.tolist(), round(table.mean("confidence"), 3)
    ([0.0, 1.0], 0.6)

    Args:
        names: Names of the `k` features.
        state: Where the variables live; a new one by default.
        prefix: Of the names of the variables in `state`.
    """

    def __init__(
        self, names: Sequence[str], state: State | None = None, prefix: str = "features"
    ) -> None:
        self.names = tuple(names)
        self.state = State("shiftguard") if state is None else state
        self.prefix = prefix
        k = len(self.names)
        self.bins = num_bins(k)
        self.seen = self.state.add(f"{prefix}_seen", ())
        self.pivot = self.state.add(f"{prefix}_pivot", (k,))
        self.count = self.state.add(f"{prefix}_count", (k,))
        self.first = self.state.add(f"{prefix}_first", (k,))
        self.second = self.state.add(f"{prefix}_second", (k,))
        self.histogram = self.state.add(f"{prefix}_histogram", (k * self.bins,))

    def update(self, values: Any) -> None:
        """Adds `(samples, k)` numbers; those not finite are counted as missing."""
        values = ops.cast(values, "float32")
        known = ops.abs(values) < LARGEST_VALUE
        weight = ops.cast(known, "float32")
        values = ops.where(known, values, 0.0)
        number = ops.sum(weight, axis=0)
        here = ops.sum(values, axis=0) / ops.maximum(number, 1.0)
        pivot = ops.where(self.count > 0, self.pivot.value, here)
        deviation = (values - pivot) * weight
        self.pivot.assign(pivot)
        self.seen.assign(self.seen + ops.cast(ops.shape(values)[0], "float32"))
        self.count.assign(self.count + number)
        self.first.assign(self.first + ops.sum(deviation, axis=0))
        self.second.assign(self.second + ops.sum(ops.square(deviation), axis=0))
        if self.bins:
            counted = ops.segment_sum(
                ops.reshape(weight, (-1,)),
                ops.reshape(self._bin(values), (-1,)),
                num_segments=len(self.names) * self.bins,
            )
            self.histogram.assign(self.histogram + counted)

    def _bin(self, values: Any) -> Any:
        """Index into `histogram` of each value; see `Quantiles`."""
        magnitude = ops.maximum(ops.abs(values), SMALLEST / 2)
        step = ops.floor(ops.log(magnitude * (1 / SMALLEST)) * (1 / LOG_GAMMA))
        step = ops.clip(step, -1.0, BINS_PER_SIGN - 1.0) + 1.0
        middle = BINS_PER_SIGN
        if len(self.names) > FINE_FEATURES:
            step = ops.ceil(step / COARSENING)
            middle = COARSE_PER_SIGN
        index = ops.cast(middle + ops.sign(values) * step, "int32")
        return index + ops.arange(len(self.names), dtype="int32") * self.bins

    def read(self, values: Mapping[str, np.ndarray]) -> FeatureTable:
        """The table, from what `state.read()` gave for one replica."""
        seen, pivot, count, first, second, histogram = (
            values[f"{self.prefix}_{name}"]
            for name in ("seen", "pivot", "count", "first", "second", "histogram")
        )
        return FeatureTable(
            self.names,
            int(seen),
            Moments(*around_zero(count, pivot, first, second)),
            histogram.reshape(len(self.names), self.bins).astype("int64"),
        )

    def drain(self) -> FeatureTable:
        """What was accumulated since the last call, for a sketch by itself."""
        table = reduce(add, [self.read(values) for values in self.state.read()])
        self.state.reset()
        return table

"""Quantile sketch of constant size, with a relative accuracy of 1 %."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.profiles import BINS_PER_SIGN, LOG_GAMMA, NUM_BINS, SMALLEST
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.sketches.sampled_pixels import SampledPixels
from keras_shiftguard.statistics.state import State

# If there are more channels, all share one row, so that memory stays constant. A convention.
MAX_ROWS = 4


class Quantiles:
    """Counts sampled pixels in bins whose edges grow geometrically on both sides of zero.

    The relative accuracy is 1 % for magnitudes from 1e-6 to 1e6, so it is the same for pixels in
    0..255, [0, 1] and [-1, 1]. The range need not be known in advance, and separate sketches can be
    added.

    Reference: Masson, Rim and Lee, "DDSketch", VLDB 2019, section 2.
    """

    def __init__(self, spec: InputSpec, state: State) -> None:
        self.rows = spec.channels if spec.channels <= MAX_ROWS else 1
        self.counts = state.add("counts", (self.rows * NUM_BINS,))

    def update(self, pixels: SampledPixels) -> None:
        x = pixels.values
        index = BINS_PER_SIGN + ops.sign(x) * steps_from_zero(x)
        if self.rows > 1:
            index = index + ops.arange(self.rows, dtype="float32") * NUM_BINS
        weight = ops.ones_like(x)
        if pixels.finite is not None:
            weight = ops.cast(pixels.finite, "float32")
            index = ops.where(pixels.finite, index, 0.0)
        counted = ops.segment_sum(
            ops.reshape(weight, (-1,)),
            ops.cast(ops.reshape(index, (-1,)), "int32"),
            num_segments=self.rows * NUM_BINS,
        )
        self.counts.assign(self.counts + counted)

    def read(self, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        return {"counts": values["counts"].reshape(self.rows, NUM_BINS).astype("int64")}


def steps_from_zero(x: Any) -> Any:
    """Returns how many bins each value is away from that for zero, float32."""
    # A magnitude below SMALLEST gets step -1, and so the bin in the middle, which is for zero.
    magnitude = ops.maximum(ops.abs(x), SMALLEST / 2)
    step = ops.floor(ops.log(magnitude * (1 / SMALLEST)) * (1 / LOG_GAMMA))
    return ops.clip(step, -1.0, BINS_PER_SIGN - 1.0) + 1.0

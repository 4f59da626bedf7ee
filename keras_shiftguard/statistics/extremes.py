"""The smallest and the largest finite value of each channel."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.statistics.batch import Batch, InputSpec
from keras_shiftguard.statistics.state import State


class Extremes:
    """Minimum and maximum of each channel, over all pixels.

    The pixels are not sampled here, because one saturated pixel is informative.
    """

    def __init__(self, spec: InputSpec, state: State) -> None:
        self.minimum = state.add("minimum", (spec.channels,), fill=np.inf)
        self.maximum = state.add("maximum", (spec.channels,), fill=-np.inf)

    def update(self, batch: Batch) -> None:
        has_values = batch.num_finite > 0  # (batch, channels)
        lowest = ops.where(has_values, batch.over_pixels(ops.min, batch.pixels), np.inf)
        highest = ops.where(has_values, batch.over_pixels(ops.max, batch.pixels), -np.inf)
        lowest, highest = ops.min(lowest, axis=0), ops.max(highest, axis=0)
        self.minimum.assign(ops.minimum(self.minimum, lowest))
        self.maximum.assign(ops.maximum(self.maximum, highest))

    def read(self, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        return {"minimum": values["minimum"], "maximum": values["maximum"]}

"""The smallest and the largest finite value of each channel."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.statistics.batch import Batch, InputSpec
from keras_shiftguard.statistics.state import State


class Extremes:
    """Over all pixels, not a sample of them: one saturated pixel tells much."""

    def __init__(self, spec: InputSpec, state: State) -> None:
        self.minimum = state.add("minimum", (spec.channels,), fill=np.inf)
        self.maximum = state.add("maximum", (spec.channels,), fill=-np.inf)

    def update(self, batch: Batch) -> None:
        low = high = batch.pixels
        if batch.finite is not None:
            low = ops.where(batch.finite, batch.pixels, np.inf)
            high = ops.where(batch.finite, batch.pixels, -np.inf)
        axes = (0, batch.pixel_axis)
        self.minimum.assign(ops.minimum(self.minimum, ops.min(low, axis=axes)))
        self.maximum.assign(ops.maximum(self.maximum, ops.max(high, axis=axes)))

    def read(self, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        return {"minimum": values["minimum"], "maximum": values["maximum"]}

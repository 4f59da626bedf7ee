"""The smallest and the largest finite value of each channel."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.statistics.batch import InputSpec, PixelSums
from keras_shiftguard.statistics.state import State


class Extremes:
    """Minimum and maximum of each channel, over all pixels.

    The pixels are not sampled here, because one saturated pixel is informative.
    """

    def __init__(self, spec: InputSpec, state: State) -> None:
        self.minimum = state.add("minimum", (spec.channels,), fill=np.inf)
        self.maximum = state.add("maximum", (spec.channels,), fill=-np.inf)

    def update(self, sums: PixelSums) -> None:
        lowest, highest = ops.min(sums.lowest, axis=0), ops.max(sums.highest, axis=0)
        self.minimum.assign(ops.minimum(self.minimum, lowest))
        self.maximum.assign(ops.maximum(self.maximum, highest))

    def read(self, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        return {"minimum": values["minimum"], "maximum": values["maximum"]}

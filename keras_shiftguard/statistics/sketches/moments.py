"""Moments and extremes of the pixels of each channel; moments of the samples' means."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.profiles import Moments as ProfileMoments
from keras_shiftguard.statistics.batch import InputSpec, PixelSums
from keras_shiftguard.statistics.sketches.pivot_sums import PivotSums, read_moments
from keras_shiftguard.statistics.sketches.sampled_pixels import SampledPixels
from keras_shiftguard.statistics.state import State


class Moments:
    """Accumulates the moments of each channel, and of the samples' means and deviations.

    For each sample and channel, `x - pivot` and `(x - pivot)**2` are averaged over the
    pixels. These averages are summed over the samples, see `pivot_sums.py`.
    """

    def __init__(self, spec: InputSpec, state: State) -> None:
        channels = (spec.channels,)
        self.pivot = state.add("channels_pivot", channels)
        # Number of samples with a finite value, and sums of the samples' means of `x - pivot` and
        # of its square.
        self.count = state.add("channels_count", channels)
        self.first = state.add("channels_first", channels)
        self.second = state.add("channels_second", channels)
        self.of_samples = PivotSums(state, "sample", 2)  # mean and standard deviation of each

    def pivot_for(self, x: Any, spec: InputSpec) -> Any:
        """Returns the pivot of each channel, `(channels,)`, near the mean of the first batch."""
        has_pivot = self.count.value > 0
        pivot = ops.where(has_pivot, self.pivot.value, SampledPixels(x, spec).mean())
        self.pivot.assign(pivot)
        return pivot

    def update(self, sums: PixelSums) -> None:
        pivot, num_finite = sums.pivot, sums.num_finite
        has_values = ops.cast(num_finite > 0, "float32")  # (batch, channels)
        first = sums.total / ops.maximum(num_finite, 1.0)
        second = sums.squares / ops.maximum(num_finite, 1.0)
        self.count.assign(self.count + ops.sum(has_values, axis=0))
        self.first.assign(self.first + ops.sum(first, axis=0))
        self.second.assign(self.second + ops.sum(second, axis=0))

        # Mean and deviation of each sample over all its channels.
        weight = num_finite / ops.maximum(ops.sum(num_finite, axis=1, keepdims=True), 1.0)
        mean = ops.sum(weight * (pivot + first), axis=1, keepdims=True)
        shift = pivot - mean
        variance = ops.sum(weight * (second + 2.0 * shift * first + shift * shift), axis=1)
        std = ops.sqrt(ops.maximum(variance, 0.0))
        values = ops.stack([mean[:, 0], std], axis=1)  # (batch, 2)
        valid = ops.max(has_values, axis=1, keepdims=True)
        self.of_samples.update(values, valid)

    def read(self, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        of = self.of_samples.read(values)
        return {
            "channels": read_moments(values, "channels"),
            "sample_mean": ProfileMoments(of.count[0], of.mean[0], of.m2[0]),
            "sample_std": ProfileMoments(of.count[1], of.mean[1], of.m2[1]),
        }


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

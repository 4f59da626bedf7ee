"""Mean and deviation of each channel, and of each sample, around a pivot."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.profiles import Moments as ProfileMoments
from keras_shiftguard.statistics.batch import Batch, InputSpec
from keras_shiftguard.statistics.state import State


class Moments:
    """Sums of `x - pivot` and `(x - pivot)**2`, averaged over a sample first.

    float32 sums of squares cancel when the mean is large against the
    deviation. Around a pivot near the mean they do not: the first batch after
    a reset gives it, and the host moves it back to zero in float64.
    """

    def __init__(self, spec: InputSpec, state: State) -> None:
        channels = (spec.channels,)
        self.pivot = state.add("pivot", channels)
        self.count = state.add("count", channels)
        self.first = state.add("first", channels)
        self.second = state.add("second", channels)
        # The same for each sample's own mean and standard deviation.
        self.sample_pivot = state.add("sample_pivot", (2,))
        self.sample_count = state.add("sample_count", (2,))
        self.sample_first = state.add("sample_first", (2,))
        self.sample_second = state.add("sample_second", (2,))

    def update(self, batch: Batch) -> None:
        pivot = ops.where(self.count > 0, self.pivot.value, batch.fill)
        self.pivot.assign(pivot)

        deviation = batch.pixels - batch.by_channel(pivot)
        pixels = batch.num_finite
        seen = ops.cast(pixels > 0, "float32")  # (batch, channels)
        first = batch.over_pixels(ops.sum, deviation)
        second = batch.over_pixels(ops.sum, ops.square(deviation))
        # Takes away again what the stand-ins for non-finite values added.
        missing = ops.cast(batch.num_pixels, "float32") - pixels
        stand_in = batch.fill - pivot
        first = (first - missing * stand_in) * seen / ops.maximum(pixels, 1.0)
        second = (second - missing * ops.square(stand_in)) * seen / ops.maximum(pixels, 1.0)
        self.count.assign(self.count + ops.sum(seen, axis=0))
        self.first.assign(self.first + ops.sum(first, axis=0))
        self.second.assign(self.second + ops.sum(second, axis=0))

        # Mean and deviation of each sample over all its channels.
        weight = pixels / ops.maximum(ops.sum(pixels, axis=1, keepdims=True), 1.0)
        mean = ops.sum(weight * (pivot + first), axis=1, keepdims=True)
        gap = pivot - mean
        variance = ops.sum(weight * (second + 2.0 * gap * first + gap * gap), axis=1)
        std = ops.sqrt(ops.maximum(variance, 0.0))
        own = ops.stack([mean[:, 0], std], axis=1)  # (batch, 2)
        valid = ops.max(seen, axis=1, keepdims=True)
        here = ops.sum(own * valid, axis=0) / ops.maximum(ops.sum(valid), 1.0)
        sample_pivot = ops.where(self.sample_count > 0, self.sample_pivot.value, here)
        self.sample_pivot.assign(sample_pivot)
        own = (own - sample_pivot) * valid
        self.sample_count.assign(self.sample_count + ops.sum(valid))
        self.sample_first.assign(self.sample_first + ops.sum(own, axis=0))
        self.sample_second.assign(self.sample_second + ops.sum(ops.square(own), axis=0))

    def read(self, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        channels = around_zero(*(values[n] for n in ("count", "pivot", "first", "second")))
        count, mean, m2 = around_zero(
            *(values[f"sample_{n}"] for n in ("count", "pivot", "first", "second"))
        )
        return {
            "channels": ProfileMoments(*channels),
            "sample_mean": ProfileMoments(count[0], mean[0], m2[0]),
            "sample_std": ProfileMoments(count[1], mean[1], m2[1]),
        }


def around_zero(
    count: np.ndarray, pivot: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(count, mean, m2)` from sums of `x - pivot` and of its square."""
    safe = np.maximum(count, 1)
    mean = np.where(count > 0, pivot + first / safe, 0.0)
    return count, mean, np.maximum(second - first**2 / safe, 0.0)

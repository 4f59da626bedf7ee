"""Mean and standard deviation of each channel, and of each sample, summed around a pivot."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.profiles import Moments as ProfileMoments
from keras_shiftguard.statistics.batch import Batch, InputSpec
from keras_shiftguard.statistics.sampled_pixels import SampledPixels
from keras_shiftguard.statistics.state import State


class Moments:
    """Sums over samples of the mean of `x - pivot` and of `(x - pivot)**2` in a sample.

    float32 sums of squares cancel when the mean is large relative to the
    deviation. Around a pivot near the mean they do not. The pivot is the mean of
    the first batch after a reset; the host takes it out again in float64.
    """

    def __init__(self, spec: InputSpec, state: State) -> None:
        channels = (spec.channels,)
        self.pivot = state.add("pivot", channels)
        self.count = state.add("count", channels)
        self.first = state.add("first", channels)
        self.second = state.add("second", channels)
        # The same sums of the mean and the standard deviation of each sample.
        self.sample_pivot = state.add("sample_pivot", (2,))
        self.sample_count = state.add("sample_count", (2,))
        self.sample_first = state.add("sample_first", (2,))
        self.sample_second = state.add("sample_second", (2,))

    def pivot_for(self, x: Any, spec: InputSpec) -> Any:
        """Returns the pivot of each channel, `(channels,)`, near the mean of the first batch."""
        known = self.count.value > 0
        current = self.pivot.value

        def measured() -> Any:
            return ops.where(known, current, SampledPixels(x, spec).mean())

        if keras.backend.backend() == "torch":
            pivot = measured()  # eager: a condition would have to wait for the device
        else:
            pivot = ops.cond(ops.all(known), lambda: current, measured)
        self.pivot.assign(pivot)
        return pivot

    def update(self, batch: Batch) -> None:
        pivot, pixels = batch.pivot, batch.num_finite
        seen = ops.cast(pixels > 0, "float32")  # (batch, channels)
        # Values that are not finite have a deviation of 0, so they add nothing.
        first = batch.total / ops.maximum(pixels, 1.0)
        squares = batch.over_pixels(ops.sum, ops.square(batch.deviation))
        second = squares / ops.maximum(pixels, 1.0)
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
        batch_mean = ops.sum(own * valid, axis=0) / ops.maximum(ops.sum(valid), 1.0)
        sample_pivot = ops.where(self.sample_count > 0, self.sample_pivot.value, batch_mean)
        self.sample_pivot.assign(sample_pivot)
        own = (own - sample_pivot) * valid
        self.sample_count.assign(self.sample_count + ops.sum(valid))
        self.sample_first.assign(self.sample_first + ops.sum(own, axis=0))
        self.sample_second.assign(self.sample_second + ops.sum(ops.square(own), axis=0))

    def read(self, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        channels = moments_from_sums(*(values[n] for n in ("count", "pivot", "first", "second")))
        count, mean, m2 = moments_from_sums(
            *(values[f"sample_{n}"] for n in ("count", "pivot", "first", "second"))
        )
        return {
            "channels": ProfileMoments(*channels),
            "sample_mean": ProfileMoments(count[0], mean[0], m2[0]),
            "sample_std": ProfileMoments(count[1], mean[1], m2[1]),
        }


def moments_from_sums(
    count: np.ndarray, pivot: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns `(count, mean, m2)` from sums of `x - pivot` and of its square.

    Args:
        count: Number of terms, any shape.
        pivot: The pivot, broadcast to `count`.
        first: Sum of `x - pivot`.
        second: Sum of `(x - pivot)**2`.
    """
    safe = np.maximum(count, 1)
    mean = np.where(count > 0, pivot + first / safe, 0.0)
    return count, mean, np.maximum(second - first**2 / safe, 0.0)

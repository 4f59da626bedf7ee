"""Moments of the pixels of each channel, and of the samples' means and deviations."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.profiles import Moments as ProfileMoments
from keras_shiftguard.statistics.batch import InputSpec, PixelSums
from keras_shiftguard.statistics.sampled_pixels import SampledPixels
from keras_shiftguard.statistics.state import State


class Moments:
    """Accumulates the moments of each channel, and of the samples' means and deviations.

    For each sample and channel, `x - pivot` and `(x - pivot)**2` are averaged over the
    pixels. These averages are summed over the samples.

    If the mean is large relative to the deviation, float32 sums of squares lose the variance by
    cancellation. Sums of squares around a pivot near the mean do not. The pivot is nearly the mean
    of the first batch after a reset. The host adds the pivot back to the mean, in float64.
    """

    def __init__(self, spec: InputSpec, state: State) -> None:
        channels = (spec.channels,)
        self.pivot = state.add("pivot", channels)
        self.count = state.add("count", channels)  # number of samples with a finite value
        self.first = state.add("first", channels)  # sum of the samples' means of `x - pivot`
        self.second = state.add("second", channels)  # sum of the samples' means of `(x - pivot)**2`
        # The same sums of the mean and the standard deviation of each sample.
        self.sample_pivot = state.add("sample_pivot", (2,))
        self.sample_count = state.add("sample_count", (2,))
        self.sample_first = state.add("sample_first", (2,))
        self.sample_second = state.add("sample_second", (2,))

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
        batch_mean = ops.sum(values * valid, axis=0) / ops.maximum(ops.sum(valid), 1.0)
        sample_pivot = ops.where(self.sample_count > 0, self.sample_pivot.value, batch_mean)
        self.sample_pivot.assign(sample_pivot)
        deviation = (values - sample_pivot) * valid
        self.sample_count.assign(self.sample_count + ops.sum(valid))
        self.sample_first.assign(self.sample_first + ops.sum(deviation, axis=0))
        self.sample_second.assign(self.sample_second + ops.sum(ops.square(deviation), axis=0))

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
    """Returns `(count, mean, m2)`, where m2 is the sum of the squared deviations from the mean.

    All three are 0 where a sum has overflowed, from values of about 1e19 on. `first` and `second`
    are the sums of `x - pivot` and of its square; `pivot` broadcasts to the shape of `count`.
    """
    divisor = np.maximum(count, 1)
    mean = np.where(count > 0, pivot + first / divisor, 0.0)
    with np.errstate(invalid="ignore", over="ignore"):
        m2 = np.maximum(second - first**2 / divisor, 0.0)
    known = np.isfinite(mean) & np.isfinite(m2)
    return np.where(known, count, 0.0), np.where(known, mean, 0.0), np.where(known, m2, 0.0)

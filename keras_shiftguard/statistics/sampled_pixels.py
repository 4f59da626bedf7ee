"""Some pixels of some samples, for the statistics that need no more."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.statistics.batch import InputSpec, pixels_of, pixels_per_sample

# A sample counts the same however large it is, and the cost of a step is bounded.
PIXELS_PER_SAMPLE = 256
PIXELS_PER_BATCH = 64 * PIXELS_PER_SAMPLE


class SampledPixels:
    """At most 256 pixels of a sample, evenly spread, of the first samples of a batch.

    Attributes:
        values: float32, `(samples, at most 256, channels)`, as fed.
        finite: bool like `values`; None if the dtype cannot hold a NaN.
    """

    def __init__(self, x: Any, spec: InputSpec) -> None:
        first = spec.layout == "channels_first"
        pixels = pixels_of(x, spec)
        num_pixels = pixels_per_sample(pixels, spec)
        positions = sampled_positions(num_pixels)
        used = PIXELS_PER_SAMPLE
        if isinstance(num_pixels, int):
            used = min(used, num_pixels)
        values = pixels[: PIXELS_PER_BATCH // used]
        if positions is not None:
            values = ops.take(values, positions, axis=2 if first else 1)
        self.values = ops.transpose(values, (0, 2, 1)) if first else values
        floats = keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype))
        self.finite = ops.isfinite(self.values) if floats else None

    def mean(self) -> Any:
        """Of the finite values of each channel, `(channels,)`; 0 where there are none."""
        if self.finite is None:
            return ops.mean(self.values, axis=(0, 1))
        total = ops.sum(ops.where(self.finite, self.values, 0.0), axis=(0, 1))
        number = ops.sum(ops.cast(self.finite, "float32"), axis=(0, 1))
        return total / ops.maximum(number, 1.0)


def sampled_positions(num_pixels: Any) -> Any:
    """Which pixels are sampled: a fixed low-discrepancy set; None means all.

    The fractional parts of multiples of the golden ratio are spread evenly
    over every interval and never fall in step with the rows of an image.
    """
    golden = (np.sqrt(5) - 1) / 2
    fractions = (np.arange(PIXELS_PER_SAMPLE) * golden) % 1
    if isinstance(num_pixels, int):
        if num_pixels <= PIXELS_PER_SAMPLE:
            return None
        return ops.convert_to_tensor(np.floor(fractions * num_pixels).astype("int32"))
    pixels = ops.cast(num_pixels, "float32")
    positions = ops.floor(ops.convert_to_tensor(fractions.astype("float32")) * pixels)
    return ops.cast(ops.minimum(positions, pixels - 1), "int32")

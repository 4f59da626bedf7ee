"""Sampled pixels of a batch, for statistics that do not need all pixels."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.statistics.batch import InputSpec, pixels_of, pixels_per_sample, row_mask
from keras_shiftguard.statistics.spread import GOLDEN

# Largest numbers of pixels that are used. With these limits, all images of more than 256 pixels
# have the same weight, and the cost of a step is bounded. Conventions.
PIXELS_PER_SAMPLE = 256
PIXELS_PER_BATCH = 64 * PIXELS_PER_SAMPLE


class SampledPixels:
    """At most 256 evenly spread pixels of each of the first samples of a batch.

    The number of samples is limited so that there are at most `PIXELS_PER_BATCH` pixels.

    Attributes:
        values: Values of the pixels, `(samples, at most 256, channels)`, float32.
        finite: Whether each value is finite and not padding, bool, shaped like `values`; None for
            integers without padding, because all of these are finite.
    """

    def __init__(self, x: Any, spec: InputSpec, rows: Any = None) -> None:
        channels_first = spec.layout == "channels_first"
        pixels = pixels_of(x, spec, dtype=None)  # a few pixels are cast below, not all
        num_pixels = pixels_per_sample(pixels, spec)
        positions = sampled_positions(num_pixels)
        num_used = PIXELS_PER_SAMPLE
        if isinstance(num_pixels, int):
            num_used = min(num_used, num_pixels)
        values = pixels[: PIXELS_PER_BATCH // num_used]
        if positions is not None:
            values = ops.take(values, positions, axis=2 if channels_first else 1)
        values = ops.cast(values, "float32")
        self.values = ops.transpose(values, (0, 2, 1)) if channels_first else values
        floats = keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype))
        self.finite = ops.isfinite(self.values) if floats else None
        if rows is not None:
            is_sample = ops.expand_dims(row_mask(self.values, rows), 2) > 0
            finite = ops.ones_like(self.values, "bool") if self.finite is None else self.finite
            self.finite = ops.logical_and(finite, is_sample)

    def mean(self) -> Any:
        """Returns the mean of the finite values of each channel, `(channels,)`; 0 if none are."""
        if self.finite is None:
            return ops.mean(self.values, axis=(0, 1))
        total = ops.sum(ops.where(self.finite, self.values, 0.0), axis=(0, 1))
        number = ops.sum(ops.cast(self.finite, "float32"), axis=(0, 1))
        return total / ops.maximum(number, 1.0)


def sampled_positions(num_pixels: Any) -> Any:
    """Returns the positions of the sampled pixels, int32; None if all pixels are used.

    The positions are a fixed low-discrepancy set: the fractional parts of the multiples
    of the golden ratio. These positions are spread evenly over every interval, and do not line up
    with the rows of an image.
    """
    fractions = (np.arange(PIXELS_PER_SAMPLE) * GOLDEN) % 1
    if isinstance(num_pixels, int):
        if num_pixels <= PIXELS_PER_SAMPLE:
            return None
        return ops.convert_to_tensor(np.floor(fractions * num_pixels).astype("int32"))
    pixels = ops.cast(num_pixels, "float32")
    positions = ops.floor(ops.convert_to_tensor(fractions.astype("float32")) * pixels)
    return ops.cast(ops.minimum(positions, pixels - 1), "int32")

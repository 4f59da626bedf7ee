"""What the statistics look at: one input of one batch, prepared once."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

# The sketches look at this many pixels of every sample. A sample counts the
# same however large it is, and the cost per sample is constant.
PIXELS_PER_SAMPLE = 256


@dataclass(frozen=True)
class InputSpec:
    """What is known of an input before the first batch.

    Args:
        name: Name of the input.
        layout: `"channels_last"`, `"channels_first"` or `"features"`.
        channels: Number of channels, or of features.
        size: `(height, width)`, None where it varies; `(0, 0)` for features.
    """

    name: str
    layout: str
    channels: int
    size: tuple[int | None, int | None] = (0, 0)


def spec_for(name: str, shape: tuple[int | None, ...], data_format: str) -> InputSpec | None:
    """The spec of a tensor of that shape; None if it cannot be measured.

    Four and more dimensions are images (or video): two spatial dimensions and
    the channels where `data_format` says. The rest is a vector of features.
    """
    if len(shape) >= 4:
        first = data_format == "channels_first"
        channels = shape[1] if first else shape[-1]
        size = (shape[-2], shape[-1]) if first else (shape[-3], shape[-2])
        if channels is not None:
            return InputSpec(name, data_format, channels, size)
    elif len(shape) >= 2 and shape[-1] is not None:
        return InputSpec(name, "features", shape[-1])
    return None


class Batch:
    """One input tensor, reshaped to pixels, with what several statistics need.

    Attributes:
        pixels: float32, `(batch, pixels, channels)`, or `(batch, channels,
            pixels)` for channels first, so that nothing has to be transposed.
        pixel_axis: Which of the axes holds the pixels.
        finite: bool like `pixels`; None if the dtype cannot hold a NaN.
        sampled: float32, `(batch, at most 256, channels)`.
        sampled_finite: bool like `sampled`, or None.
    """

    def __init__(self, x: Any, spec: InputSpec) -> None:
        self.spec = spec
        self.inputs = x
        is_float = keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype))
        shape = ops.shape(x)
        self.num_samples = ops.cast(shape[0], "float32")
        first = spec.layout == "channels_first"
        self.size = (0, 0)
        if spec.layout != "features":
            self.size = (shape[-2], shape[-1]) if first else (shape[-3], shape[-2])
        self.pixel_axis = 2 if first else 1
        layout = (shape[0], spec.channels, -1) if first else (shape[0], -1, spec.channels)
        self.pixels = ops.cast(ops.reshape(x, layout), "float32")
        self.finite = ops.isfinite(self.pixels) if is_float else None
        num_pixels = self.pixels.shape[self.pixel_axis]
        if num_pixels is None:
            num_pixels = ops.shape(self.pixels)[self.pixel_axis]
        positions = sampled_positions(num_pixels)
        if positions is None:
            sampled = self.pixels
        else:
            sampled = ops.take(self.pixels, positions, axis=self.pixel_axis)
        self.sampled = ops.transpose(sampled, (0, 2, 1)) if first else sampled
        self.sampled_finite = ops.isfinite(self.sampled) if is_float else None

    def pixel_counts(self) -> Any:
        """Number of finite pixels of each sample and channel, `(batch, channels)`."""
        if self.finite is not None:
            return ops.sum(ops.cast(self.finite, "float32"), axis=self.pixel_axis)
        pixels = ops.cast(ops.shape(self.pixels)[self.pixel_axis], "float32")
        return ops.ones_like(self.pixels[:, :, 0] if self.pixel_axis == 2 else self.pixels[:, 0]) * pixels

    def by_channel(self, vector: Any) -> Any:
        """A `(channels,)` vector, shaped to broadcast against `pixels`."""
        return ops.reshape(vector, (1, -1, 1) if self.pixel_axis == 2 else (1, 1, -1))


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

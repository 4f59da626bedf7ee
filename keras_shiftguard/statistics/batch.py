"""What the statistics look at: one input of one batch, prepared once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

# The sketches look at this many pixels of a sample, and at this many of a batch.
# A sample counts the same however large it is, and the cost of a step is
# bounded. (Counts, moments and extremes take in every pixel.)
PIXELS_PER_SAMPLE = 256
PIXELS_PER_BATCH = 64 * PIXELS_PER_SAMPLE


@dataclass(frozen=True)
class InputSpec:
    """What is known of an input before the first batch.

    Args:
        name: Name of the input.
        layout: `"channels_last"`, `"channels_first"` or `"features"`.
        channels: Number of channels, or of features.
        size: `(height, width)`, None where it varies; `(0, 0)` for features.
        tokens: Whether it holds ids, of a text or of categories; None where
            the first batch tells.
    """

    name: str
    layout: str
    channels: int
    size: tuple[int | None, int | None] = (0, 0)
    tokens: bool | None = False


def spec_for(
    name: str, shape: tuple[int | None, ...], data_format: str, dtype: str | None = None
) -> InputSpec | None:
    """The spec of a tensor of that shape; None if it cannot be measured.

    Four and more dimensions are images (or video): two spatial dimensions and
    the channels where `data_format` says. The rest is a vector of features,
    or of tokens if there are two dimensions and `dtype` is int32 or int64.
    A model's word is not enough for `dtype`: Keras casts what it is fed.
    """
    if len(shape) >= 4:
        first = data_format == "channels_first"
        channels = shape[1] if first else shape[-1]
        size = (shape[-2], shape[-1]) if first else (shape[-3], shape[-2])
        if channels is not None:
            return InputSpec(name, data_format, channels, size)
    elif len(shape) >= 2 and shape[-1] is not None:
        tokens = None if dtype is None else dtype in ("int32", "int64")
        return InputSpec(name, "features", shape[-1], tokens=tokens if len(shape) == 2 else False)
    return None


class Batch:
    """One input tensor, reshaped to pixels, with what several statistics need.

    Attributes:
        pixels: float32. Channels first: `(batch, channels, pixels)`, so that
            nothing has to be transposed. Channels last: `(batch, pixels / rows,
            rows * channels)`, since no CPU kernel likes an innermost dimension
            of three. Where a value is not finite, `fill` stands in its place,
            which is within the range of the others.
        num_pixels: Pixels of a sample and channel.
        num_finite: Finite ones among them, `(batch, channels)`.
        sampled: float32, `(samples, at most 256, channels)`, as fed.
        sampled_finite: bool like `sampled`; None if the dtype cannot hold a NaN.
        fill: Mean of the finite sampled pixels of each channel, `(channels,)`.
    """

    def __init__(self, x: Any, spec: InputSpec) -> None:
        self.spec = spec
        self.first = spec.layout == "channels_first"
        shape = ops.shape(x)
        self.num_samples = ops.cast(shape[0], "float32")
        self.size = (0, 0)
        if spec.layout != "features":
            self.size = (shape[-2], shape[-1]) if self.first else (shape[-3], shape[-2])
        by_pixel = (shape[0], spec.channels, -1) if self.first else (shape[0], -1, spec.channels)
        pixels = ops.cast(ops.reshape(x, by_pixel), "float32")
        axis = 2 if self.first else 1
        self.num_pixels = pixels.shape[axis]
        if self.num_pixels is None:
            self.num_pixels = ops.shape(pixels)[axis]
        positions = sampled_positions(self.num_pixels)
        used = PIXELS_PER_SAMPLE
        if isinstance(self.num_pixels, int):
            used = min(used, self.num_pixels)
        sampled = pixels[: PIXELS_PER_BATCH // used]
        if positions is not None:
            sampled = ops.take(sampled, positions, axis=axis)
        self.sampled = ops.transpose(sampled, (0, 2, 1)) if self.first else sampled
        self.rows = 1
        if not self.first and isinstance(self.num_pixels, int):
            self.rows = max(n for n in range(1, 65) if self.num_pixels % n == 0)
            wide = (shape[0], self.num_pixels // self.rows, self.rows * spec.channels)
            pixels = ops.reshape(pixels, wide)
        if keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype)):
            self.sampled_finite = ops.isfinite(self.sampled)
            inside = ops.cast(self.sampled_finite, "float32")
            total = ops.sum(ops.where(self.sampled_finite, self.sampled, 0.0), axis=(0, 1))
            self.fill = total / ops.maximum(ops.sum(inside, axis=(0, 1)), 1.0)
            self.pixels, self.num_finite = self._without_gaps(pixels)
        else:
            self.sampled_finite = None
            self.fill = ops.mean(self.sampled, axis=(0, 1))
            self.pixels, self.num_finite = pixels, self._all_finite(pixels)

    def by_channel(self, vector: Any) -> Any:
        """A `(channels,)` vector, shaped to broadcast against `pixels`."""
        if self.first:
            return ops.reshape(vector, (1, -1, 1))
        return ops.reshape(ops.tile(vector, (self.rows,)), (1, 1, -1))

    def over_pixels(self, reduce: Callable[..., Any], values: Any) -> Any:
        """Reduces values shaped like `pixels` to `(batch, channels)`."""
        if self.first:
            return reduce(values, axis=2)
        values = reduce(values, axis=1)
        if self.rows == 1:
            return values
        rows = ops.reshape(values, (ops.shape(values)[0], self.rows, self.spec.channels))
        return reduce(rows, axis=1)

    def _all_finite(self, pixels: Any) -> Any:
        one = pixels[:, :, 0] if self.first else pixels[:, 0, : self.spec.channels]
        return ops.ones_like(one) * ops.cast(self.num_pixels, "float32")

    def _without_gaps(self, pixels: Any) -> tuple[Any, Any]:
        """Puts `fill` where a value is not finite, and counts the finite ones."""

        def fill_gaps() -> tuple[Any, Any]:
            finite = ops.isfinite(pixels)
            filled = ops.where(finite, pixels, self.by_channel(self.fill))
            return filled, self.over_pixels(ops.sum, ops.cast(finite, "float32"))

        if keras.backend.backend() != "tensorflow":
            return fill_gaps()
        # TensorFlow's `where` takes longer than all that follows, and the
        # input is finite nearly always, which one sum tells. JAX fuses it, and
        # PyTorch, being eager, would have to wait for the answer.
        all_finite = ops.all(ops.isfinite(self.over_pixels(ops.sum, pixels)))
        return ops.cond(all_finite, lambda: (pixels, self._all_finite(pixels)), fill_gaps)


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

"""What the statistics look at: one input of one batch, prepared once."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import keras
from keras import ops


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
            of three. Where a value is not finite, the pivot stands in its place.
        deviation: `pixels` minus the pivot, so 0 where a value is not finite.
        total: Sum of the deviations of a sample, `(batch, channels)`.
        pivot: As given.
        num_pixels: Pixels of a sample and channel.
        num_finite: Finite ones among them, `(batch, channels)`.
        may_have_gaps: Whether the dtype can hold a NaN.

    Args:
        x: The tensor.
        spec: What it looks like.
        pivot: A value within the range of each channel, `(channels,)`.
    """

    def __init__(self, x: Any, spec: InputSpec, pivot: Any) -> None:
        self.spec = spec
        self.pivot = pivot
        self.first = spec.layout == "channels_first"
        shape = ops.shape(x)
        self.num_samples = ops.cast(shape[0], "float32")
        self.size = (0, 0)
        if spec.layout != "features":
            self.size = (shape[-2], shape[-1]) if self.first else (shape[-3], shape[-2])
        pixels = pixels_of(x, spec)
        self.num_pixels = pixels_per_sample(pixels, spec)
        self.rows = 1
        if not self.first and isinstance(self.num_pixels, int):
            self.rows = max(n for n in range(1, 65) if self.num_pixels % n == 0)
            wide = (shape[0], self.num_pixels // self.rows, self.rows * spec.channels)
            pixels = ops.reshape(pixels, wide)
        self.may_have_gaps = keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype))
        deviation = pixels - self.by_channel(pivot)
        measured = (pixels, deviation, self.over_pixels(ops.sum, deviation), self._all(pixels))
        if self.may_have_gaps:
            measured = self._without_gaps(*measured)
        self.pixels, self.deviation, self.total, self.num_finite = measured

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

    def _all(self, pixels: Any) -> Any:
        one = pixels[:, :, 0] if self.first else pixels[:, 0, : self.spec.channels]
        return ops.full_like(one, 1.0) * ops.cast(self.num_pixels, "float32")

    def _without_gaps(self, pixels: Any, deviation: Any, total: Any, number: Any) -> Any:
        """Puts the pivot where a value is not finite, and counts the finite ones."""

        def filled() -> Any:
            finite = ops.isfinite(pixels)
            apart = ops.where(finite, deviation, 0.0)
            return (
                ops.where(finite, pixels, self.by_channel(self.pivot)),
                apart,
                self.over_pixels(ops.sum, apart),
                self.over_pixels(ops.sum, ops.cast(finite, "float32")),
            )

        if keras.backend.backend() != "tensorflow":
            return filled()
        # TensorFlow's `where` takes longer than all that follows, and the
        # input is finite nearly always, which the sums tell. JAX fuses it, and
        # PyTorch, being eager, would have to wait for the answer.
        finite = ops.all(ops.isfinite(total))
        return ops.cond(finite, lambda: (pixels, deviation, total, number), filled)


def pixels_of(x: Any, spec: InputSpec) -> Any:
    """float32, `(batch, channels, pixels)` channels first, else `(batch, pixels, channels)`."""
    first = spec.layout == "channels_first"
    rows, sides = ops.shape(x)[0], tuple(x.shape[1:])
    # Said where it is known: TensorFlow does not find it out beside an unknown batch size.
    number = -1 if None in sides else prod(sides) // spec.channels
    shape = (rows, spec.channels, number) if first else (rows, number, spec.channels)
    return ops.cast(ops.reshape(x, shape), "float32")


def pixels_per_sample(pixels: Any, spec: InputSpec) -> Any:
    """How many pixels a sample has: an int where that is known ahead."""
    axis = 2 if spec.layout == "channels_first" else 1
    known = pixels.shape[axis]
    return ops.shape(pixels)[axis] if known is None else known


def as_measurable(x: Any) -> Any:
    """Columns of one dimension as `(samples, 1)`, booleans as 0 and 1; None if no numbers."""
    if str(getattr(x, "dtype", "")).split(".")[-1] == "bool":
        x = ops.cast(ops.convert_to_tensor(x), "uint8")
    if not is_numeric(x):
        return None
    return x[:, None] if len(x.shape) == 1 else x


def is_numeric(x: Any) -> bool:
    """Whether the tensor holds real numbers that the sketches can take."""
    try:
        name = keras.backend.standardize_dtype(x.dtype)
    except (AttributeError, ValueError, TypeError):
        return False
    return name.startswith(("float", "bfloat", "int", "uint"))

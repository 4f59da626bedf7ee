"""Input specifications, and batches prepared for the statistics."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_shiftguard.io.batches import why_not_dense


@dataclass(frozen=True)
class InputSpec:
    """Name, layout and size of one input.

    Args:
        name: Name of the input.
        layout: `"channels_last"`, `"channels_first"` or `"features"`.
        channels: Number of channels of an image, or of features.
        size: `(height, width)` in pixels; a side that varies is None. `(0, 0)` for
            features.
        tokens: Whether the input holds ids (of a text or of categories); None
            if unknown until the dtype of a batch is seen.
        series: Whether a sample is a series, `(times, channels)`.
        columns: Names of the columns, if the user's data are a table of pandas.
        is_entry: Whether the user's inputs are a dict, in which `name` is the key of this one.
    """

    name: str
    layout: str
    channels: int
    size: tuple[int | None, int | None] = (0, 0)
    tokens: bool | None = False
    series: bool = False
    columns: tuple[str, ...] = field(default=(), compare=False)
    is_entry: bool = field(default=False, compare=False)


def spec_for(
    name: str, shape: tuple[int | None, ...], data_format: str, dtype: str | None = None
) -> InputSpec | None:
    """Returns the specification of a tensor; None if it cannot be measured, or is empty.

    A tensor of one dimension holds one number for each sample. A tensor of four or more
    dimensions holds images or video, with the channels where `data_format` says. A tensor of two or
    three dimensions holds features in its last dimension, or tokens if it has two dimensions and
    `dtype` is int32 or int64.

    Args:
        name: Name of the input.
        shape: Shape of the tensor, with the batch dimension.
        data_format: `"channels_last"` or `"channels_first"`.
        dtype: Dtype of the data; None if unknown. Do not pass the dtype that a model
            declares for its input: the data may have another dtype, which Keras casts.
    """
    if 0 in shape[1:]:
        return None
    tokens = None if dtype is None else dtype in ("int32", "int64")
    if len(shape) >= 4:
        channels_first = data_format == "channels_first"
        channels = shape[1] if channels_first else shape[-1]
        size = (shape[-2], shape[-1]) if channels_first else (shape[-3], shape[-2])
        if channels is not None:
            return InputSpec(name, data_format, channels, size)
    elif len(shape) == 1:  # one number for each sample, see `as_measurable`
        return InputSpec(name, "features", 1, tokens=tokens)
    elif len(shape) == 3 and shape[-1] is not None:
        return InputSpec(name, "features", shape[-1], series=True)
    elif len(shape) == 2 and shape[-1] is not None:
        return InputSpec(name, "features", shape[-1], tokens=tokens)
    return None


class PixelSums(NamedTuple):
    """Sums over the finite pixels of each channel of each sample, `(samples, channels)`, float32.

    Attributes:
        pivot: A value within the range of each channel, `(channels,)`.
        num_finite: Number of finite pixels; 0 for padding.
        total: Sum of the deviations from the pivot.
        squares: Sum of their squares.
        lowest: The smallest value; infinite if no pixel is finite.
        highest: The largest value; -infinite if no pixel is finite.
    """

    pivot: Any
    num_finite: Any
    total: Any
    squares: Any
    lowest: Any
    highest: Any


def pixel_sums(
    x: Any, spec: InputSpec, pivot: Any, rows: Any = None, number: Any = None
) -> PixelSums:
    """Returns the sums over the pixels of one input tensor.

    `rows` is the number of samples, and `number` that of the pixels of each sample, if padding
    follows them; None if not. Padding of pixels is 0.
    """
    pixels = _Pixels(x, spec)
    values, num_finite = pixels.values, pixels.num_values()
    if number is not None:
        is_pixel = pixels.positions() < number
        num_finite = ops.ones_like(num_finite) * ops.cast(number, "float32")
        values = ops.where(is_pixel, values, pixels.by_channel(pivot))
    if keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype)):
        finite = ops.isfinite(values)
        values = ops.where(finite, values, pixels.by_channel(pivot))
        if number is not None:
            finite = ops.logical_and(finite, is_pixel)
        num_finite = pixels.over(ops.sum, ops.cast(finite, "float32"))
    deviation = values - pixels.by_channel(pivot)  # 0 where a value is not finite
    total = pixels.over(ops.sum, deviation)
    if rows is not None:
        is_sample = row_mask(x, rows)
        deviation = deviation * ops.reshape(is_sample, (-1, 1, 1))
        total = total * is_sample
        num_finite = num_finite * is_sample
    squares = pixels.over(ops.sum, ops.square(deviation))
    has_values = num_finite > 0
    lowest = ops.where(has_values, pixels.over(ops.min, values), np.inf)
    highest = ops.where(has_values, pixels.over(ops.max, values), -np.inf)
    return PixelSums(pivot, num_finite, total, squares, lowest, highest)


class _Pixels:
    """One input tensor, reshaped to pixels.

    Attributes:
        values: float32. Channels first: `(batch, channels, pixels)`. Channels last:
            `(batch, pixels / side_by_side, side_by_side * channels)`, because CPU
            kernels are slow on an innermost dimension of three.
        side_by_side: Number of pixels in the innermost dimension of `values`; 1 for
            channels first.
        number: Number of pixels of one channel of one sample.
    """

    def __init__(self, x: Any, spec: InputSpec) -> None:
        self._channels = spec.channels
        self._channels_first = spec.layout == "channels_first"
        self.values = pixels_of(x, spec)
        self.number = pixels_per_sample(self.values, spec)
        self.side_by_side = 1
        if not self._channels_first and isinstance(self.number, int):
            # `side_by_side` must divide the number of pixels; values above 64 bring no more speed.
            self.side_by_side = max(n for n in range(1, 65) if self.number % n == 0)
            wide_shape = (
                ops.shape(x)[0],
                self.number // self.side_by_side,
                self.side_by_side * spec.channels,
            )
            self.values = ops.reshape(self.values, wide_shape)

    def by_channel(self, vector: Any) -> Any:
        """Reshapes a `(channels,)` vector so that it broadcasts against `values`."""
        if self._channels_first:
            return ops.reshape(vector, (1, -1, 1))
        return ops.reshape(ops.tile(vector, (self.side_by_side,)), (1, 1, -1))

    def over(self, reduce: Callable[..., Any], values: Any) -> Any:
        """Reduces values shaped like `values` to `(batch, channels)`."""
        if self._channels_first:
            return reduce(values, axis=2)
        values = reduce(values, axis=1)
        if self.side_by_side == 1:
            return values
        pixels = ops.reshape(values, (ops.shape(values)[0], self.side_by_side, self._channels))
        return reduce(pixels, axis=1)

    def num_values(self) -> Any:
        """Returns the number of pixels of each sample and channel, `(batch, channels)`."""
        first = (
            self.values[:, :, 0] if self._channels_first else self.values[:, 0, : self._channels]
        )
        return ops.full_like(first, 1.0) * ops.cast(self.number, "float32")

    def positions(self) -> Any:
        """Returns the position of each pixel in its sample; it broadcasts against `values`."""
        if self._channels_first:
            return ops.reshape(ops.arange(self.number, dtype="int32"), (1, 1, -1))
        positions = ops.repeat(ops.arange(self.number, dtype="int32"), self._channels)
        return ops.reshape(positions, (1, -1, self.side_by_side * self._channels))


def row_mask(x: Any, rows: Any) -> Any:
    """Returns 1.0 for each of the first `rows` samples of `x`, else 0.0, `(batch, 1)`, float32."""
    return ops.cast(ops.arange(ops.shape(x)[0], dtype="int32")[:, None] < rows, "float32")


def pixels_of(x: Any, spec: InputSpec, dtype: str | None = "float32") -> Any:
    """Returns the tensor as pixels of a dtype; with None, of its own dtype.

    The shape is `(batch, channels, pixels)` for channels first, else `(batch, pixels,
    channels)`.
    """
    channels_first = spec.layout == "channels_first"
    samples, sides = ops.shape(x)[0], tuple(x.shape[1:])
    # If the number of pixels is known, it is passed to `reshape`, because TensorFlow does not infer
    # the number if the batch size is unknown.
    number = -1 if None in sides else prod(sides) // spec.channels
    shape = (samples, spec.channels, number) if channels_first else (samples, number, spec.channels)
    pixels = ops.reshape(x, shape)
    return pixels if dtype is None else ops.cast(pixels, dtype)


def pixels_per_sample(pixels: Any, spec: InputSpec) -> Any:
    """Returns how many pixels a sample has: an int if the shape is static, else a tensor."""
    axis = 2 if spec.layout == "channels_first" else 1
    known = pixels.shape[axis]
    return ops.shape(pixels)[axis] if known is None else known


def as_measurable(x: Any) -> Any:
    """Returns the tensor in a form that can be measured; None if it is not dense and numeric.

    A tensor of one dimension becomes `(samples, 1)`, and booleans become 0 and 1. Matrices of SciPy
    become dense.
    """
    if hasattr(x, "toarray"):
        x = x.toarray()
    if why_not_dense(x) or not can_be_measured(x):
        return None
    if _dtype(x) == "bool":
        x = ops.cast(ops.convert_to_tensor(x), "uint8")
    return x[:, None] if len(x.shape) == 1 else x


def fitted(x: Any, spec: InputSpec) -> Any:
    """Returns rows with as many numbers as the specification says: cut off, or followed by 0.

    So texts are measured that were padded to another length in each batch.
    """
    if spec.layout != "features" or len(x.shape) != 2 or x.shape[1] == spec.channels:
        return x
    if isinstance(x, np.ndarray):
        return np.pad(x, ((0, 0), (0, spec.channels)))[:, : spec.channels]
    padding = ops.zeros((ops.shape(x)[0], spec.channels), x.dtype)
    return ops.concatenate([x, padding], axis=1)[:, : spec.channels]


def can_be_measured(x: Any) -> bool:
    """Whether the tensor holds real numbers or booleans, see `as_measurable`."""
    return _dtype(x).startswith(("float", "bfloat", "int", "uint", "bool"))


def _dtype(x: Any) -> str:
    """Returns the name of the dtype of a tensor of any backend; "" if Keras does not know it."""
    try:
        return str(keras.backend.standardize_dtype(x.dtype))
    except (AttributeError, ValueError, TypeError):
        return ""

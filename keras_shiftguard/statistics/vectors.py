"""What one sample is as a short vector: a thumbnail, or its columns."""

from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.statistics.batch import InputSpec

THUMBNAIL = 8  # pixels a side
SMALLEST_UNKNOWN = 32
MANY_CHANNELS = 4


def dimension_of(spec: InputSpec) -> int:
    """Length of the vector of a sample."""
    return spec.channels if spec.layout == "features" else THUMBNAIL**2 * spec.channels


def frame(x: Any, spec: InputSpec) -> Any:
    """Images of four dimensions: of a video, or a volume, the middle frame."""
    first = spec.layout == "channels_first"
    while len(x.shape) > 4:
        axis = 2 if first else 1
        x = ops.take(x, ops.shape(x)[axis] // 2, axis=axis)
    return x


def picture(x: Any, spec: InputSpec) -> Any:
    """`frame`, with at least `SMALLEST_UNKNOWN` pixels along axes of no fixed size.

    What is too small there repeats its last row or column: a step must not
    fail over one small image, and the graph is built before its size is known.
    """
    x = frame(x, spec)
    axes = (2, 3) if spec.layout == "channels_first" else (1, 2)
    for axis, side in zip(axes, spec.size, strict=True):
        if side is None:
            size = ops.shape(x)[axis]
            xp = _numbers(size)
            wanted = xp.arange(xp.maximum(size, SMALLEST_UNKNOWN), dtype="int32")
            x = ops.take(x, xp.minimum(wanted, size - 1), axis=axis)
    return x


def columns(x: Any, spec: InputSpec) -> Any:
    """`(samples, channels)`: over a further axis (time), the mean of a column.

    Over the finite values, so that padding with NaN is no obstacle; NaN where
    there are none.
    """
    x = ops.cast(x, "float32")
    if len(x.shape) == 2:
        return x
    x = ops.reshape(x, (ops.shape(x)[0], -1, spec.channels))
    finite = ops.isfinite(x)
    number = ops.sum(ops.cast(finite, "float32"), axis=1)
    mean = ops.sum(ops.where(finite, x, 0.0), axis=1) / ops.maximum(number, 1.0)
    return ops.where(number > 0, mean, float("nan"))


def thumbnail(x: Any, spec: InputSpec) -> Any:
    """`(samples, 8 * 8 * channels)`: means of areas, whatever the size.

    Both layouts give the same vector. A sample with a value that is not finite
    comes out not finite.
    """
    x = ops.cast(frame(x, spec), "float32")
    shape = (ops.shape(x)[0], dimension_of(spec))
    if spec.layout == "channels_first":
        x = ops.matmul(_areas(ops.shape(x)[2]), x)  # (samples, channels, 8, width)
        x = ops.matmul(x, ops.transpose(_areas(ops.shape(x)[3])))
        return ops.reshape(ops.transpose(x, (0, 2, 3, 1)), shape)
    rows, width, channels = shape[0], ops.shape(x)[2], spec.channels
    x = ops.matmul(_areas(ops.shape(x)[1]), ops.reshape(x, (rows, ops.shape(x)[1], -1)))
    if channels > MANY_CHANNELS:
        x = ops.reshape(x, (rows * THUMBNAIL, width, channels))
        return ops.reshape(ops.matmul(_areas(width), x), shape)
    # One large product instead of many small ones: channels side by side.
    areas = ops.reshape(ops.transpose(_areas(width)), (width, 1, THUMBNAIL, 1))
    each = areas * ops.reshape(ops.eye(channels, dtype="float32"), (1, channels, 1, channels))
    each = ops.reshape(each, (width * channels, THUMBNAIL * channels))
    x = ops.matmul(ops.reshape(x, (rows * THUMBNAIL, width * channels)), each)
    return ops.reshape(x, shape)


def _areas(size: Any) -> Any:
    """`(8, size)`: the share of each pixel in each eighth of an axis."""
    xp = _numbers(size)
    length = float(size) if xp is np else ops.cast(size, "float32")
    pixel = xp.arange(size, dtype="float32")
    edge = np.arange(THUMBNAIL, dtype="float32")[:, None] * (length / THUMBNAIL)
    overlap = xp.minimum(edge + length / THUMBNAIL, pixel + 1.0) - xp.maximum(edge, pixel)
    areas = xp.maximum(overlap, 0.0) * (THUMBNAIL / length)
    return ops.convert_to_tensor(areas.astype("float32")) if xp is np else areas


def _numbers(size: Any) -> Any:
    """NumPy for a size that is known, so that nothing is left for the step."""
    return np if isinstance(size, int) else ops


def vectors(x: Any, spec: InputSpec) -> Any:
    """`(samples, dimension_of(spec))`, in float32.

    Columns are squeezed by `asinh`, so that one in the thousands does not hide
    the others.
    """
    return ops.arcsinh(columns(x, spec)) if spec.layout == "features" else thumbnail(x, spec)

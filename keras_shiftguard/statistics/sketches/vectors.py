"""Samples as short vectors, for the mean embedding: thumbnails of images, or columns.

The mean over time tells little about a series. So three more numbers describe each column:
`spread` (standard deviation over time), `step` (mean absolute change from one time to the next) and
`trend` (mean of the second half minus mean of the first half). They show series that were
normalized one by one, sampled at another rate, or reversed.
"""

from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.statistics.batch import InputSpec

THUMBNAIL = 8  # pixels a side. A convention.
# Pixels; an axis of no fixed size is padded to at least this size. A convention.
MIN_UNKNOWN_SIDE = 32
MAX_SERIES = 16  # of a series with more columns, only the means over time are used. A convention.
OVER_TIME = ("spread", "step", "trend")  # numbers that describe a column of a series
# With more channels, one large matrix product is too slow. A convention.
MAX_CHANNELS_IN_PRODUCT = 4


def dimension_of(spec: InputSpec) -> int:
    """Returns the length of the vector of a sample."""
    is_table = spec.layout == "features"
    return len(column_names(spec)) if is_table else THUMBNAIL**2 * spec.channels


def column_names(spec: InputSpec) -> tuple[str, ...]:
    """Returns the names of the numbers that `columns` returns, such as `"0"` and `"trend_0"`."""
    numbers = tuple(map(str, range(spec.channels)))
    if not _has_time(spec):
        return numbers
    return numbers + tuple(f"{what}_{i}" for what in OVER_TIME for i in numbers)


def middle_frame(x: Any, spec: InputSpec) -> Any:
    """Returns the middle frame of a video or a volume; images are returned as they are."""
    while len(x.shape) > 4:
        axis = 2 if spec.layout == "channels_first" else 1
        x = ops.take(x, ops.shape(x)[axis] // 2, axis=axis)
    return x


def padded_frame(x: Any, spec: InputSpec) -> Any:
    """Returns `middle_frame`, padded to `MIN_UNKNOWN_SIDE` pixels along axes of no fixed size.

    The padding repeats the last row or column. Padding is needed because the compiled update is
    built before the size is known, and must not fail on a small image.
    """
    x = middle_frame(x, spec)
    axes = (2, 3) if spec.layout == "channels_first" else (1, 2)
    for axis, side in zip(axes, spec.size, strict=True):
        if side is None:
            size = ops.shape(x)[axis]
            xp = _array_module(size)
            positions = xp.arange(xp.maximum(size, MIN_UNKNOWN_SIDE), dtype="int32")
            x = ops.take(x, xp.minimum(positions, size - 1), axis=axis)
    return x


def columns(x: Any, spec: InputSpec) -> Any:
    """Returns the columns of each sample, `(samples, len(column_names(spec)))`, float32.

    If there is a time axis, the finite values of a column are averaged over time, so that series
    padded with NaN can be used. The result is NaN for a column without a finite value.
    """
    x = ops.cast(x, "float32")
    if len(x.shape) == 2 and not spec.series:
        return x
    x = ops.reshape(x, (ops.shape(x)[0], -1, spec.channels))
    mean = _finite_mean(x)
    if not _has_time(spec):
        return mean
    # Centered on the mean, because float32 cancels far from zero.
    x = x - mean[:, None]
    half = ops.shape(x)[1] // 2
    spread = ops.sqrt(_finite_mean(ops.square(x)))
    step = _finite_mean(ops.abs(x[:, 1:] - x[:, :-1]), empty=0.0)
    trend = _finite_mean(x[:, half:], empty=0.0) - _finite_mean(x[:, :half], empty=0.0)
    return ops.concatenate([mean, spread, step, trend], axis=1)


def _has_time(spec: InputSpec) -> bool:
    return spec.series and spec.channels <= MAX_SERIES


def _finite_mean(x: Any, empty: float = float("nan")) -> Any:
    """Returns the mean over time of the finite values, `(samples, channels)`.

    The result is `empty` where no value is finite.
    """
    finite = ops.isfinite(x)
    number = ops.sum(ops.cast(finite, "float32"), axis=1)
    mean = ops.sum(ops.where(finite, x, 0.0), axis=1) / ops.maximum(number, 1.0)
    return ops.where(number > 0, mean, empty)


def thumbnail(x: Any, spec: InputSpec) -> Any:
    """Returns thumbnails of images of any size, `(samples, 8 * 8 * channels)`, float32.

    Each value is the mean of an area. Both layouts give the same vector. If a sample has a
    non-finite value, its thumbnail has non-finite values as well.
    """
    x = ops.cast(middle_frame(x, spec), "float32")
    height = ops.shape(x)[2 if spec.layout == "channels_first" else 1]
    return across(eighths(x, areas(height), spec), spec)


def eighths(x: Any, weights: Any, spec: InputSpec) -> Any:
    """Returns images with eight rows: sums of the rows of `x`, float32, weighted `(8, height)`."""
    if spec.layout == "channels_first":
        return ops.matmul(weights, x)  # (samples, channels, 8, width)
    samples, height, width, channels = ops.shape(x)
    rows = ops.matmul(weights, ops.reshape(x, (samples, height, -1)))
    return ops.reshape(rows, (samples, THUMBNAIL, width, channels))


def across(x: Any, spec: InputSpec) -> Any:
    """Returns thumbnails from images with eight rows, as `eighths` returns them."""
    shape = (ops.shape(x)[0], dimension_of(spec))
    if spec.layout == "channels_first":
        x = ops.matmul(x, ops.transpose(areas(ops.shape(x)[3])))
        return ops.reshape(ops.transpose(x, (0, 2, 3, 1)), shape)
    rows, width, channels = shape[0], ops.shape(x)[2], spec.channels
    if channels > MAX_CHANNELS_IN_PRODUCT:
        x = ops.reshape(x, (rows * THUMBNAIL, width, channels))
        return ops.reshape(ops.matmul(areas(width), x), shape)
    # One large matrix product instead of many small ones, with the channels side by side.
    weights = ops.reshape(ops.transpose(areas(width)), (width, 1, THUMBNAIL, 1))
    matrix = weights * ops.reshape(ops.eye(channels, dtype="float32"), (1, channels, 1, channels))
    matrix = ops.reshape(matrix, (width * channels, THUMBNAIL * channels))
    x = ops.matmul(ops.reshape(x, (rows * THUMBNAIL, width * channels)), matrix)
    return ops.reshape(x, shape)


def areas(size: Any) -> Any:
    """Returns the weight of each pixel in the mean of each eighth of an axis, `(8, size)`."""
    xp = _array_module(size)
    length = float(size) if xp is np else ops.cast(size, "float32")
    pixel = xp.arange(size, dtype="float32")
    start = np.arange(THUMBNAIL, dtype="float32")[:, None] * (length / THUMBNAIL)
    overlap = xp.minimum(start + length / THUMBNAIL, pixel + 1.0) - xp.maximum(start, pixel)
    weights = xp.maximum(overlap, 0.0) * (THUMBNAIL / length)
    return ops.convert_to_tensor(weights.astype("float32")) if xp is np else weights


def _array_module(size: Any) -> Any:
    """Returns NumPy for a size that is an int, so that results are constants; else `keras.ops`."""
    return np if isinstance(size, int) else ops


def vectors(x: Any, spec: InputSpec) -> Any:
    """Returns the vectors of samples, `(samples, dimension_of(spec))`, float32.

    Columns are transformed with `asinh`, so that a column of large values does not
    hide the others.
    """
    return ops.arcsinh(columns(x, spec)) if spec.layout == "features" else thumbnail(x, spec)

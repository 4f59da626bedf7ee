"""Large images, measured one by one in bands of pixels, so that the memory stays small.

The statistics need up to ten float32 numbers for each value of a batch, and one float64 number on
the host. For an image of 4000 x 4000 pixels, that is gigabytes. So the parts of the statistics that
need all pixels are sums, which are added up on the host.
"""

from collections.abc import Iterator
from functools import lru_cache
from math import prod
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.statistics.batch import InputSpec, PixelSums, pixel_sums
from keras_shiftguard.statistics.compiled import compiled_once
from keras_shiftguard.statistics.sketches.fingerprint import SCALE, pattern
from keras_shiftguard.statistics.sketches.vectors import (
    THUMBNAIL,
    across,
    areas,
    eighths,
    middle_frame,
)
from keras_shiftguard.statistics.spread import GOLDEN
from keras_shiftguard.statistics.state import State, on_host

LARGE = 2**21  # values of an image; about 840 x 840 pixels of three channels. A convention.
BAND = 2**20  # values of a band. A convention.


def is_large(x: Any, spec: InputSpec) -> bool:
    """Whether the samples of a tensor are images of more than `LARGE` values."""
    sides = tuple(x.shape[1:])
    return spec.layout != "features" and None not in sides and prod(sides) > LARGE


def projections_in_bands(x: Any, state: State) -> Any:
    """Returns the same as `fingerprint.projected`, up to rounding."""
    size = prod(x.shape[1:])
    sums = np.zeros((x.shape[0], 2))

    def update(band: Any, shift: Any) -> Any:
        values = ops.cast(band, "float32")
        fraction = ops.convert_to_tensor(_fractions()) + shift
        weights = pattern(fraction, ops)
        return ops.stack([ops.sum(values), ops.sum(values * weights)])

    for i in range(x.shape[0]):
        for start, _, band in _bands(_flat(x, i, (size,)), 0, BAND):
            shift = start * GOLDEN % 1
            rounded = np.float32(shift)
            tensors = band[None], rounded
            found = on_host(compiled_once(update, state, ("band of values",), *tensors))
            # The weights of a band all have the same rounding error, which is corrected.
            sums[i] += found[0], found[1] + found[0] * (shift - rounded) * SCALE
    return ops.convert_to_tensor((sums / [size, np.sqrt(size)]).astype("float32"))


def sums_in_bands(x: Any, spec: InputSpec, pivot: Any, state: State, rows: Any) -> PixelSums:
    """Returns the same as `pixel_sums`, up to rounding."""
    channels = spec.channels
    axis = 1 if spec.layout == "channels_first" else 0
    pixels = prod(x.shape[1:]) // channels
    shape = (channels, pixels) if axis else (pixels, channels)
    length = max(BAND // channels // 64, 1) * 64
    count, total, squares = np.zeros((3, x.shape[0], channels))
    lowest = np.full((x.shape[0], channels), np.inf)
    highest = -lowest

    def update(band: Any, pivot: Any, number: Any) -> Any:
        return tuple(pixel_sums(band, spec, pivot, number=number))[1:]

    key = ("band of pixels", channels, axis)
    for i in range(x.shape[0] if rows is None else int(rows)):
        for _, number, band in _bands(_flat(x, i, shape), axis, length):
            found = compiled_once(update, state, key, band[None], pivot, np.int32(number))
            new = [on_host(each)[0] for each in found]
            count[i] += new[0]
            total[i] += new[1]
            squares[i] += new[2]
            lowest[i] = np.minimum(lowest[i], new[3])
            highest[i] = np.maximum(highest[i], new[4])
    sums = (count, total, squares, lowest, highest)
    return PixelSums(pivot, *(ops.convert_to_tensor(each.astype("float32")) for each in sums))


def thumbnails_in_bands(x: Any, spec: InputSpec) -> Any:
    """Returns the same as `vectors.thumbnail`, up to rounding."""
    x = middle_frame(x, spec)
    axis = 1 if spec.layout == "channels_first" else 0  # of the rows
    height = x.shape[1 + axis]
    sides = tuple(x.shape[1:])
    length = max(BAND // (prod(sides) // height), 1)
    weights = on_host(areas(height))
    eight = np.zeros((x.shape[0], *sides[:axis], THUMBNAIL, *sides[axis + 1 :]), "float32")
    for i in range(x.shape[0]):
        for start, number, band in _bands(_flat(x, i, sides), axis, length):
            weight = np.zeros((THUMBNAIL, length), "float32")
            weight[:, :number] = weights[:, start : start + number]
            rows = ops.cast(ops.convert_to_tensor(band), "float32")[None]
            eight[i] += on_host(eighths(rows, ops.convert_to_tensor(weight), spec))[0]
    return across(ops.convert_to_tensor(eight), spec)


def _flat(x: Any, sample: int, shape: tuple[int, ...]) -> Any:
    """Returns one sample of a tensor in another shape, on JAX and a CPU as a NumPy array.

    JAX would copy the sample. The array shares its memory.
    """
    if keras.backend.backend() == "jax" and not isinstance(x, np.ndarray):
        if x.is_fully_addressable and {device.platform for device in x.devices()} == {"cpu"}:
            x = np.asarray(x)
    if isinstance(x, np.ndarray):
        return x[sample].reshape(shape)
    return ops.reshape(x if x.shape[0] == 1 else x[sample], shape)


def _bands(x: Any, axis: int, length: int) -> Iterator[tuple[int, int, Any]]:
    """Yields the bands of a tensor along an axis, all of `length`: start, true length, and band.

    All bands have one shape, so that one compiled function is enough: the last one is padded with
    zeros.
    """
    lengths = list(x.shape)
    for start in range(0, x.shape[axis], length):
        number = min(length, x.shape[axis] - start)
        lengths[axis] = number
        if isinstance(x, np.ndarray):
            band = x[(slice(None),) * axis + (slice(start, start + number),)]
        else:
            starts = [start if each == axis else 0 for each in range(len(lengths))]
            band = ops.slice(x, starts, lengths)
        if number < length:
            missing = [(0, length - number if each == axis else 0) for each in range(len(lengths))]
            band = np.pad(band, missing) if isinstance(x, np.ndarray) else ops.pad(band, missing)
        yield start, number, band


@lru_cache(maxsize=1)
def _fractions() -> np.ndarray:
    """Returns the fractional parts of the first multiples of the golden ratio, float32."""
    fractions: np.ndarray = (np.arange(BAND) * GOLDEN % 1).astype("float32")
    return fractions

"""Evenly spread samples: a part of a batch or of a data set, from its beginning to its end.

The first samples alone would not do, because validation sets are often sorted by class. Nor would
every k-th sample, because files are often interleaved: with two classes in turns, every second
sample is of one class. So the data is divided into equal parts, and from each part one sample is
taken, at a place that differs from part to part.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

PLACES = 64  # number of places within a part


def spread(number: int, at_most: int | None) -> np.ndarray:
    """Returns at most `at_most` positions out of `number`, evenly spread, in ascending order."""
    if at_most is None or number <= at_most:
        return np.arange(number)
    places = np.arange(at_most) * PLACES
    if number >= 2 * at_most:
        places += _offsets(at_most)
    return places * number // (at_most * PLACES)


def _offsets(parts: int) -> np.ndarray:
    """Returns an offset within each of some parts, in units of `1 / PLACES` of a part.

    If a part has two samples or more, no sample is taken twice.
    """
    golden = 0.5 * (5**0.5 - 1)  # its multiples have no period
    return np.asarray(PLACES * (np.arange(parts) * golden % 1), dtype=int)


def spread_groups(number: int, at_most: int) -> np.ndarray:
    """Returns at most `at_most` positions out of `number`: evenly spread groups of neighbors.

    A group has four neighbors, or fewer if `at_most` could not be reached with four.
    """
    if number <= at_most:
        return np.arange(number)
    size = next(s for s in (4, 2, 1) if s <= at_most and number // s >= -(-at_most // s))
    first = size * spread(number // size, -(-at_most // size))
    return (first[:, None] + np.arange(size)).ravel()[:at_most]


def spread_rows(x: Any, at_most: int, rows: Any = None) -> Any:
    """Returns at most `at_most` samples of a tensor, evenly spread. Works in compiled functions.

    Args:
        x: A tensor, `(samples, ...)`.
        at_most: Largest number of samples.
        rows: Number of samples, if the rows after them are padding; None for all. If there are
            fewer than `at_most`, padding follows them in the result as well.
    """
    size = x.shape[0]
    if size is not None and size <= at_most:
        return x
    number = ops.shape(x)[0] if rows is None else rows
    if isinstance(number, int):
        return ops.take(x, spread(number, at_most), axis=0)
    number = ops.cast(number, "int32")
    offsets = _offsets(at_most).astype("int32") * ops.cast(number >= 2 * at_most, "int32")
    places = np.arange(at_most, dtype="int32") * PLACES + offsets
    positions = places * ops.maximum(number, at_most) // (at_most * PLACES)
    if size is None:  # on TensorFlow, a batch of any size
        positions = positions[: ops.minimum(number, at_most)]
    return ops.take(x, positions, axis=0)


def taken(x: Any, positions: np.ndarray) -> Any:
    """Returns the samples of an array or tensor at some positions."""
    if len(positions) == x.shape[0]:
        return x
    is_tensor = keras.backend.backend() == "tensorflow" and not isinstance(x, np.ndarray)
    return ops.take(x, positions, axis=0) if is_tensor else x[positions]

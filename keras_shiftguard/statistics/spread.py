"""Evenly spread samples: a part of a batch or of a data set, from its beginning to its end.

The first samples alone would not do, because validation sets are often sorted by class.
"""

from typing import Any

import keras
import numpy as np
from keras import ops


def spread(number: int, at_most: int | None) -> np.ndarray:
    """Returns at most `at_most` positions out of `number`, evenly spread."""
    if at_most is None or number <= at_most:
        return np.arange(number)
    return np.arange(at_most) * number // at_most


def spread_pairs(number: int, at_most: int) -> np.ndarray:
    """Returns at most `at_most` positions out of `number`: evenly spread pairs of neighbors."""
    if number <= at_most:
        return np.arange(number)
    first = 2 * spread(number // 2, -(-at_most // 2))
    return np.stack([first, first + 1], axis=1).ravel()[:at_most]


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
    positions = np.arange(at_most, dtype="int32")
    positions = positions * ops.maximum(ops.cast(number, "int32"), at_most) // at_most
    if size is None:  # on TensorFlow, a batch of any size
        positions = positions[: ops.minimum(number, at_most)]
    return ops.take(x, positions, axis=0)


def taken(x: Any, positions: np.ndarray) -> Any:
    """Returns the samples of an array or tensor at some positions."""
    if len(positions) == x.shape[0]:
        return x
    is_tensor = keras.backend.backend() == "tensorflow" and not isinstance(x, np.ndarray)
    return ops.take(x, positions, axis=0) if is_tensor else x[positions]

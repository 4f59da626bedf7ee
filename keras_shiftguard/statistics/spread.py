"""Evenly spread samples: a part of a batch or of a data set, from its beginning to its end.

The first samples alone would not do, because validation sets are often sorted by class. Nor would
every k-th sample, because files are often interleaved: with two classes in turns, every second
sample is of one class. So the distances between the samples vary, without a period.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

# Fractional parts of its multiples are even, without period. Given by the golden ratio.
GOLDEN = (np.sqrt(5) - 1) / 2
# Number of samples that are measured at a time, so that the memory is bounded; fewer on JAX, where
# each part is padded to the same size. Conventions.
PART = 128
PADDED_PART = 32


def spread(number: int, at_most: int | None, seed: int = 0) -> np.ndarray:
    """Returns at most `at_most` positions out of `number`, evenly spread, in ascending order.

    None stands for all. A pass uses another `seed`, and so another spread, in each batch.
    """
    if at_most is None or number <= at_most:
        return np.arange(number)
    shift = np.random.default_rng(seed).random() if seed else 0.0
    places = (np.arange(number) * GOLDEN + shift) % 1
    return np.sort(np.argpartition(places, at_most)[:at_most])


def spread_groups(number: int, at_most: int) -> np.ndarray:
    """Returns at most `at_most` positions out of `number`: evenly spread groups of neighbors.

    A group has four neighbors, or fewer if `at_most` could not be reached with four.
    """
    if number <= at_most:
        return np.arange(number)
    size = next(s for s in (4, 2, 1) if s <= at_most and number // s >= -(-at_most // s))
    first = size * spread(number // size, -(-at_most // size))
    return (first[:, None] + np.arange(size)).ravel()[:at_most]


def in_parts(chosen: np.ndarray, size: int, rows: Any = None) -> list[tuple[np.ndarray, Any]]:
    """Returns positions of a batch in parts of at most `PART` samples.

    `rows` is None except on JAX, which compiles a function for each size: each part then has
    `PADDED_PART` positions, the last one repeated. `size` is that of the batch, with padding.
    Returns the positions of each part, int32, and the number of different ones (None for all).
    """
    chosen = chosen.astype("int32")
    if rows is None:
        return [(chosen[start : start + PART], None) for start in range(0, len(chosen), PART)]
    length = min(size, PADDED_PART)
    parts = [chosen[start : start + length] for start in range(0, len(chosen), length)]
    return [
        (np.pad(part, (0, length - len(part)), mode="edge"), np.int32(len(part))) for part in parts
    ]


def taken(x: Any, positions: np.ndarray) -> Any:
    """Returns the samples of an array or tensor at some positions."""
    if len(positions) == x.shape[0]:
        return x
    is_tensor = keras.backend.backend() == "tensorflow" and not isinstance(x, np.ndarray)
    return ops.take(x, positions, axis=0) if is_tensor else x[positions]

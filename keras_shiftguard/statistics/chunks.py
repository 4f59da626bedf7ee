"""Runs a function on a few samples at a time, so that the memory is bounded.

JAX compiles an operation for each shape, so there each chunk has the same number of samples: the
last sample is repeated. In inference mode, and in an operation on data, the results of a sample do
not depend on the other samples.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_shiftguard.statistics.rows import Rows
from keras_shiftguard.statistics.spread import PART

PADDED_CHUNK = 64  # on JAX, where fewer samples waste less. A convention.
# A Keras model keeps the outputs of all its layers until the last one, some hundred times as many
# values as it is fed. So of large samples fewer are taken: 27 photos of 224 x 224, see
# docs/benchmarks/memory.md.
MAX_VALUES = 2**22


def chunks(x: Any) -> Iterator[tuple[Any, int]]:
    """Yields parts of some samples, with the number of samples that are not padding.

    `x` is an array, `(samples, ...)`, or `Rows`.
    """
    pads = keras.backend.backend() == "jax"
    size = min(PADDED_CHUNK if pads else PART, max(MAX_VALUES // _values(x), 1))
    for start in range(0, len(x), size):
        number = min(size, len(x) - start)
        rows = np.arange(start, start + size).clip(max=len(x) - 1) if pads else None
        yield (x[start : start + number] if rows is None else x[rows]), number


def _values(x: Any) -> int:
    """Returns the number of values of a sample, at least 1."""
    leaves = keras.tree.flatten(x.tree) if isinstance(x, Rows) else [x]
    return max(sum(int(np.prod(np.shape(leaf)[1:])) for leaf in leaves), 1)


def in_chunks(function: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """Returns what a function makes of samples, as one array on the host, `(samples, ...)`.

    The function makes of a part of the samples a tensor with one row for each of them.
    """
    found = [
        np.asarray(keras.ops.convert_to_numpy(function(part)))[:number]
        for part, number in chunks(x)
    ]
    return np.concatenate(found)

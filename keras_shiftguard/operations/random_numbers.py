"""Random numbers of operations: seeds without state, and smooth random fields."""

from collections.abc import Callable
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

GRID_SIZE = 6  # grid points of a smooth random field along a side. A convention.

Level = Callable[[str], Any]  # from an operation's name to its levels, `(samples,)`, in its unit


class Numbers(Protocol):
    """Uniform random numbers in [0, 1): one for each sample, by purpose."""

    def __getitem__(self, name: str) -> Any:
        """Returns the numbers for a purpose such as `"side"`, `(samples,)`."""
        ...


class GivenSeed(keras.random.SeedGenerator):
    """A seed generator without state, for use in `ops.cond`; it always returns one given seed."""

    def __init__(self, seed: Any) -> None:
        self.seed = seed

    def next(self, ordered: bool = True) -> Any:
        return self.seed


class FixedNumbers:
    """Uniform random numbers for `rows` samples that depend only on the purpose."""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def __getitem__(self, name: str) -> Any:
        rng = np.random.default_rng([0, *name.encode()])
        return ops.convert_to_tensor(rng.random(self._rows).astype("float32"))


def fixed_seed(number: int) -> GivenSeed:
    """Returns a seed that depends on `number` only, so that every call draws the same numbers."""
    dtype = "int32" if keras.backend.backend() == "torch" else "uint32"
    return GivenSeed(ops.convert_to_tensor(np.array([number, 1]), dtype))


def drawn_seed(generator: keras.random.SeedGenerator) -> GivenSeed:
    """Returns the next seed of a generator."""
    return GivenSeed(generator.next())


def smooth_field(x: Any, channels: int, seed: GivenSeed) -> Any:
    """Returns a smooth random field in [0, 1] for each image of `x`, whose shape alone is used.

    It has `channels` channels, and holds uniform numbers on a coarse grid, interpolated linearly.
    """
    shape = ops.shape(x)
    size = GRID_SIZE
    grid = keras.random.uniform((shape[0], size * size * channels), seed=seed, dtype="float32")
    by_row, by_column = _interpolation(shape[1]), _interpolation(shape[2])
    field = ops.reshape(grid, (shape[0], size, size * channels))
    field = ops.reshape(ops.matmul(by_row, field), (shape[0], shape[1], size, channels))
    return ops.matmul(by_column, field)


def _interpolation(length: Any) -> Any:
    """Returns the weight of each grid point for each pixel of a side, `(length, GRID_SIZE)`."""
    at = ops.cast(ops.arange(length), "float32") / ops.cast(length, "float32") * (GRID_SIZE - 1)
    grid_point = ops.cast(ops.arange(GRID_SIZE), "float32")
    return ops.maximum(1.0 - ops.abs(at[:, None] - grid_point[None, :]), 0.0)

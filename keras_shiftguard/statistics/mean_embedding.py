"""Mean embedding sketch: mean and covariance of random Fourier features."""

from collections.abc import Mapping
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.profiles import MeanEmbedding, Moments
from keras_shiftguard.profiles.embedding import (
    BANDWIDTHS,
    NUM_DIRECTIONS,
    NUM_WAVES,
    directions,
)
from keras_shiftguard.statistics.batch import row_mask
from keras_shiftguard.statistics.features import LARGEST_VALUE
from keras_shiftguard.statistics.moments import moments_from_sums
from keras_shiftguard.statistics.state import State


class EmbeddingSketch:
    """Accumulates a `MeanEmbedding` from `(samples, dimension)` batches.

    The features ("waves") and their products are summed around a pivot, like all
    sums in this package: at a bandwidth where samples hardly differ, float32
    would lose the covariance otherwise.

    >>> sketch = EmbeddingSketch(dimension=3)
    >>> _ = sketch.update(keras.ops.ones((5, 3)))
    >>> sketch.drain().count
    5

    Args:
        dimension: Length of the vectors.
        state: The state that holds the variables; a new one by default.
        prefix: Prefix of the names of the variables in `state`.
    """

    def __init__(
        self, dimension: int, state: State | None = None, prefix: str = "embedding"
    ) -> None:
        self.dimension = dimension
        self.state = State("shiftguard") if state is None else state
        self.prefix = prefix
        shape = (len(BANDWIDTHS), NUM_WAVES)
        self.count = self.state.add(f"{prefix}_count", ())
        self.pivot = self.state.add(f"{prefix}_pivot", shape)
        self.first = self.state.add(f"{prefix}_first", shape)
        self.second = self.state.add(f"{prefix}_second", (*shape, NUM_WAVES))
        self.projected_pivot = self.state.add(f"{prefix}_projected_pivot", (NUM_DIRECTIONS,))
        self.projected_first = self.state.add(f"{prefix}_projected_first", (NUM_DIRECTIONS,))
        self.projected_second = self.state.add(f"{prefix}_projected_second", (NUM_DIRECTIONS,))

    def update(self, vectors: Any, rows: Any = None) -> tuple[Any, Any]:
        """Adds `(samples, dimension)` vectors; those that are not finite are left out.

        Args:
            vectors: The vectors.
            rows: Number of samples, if the rows after them are padding; None for all.

        Returns:
            The projections, `(samples, NUM_DIRECTIONS)`; and the weights,
            `(samples, 1)`, 1.0 where a sample was finite, else 0.0. float32.
        """
        vectors = ops.cast(vectors, "float32")
        known = ops.all(ops.abs(vectors) < LARGEST_VALUE, axis=1, keepdims=True)
        weight = ops.cast(known, "float32")
        if rows is not None:
            weight = weight * row_mask(vectors, rows)
        vectors = ops.where(known, vectors, 0.0)
        matrix = ops.convert_to_tensor(directions(self.dimension))
        projections = ops.matmul(vectors, matrix)
        inverse = np.asarray(BANDWIDTHS, "float32")[:, None] ** -1
        angles = ops.expand_dims(projections, 1) * ops.convert_to_tensor(inverse)
        waves = ops.concatenate([ops.cos(angles), ops.sin(angles)], axis=2)

        number = ops.sum(weight)
        scale = 1.0 / ops.maximum(number, 1.0)
        every_wave = ops.expand_dims(weight, 2)
        fresh = self.count.value <= 0
        pivot = ops.where(fresh, ops.sum(waves * every_wave, axis=0) * scale, self.pivot.value)
        projected_pivot = ops.where(
            fresh, ops.sum(projections * weight, axis=0) * scale, self.projected_pivot.value
        )
        deviation = (waves - pivot) * every_wave
        products = ops.matmul(
            ops.transpose(deviation, (1, 2, 0)), ops.transpose(deviation, (1, 0, 2))
        )
        projected = (projections - projected_pivot) * weight
        self.pivot.assign(pivot)
        self.projected_pivot.assign(projected_pivot)
        self.count.assign(self.count + number)
        self.first.assign(self.first + ops.sum(deviation, axis=0))
        self.second.assign(self.second + products)
        self.projected_first.assign(self.projected_first + ops.sum(projected, axis=0))
        self.projected_second.assign(self.projected_second + ops.sum(ops.square(projected), axis=0))
        return projections, weight

    def read(self, values: Mapping[str, np.ndarray]) -> MeanEmbedding:
        """Returns the embedding, from the values that `state.read()` gave for one replica."""
        count, pivot, first, second, *projected = (
            values[f"{self.prefix}_{name}"]
            for name in (
                "count",
                "pivot",
                "first",
                "second",
                "projected_pivot",
                "projected_first",
                "projected_second",
            )
        )
        if not count:
            return MeanEmbedding()
        shift = first / count
        return MeanEmbedding(
            self.dimension,
            int(count),
            pivot + shift,
            second - count * shift[:, :, None] * shift[:, None, :],
            Moments(*moments_from_sums(np.full(NUM_DIRECTIONS, count), *projected)),
        )

    def drain(self) -> MeanEmbedding:
        """Returns the embedding accumulated since the last call, and resets the state.

        For a sketch with a state of its own.
        """
        embedding = reduce(add, [self.read(values) for values in self.state.read()])
        self.state.reset()
        return embedding

"""Sketch of a mean embedding: mean and covariance of random Fourier features."""

from collections.abc import Mapping
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
    """Accumulates a `MeanEmbedding` from batches of `(samples, dimension)` vectors.

    The Fourier features ("waves") and their products are summed around a pivot, like all
    sums in this package. Otherwise float32 would lose the covariance at large bandwidths, at
    which the waves of different samples hardly differ.

    >>> sketch = EmbeddingSketch(dimension=3)
    >>> _ = sketch.update(keras.ops.ones((5, 3)))
    >>> sketch.drain().count
    5

    Without a `state`, it has one of its own.
    """

    def __init__(self, dimension: int, state: State | None = None) -> None:
        self.dimension = dimension
        self.state = State("shiftguard") if state is None else state
        # Sums of the waves' deviations from the pivot, and of the products of these deviations.
        shape = (len(BANDWIDTHS), NUM_WAVES)
        self.count = self.state.add("embedding_count", ())
        self.pivot = self.state.add("embedding_pivot", shape)
        self.first = self.state.add("embedding_first", shape)
        self.second = self.state.add("embedding_second", (*shape, NUM_WAVES))
        # The same sums of the projections, with their squares in place of all products.
        self.projected_pivot = self.state.add("embedding_projected_pivot", (NUM_DIRECTIONS,))
        self.projected_first = self.state.add("embedding_projected_first", (NUM_DIRECTIONS,))
        self.projected_second = self.state.add("embedding_projected_second", (NUM_DIRECTIONS,))

    def update(self, vectors: Any, rows: Any = None) -> tuple[Any, Any]:
        """Adds the vectors of one batch; vectors with non-finite or too large values are left out.

        Returns the random projections, `(samples, NUM_DIRECTIONS)`, and the weights, `(samples,
        1)`, 1.0 for a sample that was added, else 0.0. Both are float32.
        """
        vectors = ops.cast(vectors, "float32")
        known = ops.all(ops.abs(vectors) < LARGEST_VALUE, axis=1, keepdims=True)
        weight = ops.cast(known, "float32")
        if rows is not None:
            weight = weight * row_mask(vectors, rows)
        vectors = ops.where(known, vectors, 0.0)
        matrix = ops.convert_to_tensor(directions(self.dimension))
        projections = ops.matmul(vectors, matrix)
        inverse_bandwidths = np.asarray(BANDWIDTHS, "float32")[:, None] ** -1
        angles = ops.expand_dims(projections, 1) * ops.convert_to_tensor(inverse_bandwidths)
        # (samples, bandwidths, NUM_WAVES)
        waves = ops.concatenate([ops.cos(angles), ops.sin(angles)], axis=2)

        number = ops.sum(weight)
        scale = 1.0 / ops.maximum(number, 1.0)
        wave_weight = ops.expand_dims(weight, 2)
        is_first = self.count.value <= 0
        pivot = ops.where(is_first, ops.sum(waves * wave_weight, axis=0) * scale, self.pivot.value)
        projected_pivot = ops.where(
            is_first, ops.sum(projections * weight, axis=0) * scale, self.projected_pivot.value
        )
        deviation = (waves - pivot) * wave_weight
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
        """Returns the embedding, from the values of `state.read()`."""
        count, pivot, first, second, *projected = (
            values[f"embedding_{name}"]
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

        Call this method only on a sketch with a state of its own.
        """
        embedding = self.read(self.state.read())
        self.state.reset()
        return embedding

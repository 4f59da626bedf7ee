"""Sketch of a mean embedding: mean and covariance of random Fourier features."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.profiles import MeanEmbedding
from keras_shiftguard.profiles.embedding import (
    BANDWIDTHS,
    NUM_DIRECTIONS,
    NUM_WAVES,
    directions,
)
from keras_shiftguard.statistics.batch import row_mask
from keras_shiftguard.statistics.sketches.features import LARGEST_VALUE
from keras_shiftguard.statistics.sketches.pivot_sums import PivotSums
from keras_shiftguard.statistics.state import State


class EmbeddingSketch:
    """Accumulates a `MeanEmbedding` from batches of `(samples, dimension)` vectors.

    The Fourier features ("waves") and their products are summed around a pivot, like all
    sums in this package. Otherwise float32 would lose the covariance at large bandwidths, at
    which the waves of different samples hardly differ.
    """

    def __init__(self, dimension: int, state: State) -> None:
        self.dimension = dimension
        # Sums of the waves' deviations from the pivot, and of the products of these deviations.
        shape = (len(BANDWIDTHS), NUM_WAVES)
        self.pivot = state.add("embedding_pivot", shape)
        self.first = state.add("embedding_first", shape)
        self.second = state.add("embedding_second", (*shape, NUM_WAVES))
        # The same sums of the projections, with their squares in place of all products.
        self.projected = PivotSums(state, "projected", NUM_DIRECTIONS)

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

        scale = 1.0 / ops.maximum(ops.sum(weight), 1.0)
        wave_weight = ops.expand_dims(weight, 2)
        is_first = self.projected.count.value[0] <= 0
        pivot = ops.where(is_first, ops.sum(waves * wave_weight, axis=0) * scale, self.pivot.value)
        deviation = (waves - pivot) * wave_weight
        products = ops.matmul(
            ops.transpose(deviation, (1, 2, 0)), ops.transpose(deviation, (1, 0, 2))
        )
        self.pivot.assign(pivot)
        self.first.assign(self.first + ops.sum(deviation, axis=0))
        self.second.assign(self.second + products)
        self.projected.update(projections, weight)
        return projections, weight

    def read(self, values: Mapping[str, np.ndarray]) -> MeanEmbedding:
        """Returns the embedding, from the values of the state."""
        pivot, first, second = (values[f"embedding_{n}"] for n in ("pivot", "first", "second"))
        count = values["projected_count"][0]
        if not count:
            return MeanEmbedding()
        shift = first / count
        return MeanEmbedding(
            self.dimension,
            int(count),
            pivot + shift,
            second - count * shift[:, :, None] * shift[:, None, :],
            self.projected.read(values),
        )

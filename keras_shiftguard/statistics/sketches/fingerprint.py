"""`Fingerprint`: two numbers per sample, which show whether a pass repeats an earlier pass.

Every sample of every batch is added to the fingerprint. All other statistics of the values are
measured on a part of a long or repeated pass, see `schedule.py`.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.statistics.batch import row_mask
from keras_shiftguard.statistics.sketches.pivot_sums import PivotSums
from keras_shiftguard.statistics.spread import GOLDEN
from keras_shiftguard.statistics.state import State

# Scale of weights in [-0.5, 0.5), so that their variance is 1. Given by the uniform distribution.
SCALE = np.sqrt(12)


class Fingerprint:
    """Accumulates the moments of two projections of each sample.

    The first projection is the mean of the sample's values. The second projection is the dot
    product of the values and a fixed pattern. Unlike the mean, it changes if the values are
    mirrored, shifted or reordered. The moments do not depend on the order of the samples.
    """

    def __init__(self, state: State) -> None:
        self.sums = PivotSums(state, "fingerprint", 2)  # of samples with finite values only

    def add(self, projections: Any, rows: Any = None) -> None:
        """Adds every sample of a batch.

        The projections are `(samples, 2)`, float32.
        """
        finite = ops.all(ops.isfinite(projections), axis=1, keepdims=True)
        weight = ops.cast(finite, "float32")
        if rows is not None:
            weight = weight * row_mask(projections, rows)
        self.sums.update(ops.where(finite, projections, 0.0), weight)

    def read(self, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        missing = int(values["num_samples"] - values["fingerprint_count"][0])
        return {"nonfinite_samples": missing, "fingerprint": self.sums.read(values)}


def projected(x: Any) -> Any:
    """Returns the two projections of each sample, `(samples, 2)`, float32.

    Rows are reduced one by one, because a matrix product may round the same sample differently in a
    batch of another size.
    """
    shape = ops.shape(x)
    known = None not in tuple(x.shape[1:])
    size = int(np.prod(x.shape[1:])) if known else ops.prod(ops.stack(list(shape[1:])))
    values = ops.cast(ops.reshape(x, (shape[0], size)), "float32")
    if known:
        weights = ops.convert_to_tensor(_known_weights(size))
        root = float(np.sqrt(size))
    else:
        weights = pattern(ops.cast(ops.arange(size, dtype="int32"), "float32") * GOLDEN, ops)
        root = ops.sqrt(ops.cast(size, "float32"))
    return ops.stack([ops.mean(values, axis=1), ops.sum(values * weights, axis=1) / root], axis=1)


@lru_cache(maxsize=4)  # PyTorch, which compiles nothing, needs the weights for every batch
def _known_weights(size: int) -> np.ndarray:
    """Returns the pattern at the first `size` positions, float32."""
    weights: np.ndarray = pattern(np.arange(size, dtype="float64") * GOLDEN, np).astype("float32")
    return weights


def pattern(multiple: Any, xp: Any) -> Any:
    """Returns weights of mean 0 and variance 1, which differ from each position to the next.

    `multiple` are the positions times `GOLDEN`, up to whole numbers; `xp` is NumPy or `keras.ops`.
    """
    return (multiple - xp.floor(multiple) - 0.5) * SCALE

"""`RepeatedBatches`: the share of the samples of a pass that are in repeated batches.

With a Python generator as validation data, Keras takes one or more batches twice in each pass after
the first. A sample that comes twice adds no evidence, so the tests must count it once.
"""

from functools import cache
from typing import Any

import numpy as np
from keras import ops

# Number of values of a batch that are compared, at random places. At even distances, all of them
# may lie in the same column of pixels, such as that of a black border. A convention.
NUM_VALUES = 512


@cache
def _places(size: int) -> np.ndarray:
    """Returns the places of the compared values among `size` values, `(NUM_VALUES,)`, int32."""
    return np.random.default_rng(0).integers(0, max(size, 1), NUM_VALUES).astype("int32")


class RepeatedBatches:
    """Recognizes batches that came earlier in the same pass, by some of their values."""

    def __init__(self) -> None:
        self._seen: set[int] = set()  # hashes of the batches; comparable within one process only
        self._samples = 0
        self._repeated = 0  # number of samples in repeated batches

    def add(self, x: Any) -> None:
        """Adds the tensor of one input, `(samples, ...)`, on the host or on a device.

        A batch that JAX spreads over several processes is skipped: to compare it, the processes
        would have to wait for each other.
        """
        if not getattr(x, "is_fully_addressable", True):
            return
        size = int(np.prod(x.shape))
        values = ops.convert_to_numpy(ops.take(ops.reshape(x, (-1,)), _places(size)))
        key = hash((size, values.tobytes()))
        self._samples += int(x.shape[0])
        if key in self._seen:
            self._repeated += int(x.shape[0])
        self._seen.add(key)

    @property
    def share(self) -> float:
        """The share of the samples that are in repeated batches, in [0, 1)."""
        return self._repeated / max(self._samples, 1)

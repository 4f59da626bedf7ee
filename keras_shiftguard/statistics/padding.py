"""`Padding`: fills up short batches, so that JAX compiles the statistics for one size only."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_shiftguard.statistics.classes import width_of


class Padding:
    """Fills up each batch to the size of the largest one so far. Does so on JAX only.

    JAX compiles a function anew for every shape of its arguments, and the last batch of a pass
    is mostly shorter than the others. The added rows repeat the last sample; the statistics
    leave them out, since they are told the number of samples.
    """

    def __init__(self) -> None:
        self.size = 0

    def __call__(
        self, inputs: Mapping[str, Any], y: Any = None
    ) -> tuple[dict[str, Any], Any, np.ndarray | None]:
        """Returns the inputs and the labels filled up, and the number of samples.

        Args:
            inputs: Tensors `(samples, ...)` by name, with at least one sample.
            y: Labels, or None. Labels that cannot be counted are returned as they are.

        Returns:
            The number of samples is an int32 scalar, or None where nothing is ever filled up.
        """
        if keras.backend.backend() != "jax" or not inputs:
            return dict(inputs), y, None
        samples = next(iter(inputs.values())).shape[0]
        self.size = max(self.size, samples)
        filled = {name: _filled(x, self.size) for name, x in inputs.items()}
        return filled, _filled(y, self.size) if width_of(y) else y, np.int32(samples)


def _filled(x: Any, size: int) -> Any:
    missing = size - x.shape[0]
    if missing <= 0:
        return x
    if isinstance(x, np.ndarray):
        return np.concatenate([x, np.repeat(x[-1:], missing, axis=0)])
    return keras.ops.concatenate([x, keras.ops.repeat(x[-1:], missing, axis=0)])

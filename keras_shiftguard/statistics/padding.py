"""`Padding`: pads short batches, so that JAX compiles the statistics for only one size."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_shiftguard.statistics.classes import width_of


class Padding:
    """Pads each batch to the size of the largest one so far, on JAX only.

    JAX compiles a function again for every shape of its arguments, and the last batch of a pass
    is usually shorter than the others. The added rows repeat the last sample. The statistics get
    the number of samples as an argument, and leave the added rows out.

    Args:
        to_powers_of_two: Whether to pad further, up to the next power of two. Data sets of various
            sizes, such as folders of photos, then share a few compiled functions.
    """

    def __init__(self, to_powers_of_two: bool = False) -> None:
        self._to_powers_of_two = to_powers_of_two
        self.size = 0

    def __call__(
        self, inputs: Mapping[str, Any], y: Any = None
    ) -> tuple[dict[str, Any], Any, np.int32 | None]:
        """Returns the padded inputs and labels, and the number of samples.

        Labels that cannot be counted are returned unchanged. The number is an int32 scalar, or None
        on backends where nothing is padded.
        """
        if keras.backend.backend() != "jax" or not inputs:
            return dict(inputs), y, None
        samples = next(iter(inputs.values())).shape[0]
        wanted = 1 << (samples - 1).bit_length() if self._to_powers_of_two else samples
        self.size = max(self.size, wanted)
        padded = {name: _padded(x, self.size) for name, x in inputs.items()}
        return padded, _padded(y, self.size) if width_of(y) else y, np.int32(samples)


def _padded(x: Any, size: int) -> Any:
    """Returns `x` with its last sample repeated, so that there are at least `size` samples."""
    missing = size - x.shape[0]
    if missing <= 0:
        return x
    if isinstance(x, np.ndarray):
        return np.concatenate([x, np.repeat(x[-1:], missing, axis=0)])
    return keras.ops.concatenate([x, keras.ops.repeat(x[-1:], missing, axis=0)])

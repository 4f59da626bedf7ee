"""Number of samples, and the range of image sizes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.state import State


class Counts:
    """Counts the samples of every batch; tracks the sizes of the images.

    float32 counts exactly up to 2**24 samples. The host reads and resets the counts earlier.
    """

    def __init__(self, spec: InputSpec, state: State) -> None:
        self.spec = spec
        self.num_samples = state.add("num_samples", ())
        # Height and width in pixels.
        self.smallest_size = state.add("smallest_size", (2,), fill=np.inf)
        self.largest_size = state.add("largest_size", (2,))

    def update(self, x: Any, rows: Any = None) -> None:
        """Counts a batch; `rows` is the number of samples if padding follows them, else None."""
        shape = ops.shape(x)
        seen = shape[0] if rows is None else rows
        self.num_samples.assign(self.num_samples + ops.cast(seen, "float32"))
        if self.spec.layout == "features":
            return
        sides = shape[-2:] if self.spec.layout == "channels_first" else shape[-3:-1]
        size = ops.stack([ops.cast(side, "float32") for side in sides])
        self.smallest_size.assign(ops.minimum(self.smallest_size, size))
        self.largest_size.assign(ops.maximum(self.largest_size, size))

    def read(self, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        return {
            "num_samples": int(values["num_samples"]),
            "smallest_size": tuple(
                int(v) for v in np.nan_to_num(values["smallest_size"], posinf=0)
            ),
            "largest_size": tuple(int(v) for v in values["largest_size"]),
        }

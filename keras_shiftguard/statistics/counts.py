"""Counts of samples and of non-finite values, and the range of image sizes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.statistics.batch import Batch, InputSpec
from keras_shiftguard.statistics.state import State


class Counts:
    """Counts samples and samples with a non-finite value; tracks the sizes of the images.

    float32 counts exactly up to 2**24 samples. The host drains the counts long before that.
    """

    def __init__(self, spec: InputSpec, state: State) -> None:
        self.num_samples = state.add("num_samples", ())
        self.nonfinite_samples = state.add("nonfinite_samples", ())
        # Sum over the samples of the share of their values that are not finite.
        self.nonfinite_share_sum = state.add("nonfinite_share", ())
        # Height and width in pixels.
        self.smallest_size = state.add("smallest_size", (2,), fill=np.inf)
        self.largest_size = state.add("largest_size", (2,))

    def update(self, batch: Batch) -> None:
        self.num_samples.assign(self.num_samples + batch.num_samples)
        if batch.may_be_nonfinite:
            finite = ops.mean(batch.num_finite, axis=1) / ops.cast(batch.num_pixels, "float32")
            nonfinite = ops.maximum(1.0 - finite, 0.0)  # share of each sample, (batch,)
            if batch.is_sample is not None:
                nonfinite = nonfinite * batch.is_sample[:, 0]
            self.nonfinite_share_sum.assign(self.nonfinite_share_sum + ops.sum(nonfinite))
            self.nonfinite_samples.assign(
                self.nonfinite_samples + ops.sum(ops.cast(nonfinite > 0, "float32"))
            )
        size = ops.stack([ops.cast(side, "float32") for side in batch.size])
        self.smallest_size.assign(ops.minimum(self.smallest_size, size))
        self.largest_size.assign(ops.maximum(self.largest_size, size))

    def read(self, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        return {
            "num_samples": int(values["num_samples"]),
            "nonfinite_samples": int(values["nonfinite_samples"]),
            "nonfinite_share": float(values["nonfinite_share"]),
            "smallest_size": tuple(
                int(v) for v in np.nan_to_num(values["smallest_size"], posinf=0)
            ),
            "largest_size": tuple(int(v) for v in values["largest_size"]),
        }

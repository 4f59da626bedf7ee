"""Counts of values on the 8-bit grid of each known input convention."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.conventions import LATTICES, MODES
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.sampled_pixels import SampledPixels
from keras_shiftguard.statistics.state import State

# Distance to the next grid point, in grid steps, up to which a value counts as on the grid.
# float32 rounding stays below 1e-3; 4 % of arbitrary values are as near by chance.
TOLERANCE = 0.02
# The grid is a property of the pipeline, not of single images, so a few images of each batch
# are enough. To compare all of them with seven grids would slow the step down.
SAMPLES_PER_BATCH = 16


class Lattice:
    """Counts, for each convention, the values whose inverse is a whole number in 0..255."""

    def __init__(self, spec: InputSpec, state: State) -> None:
        scales, offsets, self.applies = [], [], []
        for mode, order in LATTICES.values():
            scale, offset = (np.asarray(v, "float64") for v in MODES[mode])
            if order == "bgr":
                scale, offset = scale[::-1], offset[::-1]
            self.applies.append(order is None or spec.channels == 3)
            if order is None or spec.channels != 3:
                scale, offset = (
                    np.repeat(scale[:1], spec.channels),
                    np.repeat(offset[:1], spec.channels),
                )
            scales.append(1 / scale)
            offsets.append(-offset / scale)
        self.factor = np.asarray(scales, "float32")  # (lattices, channels)
        self.shift = np.asarray(offsets, "float32")
        self.hits = state.add("lattice_hits", (len(LATTICES),))
        self.values = state.add("lattice_values", ())

    def update(self, pixels: SampledPixels) -> None:
        x = pixels.values[:SAMPLES_PER_BATCH]
        finite = None if pixels.finite is None else pixels.finite[:SAMPLES_PER_BATCH]
        hits = []
        for factor, shift in zip(self.factor, self.shift, strict=True):
            raw = x * ops.convert_to_tensor(factor) + ops.convert_to_tensor(shift)
            near = ops.abs(raw - ops.round(raw)) < TOLERANCE
            # -0.5 < raw < 255.5, in one comparison
            hit = ops.logical_and(near, ops.abs(raw - 127.5) < 128.0)
            hit = hit if finite is None else ops.logical_and(hit, finite)
            hits.append(ops.sum(ops.cast(hit, "float32")))
        self.hits.assign(self.hits + ops.stack(hits))
        if finite is None:
            number = ops.sum(ops.ones_like(x))
        else:
            number = ops.sum(ops.cast(finite, "float32"))
        self.values.assign(self.values + number)

    def read(self, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        return {
            "lattice_hits": np.where(self.applies, values["lattice_hits"], -1).astype("int64"),
            "lattice_values": int(values["lattice_values"]),
        }

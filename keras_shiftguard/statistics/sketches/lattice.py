"""Counts of values on the 8-bit grid of each known input convention."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.conventions import LATTICES, MODES
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.sketches.sampled_pixels import SampledPixels
from keras_shiftguard.statistics.state import State

# Largest distance to the nearest grid point, in grid steps, at which a value counts as on the grid.
# Rounding in float32 stays below 1e-3. Of evenly distributed values, 4 % are as near. A convention.
TOLERANCE = 0.02
# The grid is a property of the pipeline, not of single images, so a few images of each batch are
# enough. Comparing all images with seven grids would slow the training down. A convention.
SAMPLES_PER_BATCH = 16


class Lattice:
    """Counts, for each convention, the values that come from whole pixel values in 0..255."""

    def __init__(self, spec: InputSpec, state: State) -> None:
        factors, shifts = [], []  # of the map from values back to raw pixels
        self.applies = []  # whether the input has the channels that the convention needs
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
            factors.append(1 / scale)
            shifts.append(-offset / scale)
        self.factors = np.asarray(factors, "float32")  # (lattices, channels)
        self.shifts = np.asarray(shifts, "float32")
        self.hits = state.add("lattice_hits", (len(LATTICES),))
        self.values = state.add("lattice_values", ())

    def update(self, pixels: SampledPixels) -> None:
        x = pixels.values[:SAMPLES_PER_BATCH]
        finite = None if pixels.finite is None else pixels.finite[:SAMPLES_PER_BATCH]
        hits = []
        for factor, shift in zip(self.factors, self.shifts, strict=True):
            raw = x * ops.convert_to_tensor(factor) + ops.convert_to_tensor(shift)
            near = ops.abs(raw - ops.round(raw)) < TOLERANCE
            # The second condition is -0.5 < raw < 255.5, in one comparison.
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
        """Returns the fields of a summary; `lattice_hits` is -1 for a grid that does not apply."""
        return {
            "lattice_hits": np.where(self.applies, values["lattice_hits"], -1).astype("int64"),
            "lattice_values": int(values["lattice_values"]),
        }

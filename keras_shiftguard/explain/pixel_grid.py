"""On which grid the pixels lie: the convention of 8-bit images, however dark they are.

What a convention looks like overall, its extremes and its mean, changes with the
scene. The grid does not: 8-bit images lie on `k * scale + offset` whatever they
show, unless they were resized in floating point.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.conventions import forms
from keras_shiftguard.preprocessing.correction.convention import InputConvention

MOST_VALUES = 200_000
ON_GRID = 0.98  # share of the values
FEWEST_LEVELS = 10  # of 256 that must occur
OFF = 0.02  # of a level that rounding may move a value; doubled scales lose more
OFF_DOUBLED = 0.1


@dataclass(frozen=True)
class Grid:
    """A convention that the values lie in.

    Args:
        steps: Names of the steps, `("unit",)`, or two where it was done twice.
        convention: Scale and offset.
    """

    steps: tuple[str, ...]
    convention: InputConvention

    @property
    def words(self) -> str:
        """For people."""
        if len(self.steps) == 1:
            return str(InputConvention(self.steps[0], "unknown"))
        return f"{self.steps[0]} pixels taken for 0..255 and made {self.steps[1]}"


def find_grid(x: np.ndarray, channels_first: bool = False) -> Grid | None:
    """The convention of some images; None where they lie on no grid, or on several.

    Args:
        x: `(images, height, width, channels)`, or channels first.
        channels_first: Where the channels are.

    Example:

    >>> dark = np.random.default_rng(0).integers(0, 60, (8, 16, 16, 3))
    >>> find_grid(dark / 127.5 - 1).steps
    ('tf',)
    """
    if x.ndim != 4:
        return None
    x = np.moveaxis(x, 1, -1) if channels_first else x
    channels = x.shape[-1]
    values = x.reshape(-1, channels).astype("float64")
    values = values[:: max(1, -(-values.size // MOST_VALUES))]
    if channels not in (1, 3) or not np.isfinite(values).all():
        return None
    found = [grid for grid in _grids(channels) if _lies_on(values, grid)]
    if not found:
        return None
    # Half of a coarse grid lies on a finer one: the coarsest says most.
    return max(found, key=lambda grid: _step(grid.convention))


def _step(convention: InputConvention) -> float:
    return float(np.asarray(convention.scale, "float64").mean())


def _grids(channels: int) -> list[Grid]:
    """All grids that are looked for."""
    order = "gray" if channels == 1 else "unknown"
    return [
        Grid(form.steps, InputConvention("custom", order, tuple(form.scale), tuple(form.offset)))
        for form in forms(channels)
        if not (form.has_two_steps and form.steps[0] == "caffe")
    ]


def _lies_on(values: np.ndarray, grid: Grid) -> bool:
    levels = (values - np.asarray(grid.convention.offset)) / np.asarray(grid.convention.scale)
    whole = np.round(levels)
    off = OFF if len(grid.steps) == 1 else OFF_DOUBLED
    near = (np.abs(levels - whole) < off) & (whole >= 0) & (whole <= 255)
    return bool(near.mean() >= ON_GRID and len(np.unique(whole[near])) >= FEWEST_LEVELS)

"""Finds the preprocessing convention of 8-bit images from the grid of their pixel values.

The extremes and the mean of the values depend on the content of the images. The grid does not
depend on the content: values of 8-bit images are `k * scale + offset` with an integer `k`, unless
the images were resized in floating point.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.conventions import forms
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.statistics.lattice import TOLERANCE

# Values to test; if there are more, only every k-th pixel is tested. A convention.
MAX_VALUES = 200_000
MIN_SHARE_ON_GRID = 0.98  # share of the values that must lie on the grid. A convention.
MIN_LEVELS = 10  # gray levels that must occur, of 256; fewer can lie on a wrong grid. A convention.
# How far a value may lie from the grid after two steps, in gray levels. They lose more digits than
# one step, whose limit is TOLERANCE. A convention.
MAX_ROUNDING_OF_TWO_STEPS = 0.1


@dataclass(frozen=True)
class Grid:
    """The grid of the pixel values of a convention.

    Args:
        steps: Names of the preprocessing steps: one, as in `("unit",)`, or two if
            images were preprocessed twice.
        convention: The convention that turns raw pixels into the values of the grid.
    """

    steps: tuple[str, ...]
    convention: InputConvention

    @property
    def words(self) -> str:
        """Description for the report."""
        if len(self.steps) == 1:
            return str(InputConvention(self.steps[0], "unknown"))
        return f"{self.steps[0]} pixels taken for 0..255 and converted to {self.steps[1]}"


def find_grid(x: np.ndarray, channels_first: bool = False) -> Grid | None:
    """Returns the grid of some images; None if their values lie on no grid.

    Args:
        x: Images `(images, height, width, channels)`, or with channels first.
        channels_first: Whether the channels come first.

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
    values = values[:: max(1, -(-values.size // MAX_VALUES))]
    if channels not in (1, 3) or not np.isfinite(values).all():
        return None
    found = [grid for grid in _grids(channels) if _lies_on(values, grid)]
    if not found:
        return None
    # Values on a coarse grid may lie on finer grids as well, so the coarsest grid is chosen.
    return max(found, key=lambda grid: float(np.mean(grid.convention.scale or 0)))


def _grids(channels: int) -> list[Grid]:
    """Returns the grids of single conventions, and of pairs that do not begin with "caffe"."""
    order = "gray" if channels == 1 else "unknown"
    return [
        Grid(form.steps, InputConvention("custom", order, tuple(form.scale), tuple(form.offset)))
        for form in forms(channels)
        if not (form.has_two_steps and form.steps[0] == "caffe")
    ]


def _lies_on(values: np.ndarray, grid: Grid) -> bool:
    """Whether values `(pixels, channels)` lie on a grid."""
    levels = (values - np.asarray(grid.convention.offset)) / np.asarray(grid.convention.scale)
    whole = np.round(levels)
    rounding = TOLERANCE if len(grid.steps) == 1 else MAX_ROUNDING_OF_TWO_STEPS
    near = (np.abs(levels - whole) < rounding) & (whole >= 0) & (whole <= 255)
    return bool(near.mean() >= MIN_SHARE_ON_GRID and len(np.unique(whole[near])) >= MIN_LEVELS)

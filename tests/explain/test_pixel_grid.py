"""The preprocessing convention is found from the grid of 8-bit pixels, also in dark images."""

from itertools import product

import numpy as np
import pytest

from keras_shiftguard.conventions import MODES
from keras_shiftguard.explain.pixel_grid import find_grid

TWICE = [p for p in product(MODES, MODES) if "raw" not in p and p[0] != "caffe"]


def converted(x, mode):
    scale, offset = (np.float32(v) for v in MODES[mode])
    if x.shape[-1] == 1:
        scale, offset = scale.mean(), offset.mean()
    return (x * scale + offset).astype("float32")


@pytest.mark.parametrize("brightest", [40, 120, 256])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("steps", [(mode,) for mode in MODES] + TWICE, ids=str)
def test_every_convention_is_found(brightest, channels, steps, rng):
    x = rng.integers(0, brightest, (16, 28, 28, channels)).astype("float32")
    for mode in steps:
        x = converted(x, mode)
    assert find_grid(x).steps == steps


def test_what_lies_on_no_grid_is_not_named(rng):
    assert find_grid(rng.uniform(0, 1, (8, 16, 16, 3))) is None  # resized in floating point
    assert find_grid(np.zeros((8, 16, 16, 3))) is None  # one level is no grid
    assert find_grid(rng.integers(0, 256, (8, 30))) is None  # no images


def test_channels_first_is_the_same(rng):
    x = rng.integers(0, 256, (8, 16, 16, 3)) / 127.5 - 1
    assert find_grid(np.moveaxis(x, -1, 1), channels_first=True).steps == ("tf",)

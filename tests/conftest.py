"""A few images for all tests."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    """A seeded generator of its own for each test."""
    return np.random.default_rng(0)


@pytest.fixture
def raw_images(rng):
    """Sixteen smooth 8-bit RGB images of 32x32, as uint8."""
    coarse = rng.integers(0, 256, (16, 4, 4, 3))
    smooth = np.kron(coarse, np.ones((1, 8, 8, 1)))
    return np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255).astype("uint8")

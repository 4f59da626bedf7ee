"""Shared by all tests: which backend runs, and a few images."""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest


def pytest_collection_modifyitems(items):
    """The examples of the docstrings hold on every backend."""
    for item in items:
        if isinstance(item, pytest.DoctestItem):
            item.add_marker("backend")


@pytest.fixture(autouse=True)
def names_in_docstrings(request):
    """Examples may use `np` and `keras` without importing them."""
    if isinstance(request.node, pytest.DoctestItem):
        import keras

        request.getfixturevalue("doctest_namespace").update(np=np, keras=keras)


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

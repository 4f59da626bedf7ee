"""For the tests and the examples in docstrings alike: which backend runs."""

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

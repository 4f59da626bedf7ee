"""For the tests and the examples in docstrings alike: which backend runs."""

import gc
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

# Files that take a minute or more: begun last, one worker would be left alone with them.
LONG = (
    "test_distribution test_demo test_beam test_resume test_adapt test_do_no_harm test_probe "
    "test_replicas test_guard test_recognition test_shift_watch test_other_callbacks "
    "test_compiled_steps test_examples test_browser"
).split()


def pytest_collection_finish():
    """Keras and its backends hold millions of objects that no collection need look at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_collection_modifyitems(items):
    """The examples of the docstrings hold on every backend; long files come first."""
    for item in items:
        if isinstance(item, pytest.DoctestItem):
            item.add_marker("backend")
    items.sort(key=lambda item: item.path.stem not in LONG)


@pytest.fixture(autouse=True, scope="module")
def leave_alone_what_was_made():
    """No collection need look again at what a file leaves: TensorFlow keeps most of it anyway."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def names_in_docstrings(request):
    """Examples may use `np` and `keras` without importing them."""
    if isinstance(request.node, pytest.DoctestItem):
        import keras

        request.getfixturevalue("doctest_namespace").update(np=np, keras=keras)

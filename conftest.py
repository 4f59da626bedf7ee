"""Pytest set-up for the tests and the docstring examples: backend, order of files, fixtures."""

import gc
import os
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

# The files that take longest. They start first, so that no worker is still busy with one of them
# when all others have finished.
LONG = (
    "test_first_day test_distribution test_demo test_beam test_resume test_adapt "
    "test_do_no_harm test_probe "
    "test_replicas test_guard test_recognition test_shift_watch test_other_callbacks "
    "test_repeated_fits test_examples test_browser test_quiet_fits test_promised_losses "
    "test_experiments test_charts test_verdict_everywhere test_shared_files"
).split()


class SkippedFile(pytest.File):
    """Test file that is skipped without being imported."""

    def collect(self):
        pytest.skip("Apache Beam is not installed", allow_module_level=True)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """Skips the module for Apache Beam if that is not installed: its import would fail."""
    collectors = yield
    needs_beam = file_path == Path(__file__).parent / "keras_shiftguard" / "beam.py"
    if collectors and needs_beam and find_spec("apache_beam") is None:
        return [SkippedFile.from_parent(parent, path=file_path)]
    return collectors


def pytest_collection_finish():
    """Takes the millions of objects of Keras and its backends out of garbage collection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_collection_modifyitems(items):
    """Adds markers to the tests, and moves long files to the front.

    Docstring examples run on every backend. Tests that are slow on TensorFlow count as thorough
    there.
    """
    traced = os.environ["KERAS_BACKEND"] == "tensorflow"
    for item in items:
        if isinstance(item, pytest.DoctestItem):
            item.add_marker("backend")
        if traced and item.get_closest_marker("slow_on_tensorflow"):
            item.add_marker("thorough")
    items.sort(key=lambda item: item.path.stem not in LONG)


@pytest.fixture(autouse=True, scope="module")
def leave_alone_what_was_made():
    """After each file, takes its remaining objects out of garbage collection.

    TensorFlow keeps most of them alive anyway. Collecting the others would take up to 24 s a
    file, since TensorFlow searches all its functions for each one that is deleted.
    """
    yield
    gc.freeze()
    _free_compiled_functions()


def _free_compiled_functions():
    """Lets JAX drop what it has compiled, before the process has too many areas of memory.

    Linux allows 65,530 of them by default, and each compiled function has several: beyond that,
    JAX fails with "Failed to materialize symbols".
    """
    maps = Path("/proc/self/maps")
    if os.environ["KERAS_BACKEND"] == "jax" and maps.exists():
        if len(maps.read_text().splitlines()) > 20_000:
            import jax

            jax.clear_caches()


@pytest.fixture(autouse=True)
def names_in_docstrings(request):
    """Lets docstring examples use `np` and `keras` without importing them."""
    if isinstance(request.node, pytest.DoctestItem):
        import keras

        request.getfixturevalue("doctest_namespace").update(np=np, keras=keras)


@pytest.fixture(autouse=True)
def models_that_run_eagerly(request, monkeypatch):
    """Runs models eagerly, on TensorFlow, in tests with the marker `eager`.

    These tests check texts and verdicts, which are the same either way. On TensorFlow, tracing a
    guarded step takes three times as long as a small fit.
    """
    if request.node.get_closest_marker("eager") is None:
        return
    import keras

    if keras.backend.backend() != "tensorflow":
        return
    compile_ = keras.Model.compile

    def compile(self, *args, run_eagerly=True, **kwargs):
        compile_(self, *args, run_eagerly=run_eagerly, **kwargs)

    monkeypatch.setattr(keras.Model, "compile", compile)

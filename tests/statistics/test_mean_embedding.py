"""Thumbnails and random Fourier features equal NumPy in float64."""

import keras
import numpy as np
import numpy_reference
import pytest
from keras import ops

from keras_shiftguard import compare
from keras_shiftguard.profiles import MeanEmbedding
from keras_shiftguard.profiles.embedding import BANDWIDTHS
from keras_shiftguard.statistics.batch import spec_for
from keras_shiftguard.statistics.compiled import drained
from keras_shiftguard.statistics.sketches.mean_embedding import EmbeddingSketch
from keras_shiftguard.statistics.sketches.vectors import (
    column_names,
    columns,
    dimension_of,
    thumbnail,
)
from keras_shiftguard.statistics.state import State

pytestmark = pytest.mark.backend


def assert_same_embedding(got, want, mean, std):
    """Compares at the bandwidths that float32 resolves, neither too short nor too long."""
    assert (got.dimension, got.count) == (want.dimension, want.count)
    np.testing.assert_allclose(
        got.projections.mean, want.projections.mean, atol=3e-7 * (mean + std)
    )
    np.testing.assert_allclose(got.projections.std, want.projections.std, rtol=1e-3)
    width = np.asarray(BANDWIDTHS)
    resolved = (width > 1e-4 * (mean + std)) & (width < 1e4 * std)
    assert resolved.sum() >= 3
    np.testing.assert_allclose(got.mean[resolved], want.mean[resolved], atol=5e-3)
    for ours, theirs in zip(got.comoment[resolved], want.comoment[resolved], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.01 * np.abs(theirs).max())


RANGES = {"unit": (0.5, 0.3), "raw": (120, 60), "far": (1e4, 1), "close": (0.5, 1e-4)}


@pytest.mark.parametrize("kind", RANGES)
def test_every_prefix_equals_numpy(kind):
    mean, std = RANGES[kind]
    x = np.random.default_rng(0).normal(mean, std, (60, 12)).astype("float32")
    state, total = State("test"), MeanEmbedding()
    sketch = EmbeddingSketch(12, state)
    for start in range(0, 60, 20):
        for half in (start, start + 10):
            sketch.update(ops.convert_to_tensor(x[half : half + 10]))
        total = total + sketch.read(drained(state))
        assert_same_embedding(total, numpy_reference.embedding(x[: start + 20]), mean, std)


@pytest.mark.parametrize("size", [(8, 8), (32, 17), (5, 3), (224, 30)])
def test_thumbnails_are_means_of_areas_in_both_layouts(size):
    x = np.random.default_rng(2).random((3, *size, 3)).astype("float32")
    want = numpy_reference.thumbnail(x)
    last = thumbnail(ops.convert_to_tensor(x), spec_for("x", x.shape, "channels_last"))
    np.testing.assert_allclose(ops.convert_to_numpy(last), want, atol=1e-5)
    moved = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    first = thumbnail(ops.convert_to_tensor(moved), spec_for("x", moved.shape, "channels_first"))
    np.testing.assert_allclose(ops.convert_to_numpy(first), want, atol=1e-5)


def test_thumbnails_of_unknown_sizes_in_a_compiled_function():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow traces with unknown sizes")
    import tensorflow as tf

    spec = spec_for("x", (None, None, None, 3), "channels_last")
    signature = [tf.TensorSpec((None, None, None, 3), tf.float32)]
    run = tf.function(lambda x: thumbnail(x, spec), input_signature=signature)
    for size in (30, 5):
        x = np.random.default_rng(3).random((2, size, size + 1, 3)).astype("float32")
        np.testing.assert_allclose(run(x), numpy_reference.thumbnail(x), atol=1e-5)


def test_columns_of_a_series_are_numbers_over_time():
    x = np.random.default_rng(5).normal(5, 1, (3, 7, 2)).astype("float32")
    x[0, 2:, 1], x[1, :, 0] = np.nan, np.nan
    spec = spec_for("x", x.shape, "")
    got = ops.convert_to_numpy(columns(ops.convert_to_tensor(x), spec))
    assert column_names(spec)[-2:] == ("trend_0", "trend_1") and got.shape == (3, 8)
    want = x.mean(axis=1)
    want[0, 1], want[1, 0] = x[0, :2, 1].mean(), np.nan
    np.testing.assert_allclose(got[:, :2], want, rtol=1e-5)
    whole = x[2]
    halves = whole[3:].mean(axis=0) - whole[:3].mean(axis=0)
    steps = np.abs(np.diff(whole, axis=0)).mean(axis=0)
    np.testing.assert_allclose(got[2, 2:], [*whole.std(axis=0), *steps, *halves], rtol=1e-4)
    many = spec_for("x", (3, 7, 17), "")
    assert dimension_of(many) == len(column_names(many)) == 17


def test_a_series_at_another_rate_or_normalised_alone_is_seen():
    rng = np.random.default_rng(6)
    x, y = np.cumsum(rng.normal(size=(2, 300, 32, 1)), axis=2).astype("float32")
    assert not compare(x, y).shifted
    slower = compare(x, y[:, ::2].repeat(2, axis=1))
    assert any("step over time of column 0" in f.explanation for f in slower.findings)
    alone = (y - y.mean(axis=1, keepdims=True)) / y.std(axis=1, keepdims=True)
    assert compare(x, alone).shifted

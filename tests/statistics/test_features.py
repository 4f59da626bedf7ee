"""Feature sketches (moments and histograms of columns) equal NumPy, in every range of values."""

import numpy as np
import numpy_reference
import pytest
from keras import ops

from keras_shiftguard.profiles import FeatureTable
from keras_shiftguard.statistics.compiled import drained
from keras_shiftguard.statistics.sketches.features import FeatureSketch
from keras_shiftguard.statistics.state import State

pytestmark = pytest.mark.backend


def assert_same_table(got, want, rtol=1e-5):
    assert got.names == want.names
    assert got.num_samples == want.num_samples
    np.testing.assert_array_equal(got.moments.count, want.moments.count)
    size = np.abs(want.moments.mean) + want.moments.std + 1e-30
    np.testing.assert_array_less(np.abs(got.moments.mean - want.moments.mean), 1e-6 * size)
    np.testing.assert_allclose(got.moments.m2, want.moments.m2, rtol=200 * rtol, atol=1e-30)
    assert got.counts.shape == want.counts.shape
    np.testing.assert_array_equal(got.counts.sum(axis=1), want.counts.sum(axis=1))
    # float32 logarithms may put a value on an edge into the next bin.
    moved = np.abs(np.cumsum(got.counts, axis=1) - np.cumsum(want.counts, axis=1))
    assert moved.sum() <= 0.003 * want.counts.sum() + 1


def named(values):
    return [str(i) for i in range(values.shape[1])]


def test_every_prefix_equals_numpy_also_far_from_zero():
    centre, spread = [0, 1e4, -1e4, 0.5, 255, 0], [1, 1, 3, 1e-4, 50, 1e-9]
    x = np.random.default_rng(0).normal(centre, spread, (200, 6)).astype("float32")
    state, total = State("test"), FeatureTable()
    sketch = FeatureSketch(named(x), state)
    for start in range(0, 200, 40):
        for half in (start, start + 20):
            sketch.update(ops.convert_to_tensor(x[half : half + 20]))
        total = total + sketch.read(drained(state))
        assert_same_table(total, numpy_reference.feature_table(x[: start + 40], named(x)))


def test_missing_values_are_counted_and_left_out():
    x = np.random.default_rng(1).normal(3, 1, (40, 4)).astype("float32")
    x[:, 1] = np.nan
    x[:20, 2] = np.inf  # the whole first batch, so the pivot comes later
    x[5, 3] = -np.inf
    state = State("test")
    sketch = FeatureSketch(named(x), state)
    for part in (x[:20], x[20:]):
        sketch.update(ops.convert_to_tensor(part))
    got = sketch.read(drained(state))
    np.testing.assert_array_equal(got.missing, [0, 40, 20, 1])
    assert np.isfinite(got.moments.mean).all() and np.isfinite(got.moments.m2).all()
    assert_same_table(
        got, numpy_reference.feature_table(np.where(np.isfinite(x), x, np.nan), "0123")
    )


@pytest.mark.parametrize("width", [65, 5000])
def test_many_features_share_the_memory(width):
    x = np.random.default_rng(2).normal(0, 10, (30, width)).astype("float32")
    state = State("test")
    sketch = FeatureSketch(named(x), state)
    sketch.update(ops.convert_to_tensor(x))
    got = sketch.read(drained(state))
    assert got.counts.size <= 300_000
    assert_same_table(got, numpy_reference.feature_table(x, named(x)))

"""Label sketches count ids, one-hot rows, soft labels and numbers, and skip other things."""

import numpy as np
import pytest
from keras import ops

from keras_shiftguard.profiles.labels import MAX_CLASSES
from keras_shiftguard.statistics.sketches.labels import LabelSketch

pytestmark = pytest.mark.backend
IDS = np.random.default_rng(0).integers(0, 5, 60)


def summary_of(y, projections=None):
    sketch = LabelSketch()
    for start in range(0, len(y), 20):
        part = ops.convert_to_tensor(y[start : start + 20])
        sketch.update(part)
        if projections is not None:
            rows = ops.convert_to_tensor(projections[start : start + 20])
            sketch.measure(part, rows, ops.ones((len(rows), 1)))
    return sketch.drain()


@pytest.mark.thorough
def test_more_classes_than_are_told_apart():
    got = summary_of(np.arange(10_000))
    assert got.are_classes
    np.testing.assert_array_equal(got.counts, np.bincount(np.arange(10_000) % MAX_CLASSES))


@pytest.mark.parametrize(
    "y",
    [
        np.linspace(-1, 1, 60, dtype="float32"),
        np.random.default_rng(1).normal(1e4, 1, (60, 3)).astype("float32"),
        np.where(np.arange(60) < 9, -1, 3),
        np.where(np.arange(60) < 9, np.nan, 3).astype("float32"),
    ],
)
def test_numbers_are_no_classes(y):
    projections = np.random.default_rng(2).normal(size=(60, 48)).astype("float32")
    got = summary_of(y, projections)
    assert got.num_samples == 60 and not got.are_classes
    columns = y.reshape(60, -1).astype("float64")
    assert got.targets.names == tuple(map(str, range(columns.shape[1])))
    np.testing.assert_allclose(
        got.targets.moments.mean, np.nanmean(columns, axis=0), rtol=1e-6, atol=1e-7
    )
    np.testing.assert_allclose(got.targets.moments.std, np.nanstd(columns, axis=0), rtol=1e-3)
    np.testing.assert_array_equal(got.targets.missing, np.isnan(columns).sum(axis=0))


@pytest.mark.each_backend
def test_moments_by_class_equal_numpy():
    rng = np.random.default_rng(3)
    projections = (1e4 + rng.normal(IDS[:, None], 1, (60, 48))).astype("float32")
    summary = summary_of(IDS, projections)
    assert summary.are_classes and (summary.num_samples, summary.width) == (60, 1)
    np.testing.assert_array_equal(summary.counts[:5], np.bincount(IDS))
    got = summary.by_class
    for c in range(5):
        own = projections[c == IDS].astype("float64")
        np.testing.assert_array_equal(got.count[c], len(own))
        np.testing.assert_allclose(got.mean[c], own.mean(axis=0), rtol=1e-7)
        np.testing.assert_allclose(got.std[c], own.std(axis=0), rtol=1e-3)
    assert not got.count[5:].any()


@pytest.mark.parametrize("width", [2, 3])
def test_mixtures_of_two_classes_are_recognised_and_smoothed_labels_are_not(width, rng):
    y = np.eye(width)[rng.integers(0, width, 200)]
    share = rng.beta(0.4, 0.4, 200)[:, None]
    mixed = share * y + (1 - share) * y[rng.permutation(200)]
    for labels, are_mixed in ((y, False), (0.9 * y + 0.1 / width, False), (mixed, True)):
        sketch = LabelSketch()
        sketch.update(ops.convert_to_tensor(labels))
        assert sketch.drain().are_mixed == are_mixed

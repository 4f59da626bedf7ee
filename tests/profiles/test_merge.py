"""Merging: summaries of parts add up to the summary of one pass, in any order."""

import dataclasses

import numpy as np
import numpy_reference
import pytest

from keras_shiftguard import BadInputError
from keras_shiftguard.profiles import (
    FeatureTable,
    InputProfile,
    LabelSummary,
    Moments,
    OutputSummary,
)
from keras_shiftguard.profiles.embedding import NUM_DIRECTIONS, directions, waves

FIRST_DIRECTION = [-0.28937724, 0.58657074, 0.87003744]
CENTRES = {"zero": 0.0, "far": 1e4}


def assert_equal(a, b, path=""):
    """Compares arrays within float64 rounding, and everything else exactly."""
    if dataclasses.is_dataclass(a):
        for field in dataclasses.fields(a):
            assert_equal(getattr(a, field.name), getattr(b, field.name), f"{path}/{field.name}")
    elif isinstance(a, np.ndarray):
        scale = np.abs(b).max(initial=0)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * scale, err_msg=path)
    else:
        assert a == b, path


@pytest.mark.parametrize("centre", CENTRES.values(), ids=CENTRES)
@pytest.mark.parametrize("width", [3, 70])
def test_features(centre, width, rng):
    x = rng.normal(centre, 1, (90, width))
    x[4:8, 1] = np.nan
    names = [str(i) for i in range(width)]
    parts = [numpy_reference.feature_table(part, names) for part in np.split(x, [1, 40])]
    whole = numpy_reference.feature_table(x, names)
    assert_equal(parts[0] + parts[1] + parts[2], whole)
    assert_equal(parts[2] + (FeatureTable() + parts[0]) + parts[1] + FeatureTable(), whole)
    assert whole.missing[1] == 4


def test_parts_that_do_not_fit_are_refused(rng):
    five, six = (numpy_reference.embedding(rng.normal(size=(9, d))) for d in (5, 6))
    with pytest.raises(BadInputError, match="5 and 6"):
        five + six
    a, b = (numpy_reference.feature_table(rng.normal(size=(9, 2)), names) for names in ("ab", "ac"))
    with pytest.raises(BadInputError, match="a, b and a, c"):
        a + b
    one, two = (OutputSummary(weights=w, features=a) for w in ("one", "two"))
    assert (one + one).num_samples == 18
    with pytest.raises(BadInputError, match="different weights"):
        one + two


def labels(ids, projections):
    by_class = [numpy_reference.moments(projections[ids == c]) for c in range(3)]
    empty = Moments.empty(NUM_DIRECTIONS)
    rows = [*by_class, *[empty] * 125]
    stacked = (np.stack([getattr(row, n) for row in rows]) for n in ("count", "mean", "m2"))
    counts = np.bincount(ids, minlength=1024)
    return LabelSummary(len(ids), len(ids), counts, 1, by_class=Moments(*stacked))


def test_labels(rng):
    ids, projections = rng.integers(0, 3, 90), rng.normal(1e4, 1, (90, NUM_DIRECTIONS))
    whole = labels(ids, projections)
    parts = [labels(ids[part], projections[part]) for part in (slice(50), slice(50, 90))]
    assert_equal(parts[0] + parts[1], whole)
    assert_equal(parts[1] + LabelSummary() + parts[0], whole)
    assert whole.are_classes and not LabelSummary().are_classes


def test_an_input_of_one_profile_only_is_kept(rng):
    a = InputProfile({"a": numpy_reference.summarise(rng.random((3, 2)), "features")})
    b = InputProfile({"b": numpy_reference.summarise(rng.random((4, 2)), "features")})
    assert set((a + b).inputs) == {"a", "b"} and (a + b).num_samples == 4


def test_distinct_samples_add_up(rng):
    seen = numpy_reference.profile(rng.random((8, 4, 4, 3)))
    repeated = dataclasses.replace(seen, distinct_samples=5)
    assert (seen + seen).distinct_samples == 0
    assert (seen + repeated).distinct_samples == (repeated + seen).distinct_samples == 13


def test_directions_never_change():
    """The directions of the projections never change, so old profiles can still be compared."""
    matrix = directions(3)
    assert matrix.dtype == "float32" and matrix.shape == (3, NUM_DIRECTIONS)
    np.testing.assert_allclose(matrix[:, 0], FIRST_DIRECTION, rtol=1e-6)
    z = waves(np.zeros((1, NUM_DIRECTIONS)))
    np.testing.assert_array_equal(z[0, 0], [1] * NUM_DIRECTIONS + [0] * NUM_DIRECTIONS)

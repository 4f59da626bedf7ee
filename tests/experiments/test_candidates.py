"""Candidates of an experiment are left out where they cannot be a repair."""

import numpy as np
import pytest

from keras_shiftguard.experiments.candidates import image_candidates, nearing
from keras_shiftguard.experiments.input_candidates import input_candidates
from keras_shiftguard.experiments.table_candidates import table_candidates
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.statistics.rows import Rows

# What ordinary pixels must become for each of these to be a repair.
FAULTS = {
    ("scale", 255.0): lambda x: x / 255,
    ("invert", 1.0): lambda x: 1 - x,
    ("from_symmetric", 1.0): lambda x: 2 * x - 1,
}


@pytest.fixture
def photos(rng):
    """Dark images in [0, 1], as handwriting is."""
    return (rng.random((100, 8, 8, 1)) ** 4).astype("float32")


def kept(x, training):
    found = nearing(image_candidates(Scale.of(training)), x, training)
    return {(each.choice.name, each.choice.strength) for each in found}


def test_what_takes_ordinary_pixels_away_is_no_repair(photos):
    found = kept(photos[::-1], photos)
    assert not found & FAULTS.keys()
    # Geometry and detail move no values, and light that may have changed a little is tried.
    assert {name for name, _ in found} >= {"flip_vertical", "sharpen", "gain"}


@pytest.mark.parametrize("repair", FAULTS)
def test_what_brings_pixels_back_is_tried(photos, repair):
    assert repair in kept(FAULTS[repair](photos), photos)


def test_ids_are_exchanged_only_where_an_embedding_has_rows_for_them():
    users, items = np.array([[0], [900]]), np.array([[3], [7]])
    training = Rows({"user": np.array([[0], [999]]), "item": np.array([[0], [9]])})
    samples = Rows({"user": users, "item": items})
    assert not input_candidates(samples, training, "user")
    few = Rows({"user": items, "item": items[::-1]})
    (candidate,) = input_candidates(few, training, "user")
    assert (candidate.apply(few).tree["user"] == items[::-1]).all()
    assert not input_candidates(few, None, "user")


def test_inputs_that_cannot_be_compared_are_not_exchanged():
    random = np.random.default_rng(0)
    small, large = random.normal(size=(8, 4, 4, 1)), random.normal(size=(8, 6, 6, 1))
    words = np.array([["a"], ["b"]])
    for samples, training in ((large, small), (words, words), (small[:0], small)):
        rows, known = (Rows({"one": x, "two": x}) for x in (samples, training))
        assert not input_candidates(rows, known, "one")
    same = Rows({"one": small, "two": small})
    assert len(input_candidates(same, same, "one")) == 1


def test_whole_numbers_that_moved_are_moved_back_by_a_whole_number():
    here, there = np.random.default_rng(0).poisson(3, (2, 500, 2)).astype("float32")
    units = {c.choice.strength for c in table_candidates(here, there) if c.choice.name == "unit"}
    assert not units
    here[:, 1] += 2
    (found,) = (c for c in table_candidates(here, there) if c.choice.name == "unit")
    assert found.choice.strength == (1, 1.0, -2.0)
    np.testing.assert_array_equal(np.asarray(found.apply(here))[:, 1], here[:, 1] - 2)

"""Candidates of an experiment are left out where they cannot be a repair."""

import numpy as np
import pytest

from keras_shiftguard.account.candidates.candidates import (
    image_candidates,
    input_candidates,
    nearing,
)
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.statistics.rows import Rows

# What ordinary pixels must become for each of these to be a repair.
FAULTS = {
    ("scale", 255.0): lambda x: x / 255,
    ("invert", 1.0): lambda x: 1 - x,
    ("from_symmetric", 1.0): lambda x: 2 * x - 1,
}


@pytest.mark.parametrize("repair", FAULTS)
def test_only_what_brings_pixels_nearer_to_training_is_a_repair(rng, repair):
    photos = (rng.random((100, 8, 8, 1)) ** 4).astype("float32")  # dark, as handwriting is
    right, bad = (
        {each.choice for each in nearing(image_candidates(Scale.of(photos)), x, photos)}
        for x in (photos[::-1], FAULTS[repair](photos))
    )
    assert repair in {(choice.name, choice.strength) for choice in bad}
    assert repair not in {(choice.name, choice.strength) for choice in right}
    # Geometry and detail move no values, and light that may have changed a little is tried.
    assert {choice.name for choice in right} >= {"flip_vertical", "sharpen", "gain"}


def test_ids_are_exchanged_only_where_an_embedding_has_rows_for_them():
    users, items = np.array([[0], [900]]), np.array([[3], [7]])
    training = Rows({"user": np.array([[0], [999]]), "item": np.array([[0], [9]])})
    assert not input_candidates(Rows({"user": users, "item": items}), training, "user")
    few = Rows({"user": items, "item": items[::-1]})
    (candidate,) = input_candidates(few, training, "user")
    assert (candidate.apply(few).tree["user"] == items[::-1]).all()
    assert not input_candidates(few, None, "user")


def test_inputs_that_cannot_be_compared_are_not_exchanged(rng):
    small, large = rng.normal(size=(8, 4, 4, 1)), rng.normal(size=(8, 6, 6, 1))
    words = np.array([["a"], ["b"]])
    for x, training in ((large, small), (words, words), (small[:0], small), (small, small)):
        rows, known = (Rows({"one": each, "two": each}) for each in (x, training))
        assert bool(input_candidates(rows, known, "one")) == (x is small)

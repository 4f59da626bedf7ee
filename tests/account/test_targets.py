"""Masks and targets that are the samples: both move together, or only the samples."""

import numpy as np
import pytest

from keras_shiftguard.account.candidates.candidates import image_candidates
from keras_shiftguard.account.candidates.targets import (
    WHOLE,
    are_inputs,
    changed_targets,
    with_masks,
)
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.statistics.batch import spec_for
from keras_shiftguard.statistics.rows import Rows

pytestmark = pytest.mark.backend
SCENES = spec_for("input", (None, 10, 12, 1), "channels_last")
ROWS = spec_for("input", (None, 40), "channels_last")
IMAGES = spec_for("input", (None, 8, 8, 1), "channels_last")
TOLERANCE = 0.02


def scenes(seed, number=300):
    """Images of a bright rectangle in the left half, and their masks."""
    rng = np.random.default_rng(seed)
    x, masks = np.zeros((number, 10, 12, 1), "float32"), np.zeros((number, 10, 12), "uint8")
    for i in range(number):
        top, left, height, width = *rng.integers(1, 4, 2), *rng.integers(2, 5, 2)
        masks[i, top : top + height, left : left + width] = 1
    x[..., 0] = masks
    return x, masks


@pytest.mark.parametrize("channels_first", [False, True])
def test_masks_keep_their_ids_and_move_like_their_images(channels_first):
    x, masks = scenes(2, 20)
    masks = 7 * masks  # ids, not shares
    x = np.moveaxis(x, 3, 1) if channels_first else x
    found = image_candidates(Scale.of(x, channels_first), WHOLE)
    doubled = with_masks(found, x, Rows(masks), channels_first)
    together = [each.choice for each in doubled if each.moves is not None]
    assert together == [each.choice for each in found]
    alone = [each.choice for each in doubled if each.moves is None]
    assert {choice.name for choice in alone} == set(WHOLE) and len(alone) > len(found)
    for each in doubled:
        if each.moves is not None:
            moved = each.apply(x)
            moved = moved[:, 0] if channels_first else moved[..., 0]
            np.testing.assert_array_equal(each.moves(Rows(masks)).tree, np.rint(7 * moved))
            assert each.moves(Rows(masks)).tree.dtype == masks.dtype


def test_labels_that_are_no_masks_leave_the_candidates_alone():
    x, _ = scenes(2, 20)
    found = image_candidates(Scale.of(x), WHOLE)
    for labels in (np.zeros(20, int), Rows(np.zeros((20, 3))), Rows(np.zeros((20, 5, 5)))):
        assert with_masks(found, x, labels, False) == found


def beats(seed, number=400):
    """Series with one bump, whose place and height vary."""
    rng = np.random.default_rng(seed)
    places, heights = rng.normal(0.4, 0.02, (number, 1)), rng.normal(1, 0.2, (number, 1))
    bumps = heights * np.exp(-(((np.linspace(0, 1, 40) - places) / 0.05) ** 2))
    return (bumps + rng.normal(0, 0.01, bumps.shape)).astype("float32")


def test_each_of_several_inputs_has_its_target():
    x = {"a": beats(1), "b": np.roll(beats(2), 4, axis=1)}
    assert are_inputs(Rows(x), Rows({name: value.copy() for name, value in x.items()}))
    assert not are_inputs(Rows(x), Rows({"a": x["a"], "b": x["a"]}))
    changed = changed_targets(Rows(x), "b", lambda y: np.roll(y, -4, axis=1))
    np.testing.assert_array_equal(changed.tree["b"], beats(2))
    assert changed.tree["a"] is x["a"]


def test_other_targets_are_no_inputs():
    x = np.asarray([[0, 1], [np.nan, 3]], "float32")
    assert are_inputs(x, Rows(x.astype("float64")))  # as numbers, missing ones included
    for labels in (np.zeros(2, int), Rows(x[:, :1]), Rows({"a": x})):
        assert not are_inputs(x, labels)
    assert not are_inputs(np.asarray([["a"]]), Rows(np.asarray([["a"]])))

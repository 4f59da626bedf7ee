"""Images and masks that are moved: both together, or only the images."""

import numpy as np
import pytest

from keras_shiftguard.experiments.candidates import image_candidates
from keras_shiftguard.experiments.difference import cost_of_difference
from keras_shiftguard.experiments.judge import Loss
from keras_shiftguard.experiments.labelled import Labelled
from keras_shiftguard.experiments.targets import ALIGNMENT, WHOLE, with_masks
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.statistics.batch import spec_for
from keras_shiftguard.statistics.rows import Rows

pytestmark = pytest.mark.backend
IMAGES = spec_for("input", (None, 10, 12, 1), "channels_last")
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


def judge():
    """A network that finds bright pixels in the left half only; the share of wrong pixels."""

    def of_samples(x, labels):
        found = (x[..., 0] > 0.5) & (np.arange(12) < 6)
        return (found != labels.tree).mean(axis=(1, 2))

    return Loss(of_samples, "wrong", 0.1)


def found_for(x, masks):
    both = Labelled(x, Rows(masks)), Labelled(scenes(0)[0], Rows(scenes(0)[1]))
    return cost_of_difference(lambda x: x, *both, IMAGES, TOLERANCE, judge=judge())


@pytest.mark.parametrize("pixels", [2, 3])
def test_images_that_do_not_fit_their_masks_are_told_to_the_pixel(pixels):
    x, masks = scenes(1)
    found = found_for(np.roll(x, pixels, axis=2), masks)
    assert found.cost.is_alarm(TOLERANCE) and found.family == ALIGNMENT
    assert found.how == f"moved by about {pixels} pixels to the right against their masks"
    assert found.cost.metric == "wrong" and found.cost.value > 0.9


def test_images_that_are_mirrored_with_their_masks_are_told():
    x, masks = scenes(1)
    found = found_for(x[:, :, ::-1].copy(), masks[:, :, ::-1].copy())
    assert found.cost.is_alarm(TOLERANCE) and found.how == "mirrored left to right"


def test_right_images_are_not_told():
    found = found_for(*scenes(1))
    assert not found.cost.is_costly(TOLERANCE)


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

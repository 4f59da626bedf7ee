"""Masks and targets that are the samples: both move together, or only the samples."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from keras_shiftguard.account.candidates.candidates import image_candidates
from keras_shiftguard.experiments.difference import cost_of_difference
from keras_shiftguard.experiments.judge import Loss
from keras_shiftguard.account.labelled import Labelled
from keras_shiftguard.experiments.labels.label_units import numbers_are_unrelated
from keras_shiftguard.account.candidates.targets import (
    ALIGNMENT,
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


def bright_pixels():
    """A network that finds bright pixels in the left half only; the share of wrong pixels."""

    def of_samples(x, labels):
        found = (x[..., 0] > 0.5) & (np.arange(12) < 6)
        return (found != labels.tree).mean(axis=(1, 2))

    return Loss(of_samples, "wrong", 0.1)


def found_for_masks(x, masks):
    both = Labelled(x, Rows(masks)), Labelled(scenes(0)[0], Rows(scenes(0)[1]))
    return cost_of_difference(lambda x: x, *both, SCENES, TOLERANCE, judge=bright_pixels())


def test_images_that_do_not_fit_their_masks_are_told_to_the_pixel():
    x, masks = scenes(1)
    found = found_for_masks(np.roll(x, 3, axis=2), masks)
    assert found.cost.is_alarm(TOLERANCE) and found.family == ALIGNMENT
    assert found.how == "moved by about 3 pixels to the right against their masks"
    assert found.cost.metric == "wrong" and found.cost.value > 0.9


def test_images_are_told_if_they_are_mirrored_with_their_masks():
    x, masks = scenes(1)
    found = found_for_masks(x[:, :, ::-1].copy(), masks[:, :, ::-1].copy())
    assert found.cost.is_alarm(TOLERANCE) and found.how == "mirrored left to right"
    assert not found_for_masks(x, masks).cost.is_costly(TOLERANCE)


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


def principal_components():
    """A linear autoencoder of training; the mean absolute error of what it returns."""
    x = beats(0)
    basis = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][:4]

    def of_samples(samples, labels):
        coded = (samples - x.mean(axis=0)) @ basis.T @ basis + x.mean(axis=0)
        return np.abs(coded - labels.tree).mean(axis=1)

    return Loss(of_samples, "mae", 0.01)


def found_for(x, targets):
    both = Labelled(x, Rows(targets)), Labelled(beats(0), Rows(beats(0)))
    return cost_of_difference(lambda x: x, *both, ROWS, TOLERANCE, judge=principal_components())


def test_delayed_samples_are_moved_back_with_their_targets():
    judge, right = principal_components(), beats(1)
    late = np.roll(right, 4, axis=1)
    found = found_for(late, late.astype("float64"))  # of another type
    losses = [judge.of_samples(x, Rows(x)).mean() for x in (right, late)]
    low, high = found.cost.interval
    assert found.cost.is_alarm(TOLERANCE) and found.how.startswith("moved in time")
    assert low - 0.05 <= 1 - losses[0] / losses[1] <= high + 0.05
    assert found.cost.repair is None  # a layer for the samples would leave their targets


def test_images_that_are_upside_down_are_no_masks():
    digits = load_digits().images[..., None].astype("float32") / 16
    digits = digits[np.random.default_rng(0).permutation(len(digits))]
    x, bad = digits[:900], digits[900:1300, ::-1].copy()
    flat = x.reshape(len(x), -1)
    basis = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)[2][:10]

    def of_samples(samples, labels):
        rows = samples.reshape(len(samples), -1)
        coded = (rows - flat.mean(axis=0)) @ basis.T @ basis + flat.mean(axis=0)
        return np.abs(coded - labels.tree.reshape(len(rows), -1)).mean(axis=1)

    both = Labelled(bad, Rows(bad.copy())), Labelled(x, Rows(x.copy()))
    judge = Loss(of_samples, "mae", 0.05)
    found = cost_of_difference(lambda x: x, *both, IMAGES, TOLERANCE, judge=judge)
    assert found.cost.is_alarm(TOLERANCE)
    assert found.how == "upside down (flipped top to bottom)"
    assert found.fix == "x = x[:, ::-1]; y = x"


def test_right_samples_and_another_population_cost_nothing():
    """A repair that wins little is none."""
    assert not found_for(beats(1), beats(1)).cost.is_costly(TOLERANCE)
    rng = np.random.default_rng(2)
    others = np.stack([np.sin(np.linspace(0, 6, 40) + phase) for phase in rng.uniform(0, 6, 400)])
    found = found_for(others.astype("float32"), others.astype("float32"))
    assert not found.cost.is_alarm(TOLERANCE)


def test_each_of_several_inputs_has_its_target():
    x = {"a": beats(1), "b": np.roll(beats(2), 4, axis=1)}
    assert are_inputs(Rows(x), Rows({name: value.copy() for name, value in x.items()}))
    assert not are_inputs(Rows(x), Rows({"a": x["a"], "b": x["a"]}))
    changed = changed_targets(Rows(x), "b", lambda y: np.roll(y, -4, axis=1))
    np.testing.assert_array_equal(changed.tree["b"], beats(2))
    assert changed.tree["a"] is x["a"]


def test_targets_that_are_the_samples_are_never_unrelated_to_them():
    late = np.roll(beats(1), 20, axis=1)
    both = Labelled(late, Rows(late)), Labelled(beats(0), Rows(beats(0)))
    assert not numbers_are_unrelated(lambda x: x, *both, principal_components())
    others = Labelled(late, Rows(np.roll(late, 1, axis=0)))
    assert numbers_are_unrelated(lambda x: x, others, both[1], principal_components())


def test_other_targets_are_no_inputs():
    x = np.asarray([[0, 1], [np.nan, 3]], "float32")
    assert are_inputs(x, Rows(x.astype("float64")))  # as numbers, missing ones included
    for labels in (np.zeros(2, int), Rows(x[:, :1]), Rows({"a": x})):
        assert not are_inputs(x, labels)
    assert not are_inputs(np.asarray([["a"]]), Rows(np.asarray([["a"]])))

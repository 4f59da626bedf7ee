"""Autoencoders: what is undone in the samples is undone in their targets as well."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from keras_shiftguard.experiments.difference import cost_of_difference
from keras_shiftguard.experiments.judge import Loss
from keras_shiftguard.experiments.label_units import numbers_are_unrelated
from keras_shiftguard.experiments.labelled import Labelled
from keras_shiftguard.experiments.targets import are_inputs, changed_targets
from keras_shiftguard.statistics.batch import spec_for
from keras_shiftguard.statistics.rows import Rows

pytestmark = pytest.mark.backend
ROWS = spec_for("input", (None, 40), "channels_last")
IMAGES = spec_for("input", (None, 8, 8, 1), "channels_last")
TOLERANCE = 0.02


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
    found = found_for(late, late.copy())
    losses = [judge.of_samples(x, Rows(x)).mean() for x in (right, late)]
    low, high = found.cost.interval
    assert found.cost.is_alarm(TOLERANCE) and found.how.startswith("moved in time")
    assert low - 0.05 <= 1 - losses[0] / losses[1] <= high + 0.05
    assert found.cost.repair is None  # a layer for the samples would leave their targets


def test_targets_of_another_type_are_repaired_as_well():
    late = np.roll(beats(1), 4, axis=1)
    found = found_for(late, late.astype("float64"))
    assert found.cost.is_alarm(TOLERANCE) and found.cost.value > 0.3


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


def test_another_population_is_not_told_as_a_repair_that_wins_little():
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


def test_right_samples_cost_nothing():
    assert not found_for(beats(1), beats(1)).cost.is_costly(TOLERANCE)


def test_targets_that_are_the_samples_are_never_unrelated_to_them():
    late = np.roll(beats(1), 20, axis=1)
    both = Labelled(late, Rows(late)), Labelled(beats(0), Rows(beats(0)))
    assert not numbers_are_unrelated(lambda x: x, *both, principal_components())
    others = Labelled(late, Rows(np.roll(late, 1, axis=0)))
    assert numbers_are_unrelated(lambda x: x, others, both[1], principal_components())


@pytest.mark.parametrize(
    "labels", [np.zeros(4, int), Rows(np.zeros((4, 2))), Rows({"a": np.zeros((4, 3))})]
)
def test_other_targets_are_no_inputs(labels):
    assert not are_inputs(np.zeros((4, 3), "float32"), labels)


def test_targets_of_other_types_are_compared_as_numbers():
    x = np.asarray([[0, 1], [np.nan, 3]], "float32")
    assert are_inputs(x, Rows(x.astype("float64")))
    assert not are_inputs(np.asarray([["a"]]), Rows(np.asarray([["a"]])))

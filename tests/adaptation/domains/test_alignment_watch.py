"""The actions of `AlignmentWatch` on made-up measurements, with their reasons; no training."""

import keras
import numpy as np
import pytest
from adaptation_models import network, two_domains

from keras_shiftguard.adaptation.domains.alignment_watch import (
    MAX_HALVINGS,
    PATIENCE,
    AlignmentWatch,
)
from keras_shiftguard.adaptation.domains.evidence import Evidence
from keras_shiftguard.adaptation.domains.model import DomainAdaptationModel
from keras_shiftguard.adaptation.domains.schedule import CONDITIONAL_STRENGTH
from keras_shiftguard.adaptation.domains.schedule import PATIENCE as PATIENCE_WITH_REFERENCE
from keras_shiftguard.adaptation.domains.target_classes import TargetClasses
from keras_shiftguard.adaptation.domains.weight_average import WeightAverage
from keras_shiftguard.errors import ShiftGuardError


class Watched:
    """A model with a watch, which gets made-up measurements."""

    def __init__(self, rng, method="mmd", source_only=0, **kwargs):
        x, y, target = two_domains(rng, 200)
        keras.utils.set_random_seed(0)  # starts with a network of good accuracy
        self.model = DomainAdaptationModel(network(), "features", method, verbose=0, **kwargs)
        self.model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        self.model._read_loss()
        self.model.alignment_layer.started.assign(float(source_only == 0))
        self.watch = AlignmentWatch(self.model, (x, y), target, True, (0, 20, source_only))
        self.watch.set_model(self.model)
        self.watch.on_train_begin()
        self.epoch = 0

    def sees(self, accuracy=0.9, distance=1.0, classes=None, predicted=(), agreement=0.8, **logs):
        self.watch._measure = lambda epoch: Evidence(
            epoch, distance, accuracy, 0.6, agreement, classes, np.array(predicted, int), 200
        )
        self.watch.on_epoch_end(self.epoch, logs)
        self.epoch += 1


@pytest.fixture
def watched(rng):
    return Watched(rng)


def test_nothing_is_done_while_all_is_well(watched):
    for accuracy in (0.5, 0.9, 0.89, 0.9):
        watched.sees(accuracy)
    assert not watched.model.actions and watched.model.current_strength == 1
    assert len(watched.model.looks) == 5


def test_it_backs_off_and_in_the_end_switches_off(watched):
    watched.sees(0.95)
    for number in range(MAX_HALVINGS):
        watched.sees(0.8)
        assert len(watched.model.actions) == number  # a single bad epoch is ignored
        watched.sees(0.8)
    strengths = [action.what for action in watched.model.actions]
    assert strengths[:2] == ["strength halved to 0.5", "strength halved to 0.25"]
    assert strengths[2] == "alignment switched off" and watched.model.is_off
    reason = watched.model.actions[0].reason
    assert reason == (
        f"accuracy on labelled source fell from 95.0% to 80.0%, in {PATIENCE} measurements in a row"
    )
    assert "Alignment is off" in str(watched.model.alignment)


def test_a_collapse_brings_the_best_weights_back(watched):
    watched.sees(0.95)
    best = watched.model.base.get_weights()
    for variable in watched.model.base.variables:
        variable.assign(np.zeros(variable.shape))
    watched.sees(0.3)
    for a, b in zip(watched.model.base.get_weights(), best, strict=True):
        np.testing.assert_array_equal(a, b)
    assert "best epoch restored" in watched.model.actions[0].what


def test_protection_can_be_left_out(rng):
    watched = Watched(rng, protect=False)
    for accuracy in (0.95, 0.2, 0.2, 0.2):
        watched.sees(accuracy)
    assert not watched.model.actions and len(watched.model.looks) == 5


def classes_at(first, width=0.05, agreement=1.0, samples=100):
    """Estimated classes with a given share of the first one, and certain probabilities."""
    f = np.array([first, 1 - first])
    ids = (np.arange(samples) >= round(first * samples)).astype(int)
    kernel, bias = np.ones((2, 6, 2)), np.ones((2, 2))
    return TargetClasses(f, f - width, f + width, np.eye(2)[ids], agreement, kernel, bias)


def setting(watched, name):
    return keras.ops.convert_to_numpy(getattr(watched.model.alignment_layer, name))


def test_the_source_comes_first(rng):
    watched = Watched(rng, "auto", source_only=3)
    for _ in range(2):
        watched.sees(classes=classes_at(0.1), predicted=[0] * 10 + [1] * 90)
    assert setting(watched, "started") == 0 and not watched.model.actions
    np.testing.assert_allclose(setting(watched, "class_weights"), 1)
    watched.sees(classes=classes_at(0.1), predicted=[0] * 10 + [1] * 90)
    assert setting(watched, "started") == 1
    # The first estimate counts in full: alignment begins with these weights.
    np.testing.assert_allclose(setting(watched, "class_weights"), [0.2, 1.8], atol=0.01)


def test_it_waits_until_it_is_clear_where_the_classes_lie(rng):
    watched = Watched(rng, "mmd", source_only=2)
    for agreement in (0.8, 0.95, 0.8, 0.95):
        watched.sees(classes=classes_at(0.5, agreement=agreement), predicted=[0] * 50 + [1] * 50)
        assert setting(watched, "started") == 0
    watched.sees(classes=classes_at(0.5), predicted=[0] * 50 + [1] * 50)
    assert setting(watched, "started") == 1
    never = Watched(rng, "mmd", source_only=2)
    for _ in range(3):
        never.sees(classes=classes_at(0.5, agreement=0.8))
    never.watch.on_train_end()
    assert "the two estimates agree in 80% of the samples" in str(never.model.alignment)
    assert str(never.model.alignment).startswith("Alignment is off")


def test_clusters_with_which_few_predictions_agree_are_no_classes(rng):
    far = Watched(rng, "mmd", source_only=2)
    for _ in range(4):
        far.sees(classes=classes_at(0.5, agreement=1.0), agreement=0.4)
    assert setting(far, "started") == 0
    far.watch.on_train_end()
    assert "the model's predictions agree with them in 40%" in str(far.model.alignment)


def test_classes_are_weighted_only_on_sure_evidence(rng):
    watched = Watched(rng)
    watched.sees(0.7, classes=classes_at(0.1))
    watched.sees(classes=classes_at(0.1, width=0.45))
    np.testing.assert_allclose(setting(watched, "class_weights"), 1)
    for _ in range(6):
        watched.sees(classes=classes_at(0.1))
    np.testing.assert_allclose(setting(watched, "class_weights"), [0.2, 1.8], atol=0.05)
    assert "is estimated at 10.0% of the target (5.0% to 15.0%)" in watched.model.actions[0].reason
    for _ in range(8):
        watched.sees(classes=classes_at(0.5))
    np.testing.assert_allclose(setting(watched, "class_weights"), 1, atol=0.02)


def test_auto_goes_over_to_classes(rng):
    watched = Watched(rng, "auto")
    watched.sees(0.7, classes=classes_at(0.5))
    watched.sees(0.9, classes=classes_at(0.5, agreement=0.5))
    assert setting(watched, "conditional") == 0
    for _ in range(5):  # a third of the twenty epochs on the marginal distance
        assert setting(watched, "conditional") == 0
        watched.sees(0.9, classes=classes_at(0.5))
    assert setting(watched, "conditional") == 1 and len(watched.model.actions) == 1
    assert watched.model.current_strength == CONDITIONAL_STRENGTH
    np.testing.assert_array_equal(setting(watched, "rule_kernel"), 1)


def test_lost_agreement_with_the_reference_ends_the_alignment(rng):
    watched = Watched(rng, "dann", source_only=1)
    right, wrong = [0] * 50 + [1] * 50, [0] * 70 + [1] * 30
    watched.sees(classes=classes_at(0.5), predicted=right)
    before = watched.model.base.get_weights()
    for variable in watched.model.base.variables:
        variable.assign(variable + 1.0)
    for _ in range(PATIENCE_WITH_REFERENCE - 1):
        watched.sees(classes=classes_at(0.7), predicted=wrong)
    watched.sees(classes=classes_at(0.5), predicted=right)  # resets the count
    for _ in range(PATIENCE_WITH_REFERENCE):
        assert not watched.model.is_off
        watched.sees(classes=classes_at(0.7), predicted=wrong)
    assert watched.model.is_off
    reason = watched.model.actions[-1].reason
    assert "100% of cases before alignment, and agree in 80% now" in reason
    for a, b in zip(watched.model.base.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_head_that_always_wins_is_a_lost_game(rng):
    watched = Watched(rng, "dann")
    for _ in range(PATIENCE + 1):
        watched.sees(distance=2.0, domain_accuracy=0.99)
    assert "the domain head is right in 99%" in watched.model.actions[0].reason


@pytest.mark.parametrize("state", ["aligned", "switched off", "never started"])
def test_the_last_weights_are_averaged_where_something_was_aligned(watched, state):
    if state == "switched off":
        watched.model.switch_off("for this test")
    elif state == "never started":
        watched.model.alignment_layer.started.assign(0.0)
    average = WeightAverage(watched.model, 6)
    average.set_model(watched.model)
    variable = watched.model.base.variables[0]
    for epoch in range(6):
        variable.assign(np.full(variable.shape, float(epoch)))
        average.on_epoch_end(epoch)
    average.on_train_end()
    wanted = 4.5 if state == "aligned" else 5.0  # the last weights, as in plain training
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), wanted)


def test_weights_that_have_unlearned_the_source_are_not_averaged(watched):
    average = WeightAverage(watched.model, 12)
    average.set_model(watched.model)
    variable = watched.model.base.variables[0]
    for epoch, accuracy in enumerate([0.9] * 9 + [0.6, 0.9, 0.9]):
        watched.model.looks.append(Evidence(epoch, 1.0, accuracy, num_labelled=200))
        variable.assign(np.full(variable.shape, float(epoch)))
        average.on_epoch_end(epoch)
    average.on_train_end()
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), (8 + 10 + 11) / 3)


def test_errors_are_ours():
    with pytest.raises(ShiftGuardError):
        DomainAdaptationModel(network(), "features", "none")

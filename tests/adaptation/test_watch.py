"""What is done about what is seen, with its reason; no training needed."""

import keras
import numpy as np
import pytest
from adaptation_models import network, two_domains

from keras_shiftguard.adaptation.averaging import WeightAverage
from keras_shiftguard.adaptation.evidence import Evidence
from keras_shiftguard.adaptation.model import DomainAdaptationModel
from keras_shiftguard.adaptation.watch import (
    CONDITIONAL_STRENGTH,
    HALVINGS,
    PATIENCE,
    AlignmentWatch,
)
from keras_shiftguard.detection.label_shift import LabelShift
from keras_shiftguard.errors import ShiftGuardError


class Watched:
    """A model and its watch, which is shown whatever we make up."""

    def __init__(self, rng, method="mmd", **kwargs):
        x, y, target = two_domains(rng, 200)
        self.model = DomainAdaptationModel(network(), "features", method, verbose=0, **kwargs)
        self.model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        self.model._read_loss()
        self.watch = AlignmentWatch(self.model, (x, y), target, True, epochs=20)
        self.watch.set_model(self.model)
        self.watch.on_train_begin()
        self.epoch = 0

    def sees(self, accuracy=0.9, distance=1.0, agreement=0.3, confidence=0.6, shift=None, **logs):
        self.watch._look = lambda epoch: Evidence(
            epoch, distance, accuracy, confidence, agreement, shift
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
    for number in range(HALVINGS):
        watched.sees(0.8)
        assert len(watched.model.actions) == number  # once is no proof
        watched.sees(0.8)
    strengths = [action.what for action in watched.model.actions]
    assert strengths[:2] == ["strength halved to 0.5", "strength halved to 0.25"]
    assert strengths[2] == "alignment switched off" and watched.model.is_off
    reason = watched.model.actions[0].reason
    assert reason == f"accuracy on labelled source fell from 95.0% to 80.0% for {PATIENCE} epochs"
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


def shift_to(frequencies, width):
    f = np.array(frequencies)
    return LabelShift(f, f - width, f + width, f / 0.5, 1.0, True)


def class_weights(watched):
    return keras.ops.convert_to_numpy(watched.model.alignment_layer.class_weights)


def test_classes_are_weighted_only_on_sure_evidence(watched):
    sure = {"agreement": 0.95, "confidence": 0.95}
    watched.sees(shift=shift_to([0.1, 0.9], 0.05), agreement=0.5, confidence=0.95)
    watched.sees(shift=shift_to([0.1, 0.9], 0.45), **sure)
    np.testing.assert_allclose(class_weights(watched), 1)
    for _ in range(6):
        watched.sees(shift=shift_to([0.1, 0.9], 0.05), **sure)
    np.testing.assert_allclose(class_weights(watched), [0.2, 1.8], atol=0.05)
    assert "is estimated at 10.0% of the target (5.0% to 15.0%)" in watched.model.actions[0].reason
    for _ in range(8):
        watched.sees(shift=shift_to([0.5, 0.5], 0.05), **sure)
    np.testing.assert_allclose(class_weights(watched), 1, atol=0.02)


def test_auto_goes_over_to_classes_and_back(rng):
    watched = Watched(rng, "auto")
    dial = watched.model.alignment_layer.conditional
    watched.sees(0.7, agreement=0.9)
    watched.sees(0.9, agreement=0.3)
    assert float(keras.ops.convert_to_numpy(dial)) == 0
    watched.sees(0.9, agreement=0.8)
    assert float(keras.ops.convert_to_numpy(dial)) == 1
    assert watched.model.current_strength == CONDITIONAL_STRENGTH
    watched.sees(0.9, agreement=0.2)
    assert float(keras.ops.convert_to_numpy(dial)) == 0 and watched.model.current_strength == 1
    assert len(watched.model.actions) == 2


def test_a_head_that_always_wins_is_a_lost_game(rng):
    watched = Watched(rng, "dann")
    for _ in range(PATIENCE + 1):
        watched.sees(distance=2.0, domain_accuracy=0.99)
    assert "the domain head is right in 99%" in watched.model.actions[0].reason


def test_the_last_weights_are_averaged(watched):
    average = WeightAverage(watched.model, 6)
    average.set_model(watched.model)
    variable = watched.model.base.variables[0]
    for epoch in range(6):
        variable.assign(np.full(variable.shape, float(epoch)))
        average.on_epoch_end(epoch)
    average.on_train_end()
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), 4.5)


def test_errors_are_ours():
    with pytest.raises(ShiftGuardError):
        DomainAdaptationModel(network(), "features", "none")

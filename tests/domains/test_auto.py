"""Decisions of `method="auto"` from its measurements, and their effects on the model."""

import keras
import numpy as np
import pytest
from adaptation_models import as_array, two_domains
from domains.adapted import adapted

from keras_shiftguard.domains import evidence
from keras_shiftguard.domains.auto import AutoGuard
from keras_shiftguard.domains.evidence import Evidence

CLASSES = np.repeat([0, 1], [60, 40])  # predicted for the target in the first stage


class Case:
    """A model in training, its `auto` controller, and the actions of the controller."""

    def __init__(self):
        self.model = adapted("auto", None, keras.optimizers.Adam(use_ema=True), "mse")
        self.model.optimizer.build(self.model.trainable_variables)
        self.actions = self.model.actions
        self.guard = AutoGuard(self.model)

    def look(self, epoch, classes=CLASSES, sure=0.99, accuracy=0.99, source_confidence=0.98):
        """Passes a measurement to the controller, with these predicted classes of the target."""
        p = np.where(np.eye(2)[classes] == 1, sure, 1 - sure)
        evidence = Evidence(
            *(epoch, 1.0, accuracy, source_confidence),
            confidence=float(p.max(axis=1).mean()),
            shares=p.mean(axis=0),
        )
        if self.guard.first is None:
            self.guard.begin(evidence)
        else:
            self.guard.check(evidence, 500)


@pytest.mark.parametrize(("sure", "alignment"), [(0.71, 0.5), (0.6, 1.0)])
def test_alignment_goes_half_of_the_way_unless_most_predictions_may_be_wrong(sure, alignment):
    """The target may have another mix of classes; wrong predictions need the whole alignment."""
    case = Case()
    case.look(2, sure=sure, source_confidence=1.0)
    assert as_array(case.model.methods[0].alignment.value) == alignment and not case.actions


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        ({"accuracy": 0.9}, "accuracy on labelled source fell from 99.0% to 90.0%"),
        ({"classes": np.zeros(100, int)}, "class 0 is predicted for 99% of the target"),
    ],
)
def test_harm_takes_the_first_stage_back(harm, reason):
    case = Case()
    before = case.model.base.get_weights()
    # The averages of the weights are written to the model when training ends.
    averages = [v for v in case.model.optimizer.variables if "average" in v.path]
    averages_before = [as_array(v.value) for v in averages]
    case.look(2)
    for weight in [*case.model.base.variables, *averages]:
        weight.assign(weight + 1.0)
    case.look(5)
    assert case.model.current_strength == 1  # the same predictions as before are no harm
    case.look(6, **harm)
    assert case.model.current_strength == 0 and reason in case.actions[-1].reason
    assert case.actions[-1].what.endswith("the weights from epoch 2 restored")
    for a, b in zip(case.model.base.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(averages) == len(case.model.trainable_variables)
    for average, b in zip(averages, averages_before, strict=True):
        np.testing.assert_array_equal(as_array(average.value), b)


def test_labels_that_cannot_be_learned_are_not_learned_from(rng):
    x, _, target = two_domains(rng, 64, 64)
    model = adapted("auto")
    model.fit(x, rng.integers(0, 2, 64), target_data=target, epochs=4, verbose=0)
    assert model.current_strength == 0
    assert model.actions[0].what == "trained on the augmented source alone"


@pytest.mark.parametrize(("epochs", "begin"), [(1, 1), (8, 3)])
def test_the_second_stage_begins_where_it_is_said(rng, epochs, begin, capsys):
    x, y, target = two_domains(rng, 64, 64)
    model = adapted("auto", optimizer=keras.optimizers.Adam(0.05), verbose=1)
    fit = model.fit(x, y, target_data=target, epochs=epochs, batch_size=16, verbose=0)
    losses = np.asarray(fit.history["alignment_loss"])
    assert f"second stage of 'auto' begins in epoch {begin} of {epochs}" in capsys.readouterr().out
    assert not losses[: begin - 1].any() and (epochs == 1 or losses[begin - 1 :].any())


@pytest.mark.backend
def test_the_first_stage_is_saved_when_it_ends(rng):
    """The first stage may end in mid-epoch, and the whole training may be one epoch."""
    x, y, target = two_domains(rng, 128, 128)
    model = adapted("auto", optimizer=keras.optimizers.SGD(0.02), compiled={})
    kept = []

    class Keep(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:  # after 2 of 8 steps
                kept.extend(self.model.base.get_weights())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "KNOWS_TASK", -1.0)
        patch.setattr(AutoGuard, "harm", lambda *args: "it is harm")
        model.fit(x, y, target_data=target, batch_size=16, verbose=0, callbacks=[Keep()])
    assert [look.epoch for look in model.looks] == [0, 1, 1]  # the last one is of these weights
    assert model.actions[-1].reason == "it is harm"
    for after, before in zip(model.base.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(after, before)


class Crash(Exception):
    """The end of a process, as `fit` sees it."""


class CrashIn(keras.callbacks.Callback):
    """Ends the training at the beginning of epoch 3."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise Crash


@pytest.mark.backend
@pytest.mark.parametrize("how", ["saved model", "BackupAndRestore"])
def test_a_resumed_fit_does_not_begin_again(rng, tmp_path, monkeypatch, how, capsys):
    """The baseline of the checks is the end of the first stage, and not the resumed model."""
    keras.utils.set_random_seed(0)  # else the first stage may be restored before the crash
    x, y, target = two_domains(rng, 64, 64)
    monkeypatch.setattr(evidence, "KNOWS_TASK", -1.0)
    begun = []
    begin = AutoGuard.begin

    def noted(guard, now):
        begin(guard, now)
        begun.append(now.epoch)
        guard.model.record_action(now.epoch, "begun", "the first stage is over")

    monkeypatch.setattr(AutoGuard, "begin", noted)

    backup = [keras.callbacks.BackupAndRestore(tmp_path)] if how == "BackupAndRestore" else []
    options = {"target_data": target, "epochs": 4, "batch_size": 16, "verbose": 0}
    model = adapted("auto")
    with pytest.raises(Crash):
        model.fit(x, y, callbacks=[*backup, CrashIn()], **options)
    assert begun == [1] and not capsys.readouterr().out
    if backup:
        resumed, first = adapted("auto"), 0
    else:
        model.save(tmp_path / "model.keras")
        resumed, first = keras.models.load_model(tmp_path / "model.keras"), 2
        assert resumed.actions == model.actions and resumed.actions[-1].what == "begun"
    resumed.verbose = 1
    resumed.fit(x, y, callbacks=backup, initial_epoch=first, **options)
    assert begun == [1] and float(as_array(resumed.steps_done.value)) == 16
    assert "resumes after the first stage" in capsys.readouterr().out

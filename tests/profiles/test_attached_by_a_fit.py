"""Profiles that a fit attaches to its checkpoint, after a correction or an augmentation as well."""

import keras
import numpy as np
import pytest
from attached_models import RAW, TF, UNIT, Y, network
from keras import layers

import keras_shiftguard as sg
from keras_shiftguard import BadInputError, InputProfile, ShiftWarning, diagnose
from keras_shiftguard.profiles.attached import has_profile


def test_a_fit_attaches_its_profile_to_the_checkpoint(tmp_path):
    path = tmp_path / "best.keras"
    guard = sg.ShiftGuard(attach_to=path, verbose=0)
    save = keras.callbacks.ModelCheckpoint(path)
    network().fit(TF, Y, callbacks=[save, guard], verbose=0)
    assert InputProfile.load(path).num_samples == 16
    assert diagnose(path, RAW).status == "mismatch"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("exists", "words"), [(True, "attached no profile"), (False, "does not exist")]
)
def test_what_cannot_be_attached_costs_a_warning_and_not_the_fit(saved, exists, words):
    path = saved if exists else saved.with_name("absent.keras")
    guard = sg.ShiftGuard(expects="tf", on_mismatch="ignore", attach_to=path, verbose=0)
    with pytest.warns(ShiftWarning, match=words):
        network().fit(RAW if exists else TF, Y, callbacks=[guard], verbose=0)
    assert not has_profile(saved)


def test_after_a_correction_the_profile_after_it_is_attached(tmp_path, capsys):
    path = tmp_path / "best.keras"
    guard = sg.ShiftGuard(expects="tf", on_mismatch="fix", attach_to=path)
    save = keras.callbacks.ModelCheckpoint(path)
    options = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0}
    with pytest.warns(ShiftWarning, match="Corrected inside fit"):
        network().fit(UNIT, Y, callbacks=[save, guard], **options)
    assert f"training after the correction is attached to {path}" in capsys.readouterr().out
    attached = InputProfile.load(path)
    (summary,) = attached.inputs.values()
    np.testing.assert_allclose(summary.mean, TF.mean((0, 1, 2)), atol=1e-4)
    assert attached.num_samples == 16 and attached.labels.counts[:2].tolist() == [8, 8]
    assert diagnose(path, TF).status == "ok" and diagnose(path, UNIT).status == "mismatch"


@pytest.mark.filterwarnings("ignore:.train. Preprocessing mismatch")
@pytest.mark.parametrize("on_mismatch", ["warn", "fix"])
def test_by_hand_a_mismatch_is_attached_to_the_corrected_model_only(saved, on_mismatch):
    model = network()
    guard = sg.ShiftGuard(expects="tf", on_mismatch=on_mismatch, verbose=0)
    model.fit(UNIT, Y, callbacks=[guard], verbose=0)
    with pytest.raises(BadInputError, match="so the profile is not attached"):
        guard.profiles["train"].attach(saved)
    assert not has_profile(saved)
    guard.diagnosis.apply(model).save(saved)
    guard.profiles["train"].attach(saved)
    assert diagnose(saved, UNIT).status == "ok"


def test_only_the_corrected_input_is_measured_again(tmp_path):
    image, table = keras.Input((32, 32, 3), name="image"), keras.Input((2,), name="table")
    both = layers.Concatenate()([layers.Flatten()(image), table])
    model = keras.Model([image, table], layers.Dense(1)(both))
    model.compile("sgd", "mse")
    path = tmp_path / "model.keras"
    model.save(path)
    guard = sg.ShiftGuard(expects={"image": "tf"}, on_mismatch="fix", attach_to=path, verbose=0)
    x = {"image": UNIT, "table": np.arange(32.0).reshape(16, 2)}
    with pytest.warns(ShiftWarning, match="Corrected inside fit"):
        model.fit(x, Y, batch_size=8, shuffle=False, callbacks=[guard], verbose=0)
    attached = InputProfile.load(path)
    assert attached.inputs["image"].minimum.min() == -1
    assert attached.inputs["table"].maximum.max() == 31


@pytest.mark.filterwarnings("ignore:.train. Preprocessing mismatch")
def test_a_correction_that_came_too_late_is_not_what_the_model_was_trained_on(saved):
    guard = sg.ShiftGuard(expects="tf", on_mismatch="fix", attach_to=saved, verbose=0)
    with pytest.warns(ShiftWarning, match="only 0 of 1 batches were corrected"):
        network().fit(UNIT, Y, callbacks=[guard], verbose=0)
    assert not has_profile(saved)


class Brightened(keras.utils.PyDataset):
    """Noise images whose brightness is drawn anew in each epoch."""

    def __init__(self):
        super().__init__()
        self.rng = np.random.default_rng(0)
        self.x = self.rng.uniform(0.3, 0.7, (256, 8, 8, 1)).astype("float32")

    def __len__(self):
        return 8

    def __getitem__(self, i):
        x = self.x[32 * i : 32 * i + 32] + self.rng.uniform(-0.3, 0.3, (32, 1, 1, 1))
        return x.astype("float32"), np.arange(32) % 2


@pytest.mark.parametrize("is_augmented", [True, False])
def test_a_profile_of_augmented_training_says_what_to_compare_with(tmp_path, capsys, is_augmented):
    path, data, y = tmp_path / "best.keras", Brightened(), np.arange(256) % 2
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    model.fit(
        *((data,) if is_augmented else (data.x, y)),
        validation_data=(data.x, y),
        epochs=3,
        callbacks=[keras.callbacks.ModelCheckpoint(path), sg.ShiftGuard(attach_to=path)],
        verbose=0,
    )
    printed = capsys.readouterr().out
    assert f"The profile of training is attached to {path}" in printed
    assert ("such as `guard.profiles['validation']`" in printed) == is_augmented

"""A check is one function: its state is saved and restored, and its failure ends no fit."""

import keras
import numpy as np
import pytest

import keras_shiftguard as sg
from keras_shiftguard.callback import checks
from keras_shiftguard.callback.checks.check import Told
from keras_shiftguard.errors import ShiftWarning

pytestmark = [pytest.mark.backend]


def fit(guard, epochs, initial_epoch=0):
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = np.arange(64) % 2
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(
        x,
        y,
        epochs=epochs,
        initial_epoch=initial_epoch,
        validation_data=(x, y),
        callbacks=[guard],
        verbose=0,
    )
    return guard


def counted(state, epoch):
    number = (state or 0) + 1
    return number, Told((f"{number} epochs with {sorted(epoch.passes)}",))


def test_a_new_check_is_one_function_and_is_resumed(tmp_path, monkeypatch):
    monkeypatch.setitem(checks.CHECKS, "counted", counted)
    guard = fit(sg.ShiftGuard(verbose=0, on_shift="ignore", log_dir=tmp_path), 2)
    assert "1 epochs with ['train', 'validation']" in guard.report.notes
    resumed = sg.ShiftGuard(verbose=0, on_shift="ignore", log_dir=tmp_path)
    fit(resumed, 3, initial_epoch=2)
    assert "3 epochs with ['train', 'validation']" in resumed.report.notes


def test_a_check_that_fails_warns_once_and_ends_no_fit(monkeypatch):
    def broken(state, epoch):
        raise ZeroDivisionError("no samples")

    monkeypatch.setitem(checks.CHECKS, "broken", broken)
    with pytest.warns(ShiftWarning, match="could not make the check 'broken'") as warned:
        fit(sg.ShiftGuard(verbose=0, on_shift="ignore"), 3)
    assert sum("broken" in str(each.message) for each in warned) == 1

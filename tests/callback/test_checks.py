"""A check is one function: its state is saved and restored, and its failure ends no fit."""

import numpy as np
import pytest
from small_fits import dense, watched

from keras_shiftguard.callback import checks
from keras_shiftguard.callback.checks.check import Told
from keras_shiftguard.errors import ShiftWarning

pytestmark = [pytest.mark.backend]


X, Y = np.random.default_rng(0).normal(size=(64, 4)).astype("float32"), np.arange(64) % 2


def fit(epochs, initial_epoch=0, **guard):
    fit = {"initial_epoch": initial_epoch}
    return watched(dense((4,), 2), (X, Y), (X, Y), epochs, fit, **guard)


def counted(state, epoch):
    number = (state or 0) + 1
    return number, Told((f"{number} epochs with {sorted(epoch.passes)}",))


def test_a_new_check_is_one_function_and_is_resumed(tmp_path, monkeypatch):
    monkeypatch.setitem(checks.CHECKS, "counted", counted)
    assert "1 epochs with ['train', 'validation']" in fit(2, log_dir=tmp_path).report.notes
    resumed = fit(3, initial_epoch=2, log_dir=tmp_path)
    assert "3 epochs with ['train', 'validation']" in resumed.report.notes


def test_a_check_that_fails_warns_once_and_ends_no_fit(monkeypatch):
    def broken(state, epoch):
        raise ZeroDivisionError("no samples")

    monkeypatch.setitem(checks.CHECKS, "broken", broken)
    with pytest.warns(ShiftWarning, match="could not make the check 'broken'") as warned:
        fit(3)
    assert sum("broken" in str(each.message) for each in warned) == 1

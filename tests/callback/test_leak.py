"""Samples of validation that stand in training: told once; copies by nature are no leak."""

import numpy as np
import pytest
from keras import layers
from small_fits import compiled, digits, watched

from keras_shiftguard.callback.checks.leak import leaked_share

X, Y = digits()


def notes_of(validation, **guard):
    model = compiled((8, 8, 1), layers.Flatten(), layers.Dense(10, "softmax"), rate=1e-3)
    rows = X[validation], Y[validation]
    report = watched(model, (X[:1400], Y[:1400]), rows, on_shift="warn", **guard).report
    return [note for note in report.notes if "stand in training" in note]


@pytest.mark.backend
def test_half_of_validation_copied_from_training_is_told_once(capsys):
    (note,) = notes_of(np.r_[:200, 1400:1600], verbose=1)
    assert "of the validation samples stand in training as well" in capsys.readouterr().out
    assert float(note.split("about ")[1].split(" %")[0]) == pytest.approx(50, abs=10)


def test_another_split_is_no_leak():
    assert not notes_of(np.r_[1400:1797])


def test_rows_of_few_categories_are_equal_by_nature():
    rng = np.random.default_rng(0)
    rows = [list(map(hash, map(bytes, rng.integers(0, 4, (n, 4), "uint8")))) for n in (800, 400)]
    assert leaked_share(*rows, 800) is None
    assert leaked_share(rows[0], rows[0][:400], 800) is None  # not told apart from these
    constant = [0] * 300, [0] * 200  # black images
    assert leaked_share(*constant, 300) is None

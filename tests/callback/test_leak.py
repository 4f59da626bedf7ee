"""Samples of validation that stand in training: told once; copies by nature are no leak."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import keras_shiftguard as sg
from keras_shiftguard.callback.checks.leak import leaked_share


def digits():
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return (x[order] / 16).reshape(-1, 8, 8, 1).astype("float32"), y[order]


def fit(train, validation, guard, epochs=2):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.Input(train[0].shape[1:]), *layers])
    model.compile("adam", "sparse_categorical_crossentropy")
    more = {"validation_data": validation, "callbacks": [guard], "verbose": 0}
    model.fit(*train, epochs=epochs, **more)


@pytest.mark.backend
def test_half_of_validation_copied_from_training_is_told_once(capsys):
    x, y = digits()
    both = np.concatenate([x[:200], x[1400:1600]]), np.concatenate([y[:200], y[1400:1600]])
    guard = sg.ShiftGuard()
    fit((x[:1400], y[:1400]), both, guard, epochs=3)
    assert "of the validation samples stand in training as well" in capsys.readouterr().out
    (note,) = (note for note in guard.report.notes if "stand in training" in note)
    share = float(note.split("about ")[1].split(" %")[0])
    assert share == pytest.approx(50, abs=10)


def test_another_split_is_no_leak():
    x, y = digits()
    guard = sg.ShiftGuard(verbose=0)  # a warning would be an error here
    fit((x[:1400], y[:1400]), (x[1400:], y[1400:]), guard)
    assert not any("stand in training" in note for note in guard.report.notes)


def test_rows_of_few_categories_are_equal_by_nature():
    rng = np.random.default_rng(0)
    rows = [list(map(hash, map(bytes, rng.integers(0, 4, (n, 4), "uint8")))) for n in (800, 400)]
    assert leaked_share(*rows, 800) is None
    assert leaked_share(rows[0], rows[0][:400], 800) is None  # not told apart from these
    constant = [0] * 300, [0] * 200  # black images
    assert leaked_share(*constant, 300) is None


def test_a_few_copies_are_no_leak():
    assert leaked_share(range(1000), [*range(4), *range(2000, 2400)], 1000) is None
    assert leaked_share(range(1000), [*range(40), *range(2000, 2360)], 1000) == pytest.approx(0.1)

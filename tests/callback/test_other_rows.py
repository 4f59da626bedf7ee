"""Labels of validation that stand a row away from their samples."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits

import keras_shiftguard as sg

pytestmark = pytest.mark.backend


def verdict_of(layers, loss, train, validation, epochs=4):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(train[0].shape[1:]), *layers])
    model.compile(keras.optimizers.Adam(0.01), loss)
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    fit = {"validation_data": validation, "epochs": epochs, "callbacks": [guard], "verbose": 0}
    model.fit(*train, **fit)
    return guard.verdict


@pytest.mark.each_backend
@pytest.mark.parametrize(
    ("rows", "line"),
    [(1, "x_val, y_val = x_val[:-1], y_val[1:]"), (-1, "x_val, y_val = x_val[1:], y_val[:-1]")],
)
def test_class_labels_a_row_away_are_told_with_the_line_that_repairs_them(rows, line):
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (x[order] / 16).astype("float32"), y[order]
    layers = [keras.layers.Dense(32, activation="relu"), keras.layers.Dense(10, "softmax")]
    loss = "sparse_categorical_crossentropy"
    verdict = verdict_of(layers, loss, (x[:1200], y[:1200]), (x[1200:], np.roll(y[1200:], rows)))
    assert verdict.state == "act" and verdict.step.startswith(line)
    assert "one row" in verdict.cause and verdict.cost > 0.7


def test_numbers_to_predict_that_stand_a_row_away_cost_a_share_of_the_loss():
    x, y = load_diabetes(return_X_y=True, scaled=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (20 * x[order]).astype("float32"), ((y[order] - 152) / 77).astype("float32")
    layers = [keras.layers.Dense(1)]
    train, validation = (x[:242], y[:242]), (x[242:], np.roll(y[242:], 1))
    verdict = verdict_of(layers, "mse", train, validation, epochs=12)
    assert verdict.state == "act" and verdict.metric == "mse" and verdict.cost > 0.3
    assert verdict.step.startswith("x_val, y_val = x_val[:-1], y_val[1:]")


def test_a_series_whose_neighbours_are_alike_is_right_although_the_row_before_fits_better():
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=1500)).astype("float32") / 20
    x = np.stack([walk[i : i + 1400] for i in range(4)], axis=1)
    y = walk[4:1404]
    model = verdict_of([keras.layers.Dense(1)], "mse", (x[:900], y[:900]), (x[900:], y[900:]), 8)
    assert "row" not in model.cause

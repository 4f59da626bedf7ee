"""Mistakes with tables, as people make them: what the verdict says of each, and of right ones."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

import keras_shiftguard as sg

pytestmark = pytest.mark.backend
RNG = np.random.default_rng(0)


def verdict_of(train, validation, loss="binary_crossentropy", epochs=8):
    """Fits a small network, a classifier of two classes or a regression; returns the verdict."""
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(32, activation="relu") for _ in range(2)]
    last = keras.layers.Dense(1, activation=None if loss == "mse" else "sigmoid")
    model = keras.Sequential([keras.Input(train[0].shape[1:]), *hidden, last])
    model.compile(keras.optimizers.Adam(3e-3), loss)
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    fit = {"validation_data": validation, "epochs": epochs, "callbacks": [guard], "verbose": 0}
    model.fit(*train, batch_size=64, **fit)
    return guard.verdict


def loans(number):
    """Returns columns that do not depend on each other, and who fails to pay a loan back."""
    age, height = RNG.normal(42, 12, number), RNG.normal(172, 9, number)
    income, loan = RNG.lognormal(10.4, 0.5, number), RNG.lognormal(9, 0.7, number)
    late = RNG.poisson(0.8, number)
    odds = 1.8 * np.log(loan / income) + 2.7 + 1.2 * late - 0.09 * (age - 42)
    x = np.stack([age, income, loan, height, late], axis=1)
    return x, (RNG.random(number) < 1 / (1 + np.exp(-odds))).astype("int32")


X, Y = loans(5000)
X = ((X - X[:4000].mean(axis=0)) / X[:4000].std(axis=0)).astype("float32")
TRAIN, VALIDATION = (X[:4000], Y[:4000]), (X[4000:], Y[4000:])


@pytest.mark.parametrize("pair", [pytest.param((1, 2), marks=pytest.mark.each_backend), (0, 3)])
def test_two_columns_are_exchanged_although_both_were_standardised(pair):
    x = VALIDATION[0].copy()
    x[:, pair] = x[:, pair[::-1]]
    verdict = verdict_of(TRAIN, (x, VALIDATION[1]))
    one, other = pair
    assert verdict.state == "act" and f"columns {one} and {other} exchanged" in verdict.cause
    assert verdict.step == f"x_val[..., [{one}, {other}]] = x_val[..., [{other}, {one}]]"


def test_a_column_that_was_standardised_has_the_other_sign():
    x = VALIDATION[0] * np.array([1, 1, 1, 1, -1], "float32")
    verdict = verdict_of(TRAIN, (x, VALIDATION[1]))
    assert verdict.state == "act" and "of the opposite sign in column 4" in verdict.cause
    assert verdict.step == "x_val[..., 4] = -x_val[..., 4]"


@pytest.mark.parametrize("rows", [4000, 200])
def test_labels_are_not_accused_where_they_are_as_random_as_in_training(rows):
    """Who fails to pay is random. A model that knows 200 people by heart is too sure."""
    train = X[:rows], Y[:rows]
    verdict = verdict_of(train, VALIDATION, epochs=8 if rows == 4000 else 40)
    assert verdict.state == "fine" and "label" not in verdict.cause


def test_what_favours_the_only_class_of_validation_is_no_unit():
    """Sorted by class, the last samples are all of one class: what makes it likelier wins some."""
    x, y = load_breast_cancer(return_X_y=True)
    order = np.argsort(y, kind="stable")
    x = ((x - x.mean(axis=0)) / x.std(axis=0))[order].astype("float32")
    cut = int(0.8 * len(x))
    verdict = verdict_of((x[:cut], y[order][:cut]), (x[cut:], y[order][cut:]), epochs=10)
    assert verdict.state == "look" and "another mix" in verdict.cause
    assert "stratify" in verdict.step


PRICES = np.exp(9 + X @ [0.2, 0.5, 0.1, 0.3, -0.2] + RNG.normal(0, 0.2, 5000)).astype("float32")
LOGS = np.log(PRICES)


@pytest.mark.parametrize(
    ("train", "validation", "cause", "step"),
    [
        pytest.param(
            *(LOGS, PRICES, "no logarithms", "y_val = np.log(y_val)"),
            marks=pytest.mark.each_backend,
        ),
        (LOGS - LOGS.mean(), LOGS, "on another scale", "y_val = y_val "),
        (LOGS, LOGS, "looks like training", "Nothing to do."),
        (LOGS, RNG.permutation(LOGS), "do not seem to belong together", "Check whether"),
        (LOGS, LOGS + 0.4, "labels are higher", "Compare how the numbers to predict"),
    ],
    ids=["no logarithm", "not centred", "right", "shuffled", "a year later"],
)
def test_numbers_to_predict_in_another_unit(train, validation, cause, step):
    verdict = verdict_of((X[:4000], train[:4000]), (X[4000:], validation[4000:]), "mse")
    assert cause in verdict.cause and verdict.step.startswith(step)
    if "y_val" in step or train is validation:
        assert verdict.state == ("act" if "y_val" in step else "fine")

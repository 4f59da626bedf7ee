"""Mistakes with tables, as people make them: what the verdict says of each, and of right ones."""

import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_breast_cancer
from small_fits import compiled, watched

pytestmark = pytest.mark.backend
RNG = np.random.default_rng(0)


def verdict_of(train, validation, loss="binary_crossentropy", epochs=8):
    """Fits a small network, a classifier of two classes or a regression; returns the verdict."""
    hidden = [layers.Dense(32, activation="relu") for _ in range(2)]
    last = layers.Dense(1, activation=None if loss == "mse" else "sigmoid")
    model = compiled(train[0].shape[1:], *hidden, last, loss=loss, rate=3e-3)
    return watched(model, train, validation, epochs, {"batch_size": 64}).verdict


def loans(number):
    """Returns columns that do not depend on each other, and who fails to pay a loan back."""
    age, height = RNG.normal(42, 12, number), RNG.normal(172, 9, number)
    income, loan = RNG.lognormal(10.4, 0.5, number), RNG.lognormal(9, 0.7, number)
    late = RNG.poisson(0.8, number)
    odds = 1.8 * np.log(loan / income) + 2.7 + 1.2 * late - 0.09 * (age - 42)
    x = np.stack([age, income, loan, height, late], axis=1)
    return x, (RNG.random(number) < 1 / (1 + np.exp(-odds))).astype("int32")


X, Y = loans(3000)
X = ((X - X[:2400].mean(axis=0)) / X[:2400].std(axis=0)).astype("float32")
TRAIN, VALIDATION = (X[:2400], Y[:2400]), (X[2400:], Y[2400:])


@pytest.mark.each_backend
def test_exchanged_columns_are_told_with_the_line_that_repairs_them():
    """Both columns were standardised, so no statistic differs."""
    x, y = VALIDATION
    verdict = verdict_of(TRAIN, (x[:, [0, 2, 1, 3, 4]], y))
    assert verdict.state == "act" and "columns 1 and 2 exchanged" in verdict.cause
    assert verdict.step == "x_val[..., [1, 2]] = x_val[..., [2, 1]]"


@pytest.mark.each_backend
def test_columns_exchanged_before_the_scaler_are_told():
    """An exchange of what the scaler left repairs nothing; as other units, ten were named."""
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = x[order], y[order]
    wrong = x.copy()
    wrong[:, [3, 20]] = x[:, [20, 3]]
    mean, deviation = x[:341].mean(axis=0), x[:341].std(axis=0)
    x, wrong = (((each - mean) / deviation).astype("float32") for each in (x, wrong))
    verdict = verdict_of((x[:341], y[:341]), (wrong[341:], y[341:]), epochs=10)
    assert verdict.state == "act"
    assert "columns 3 and 20 exchanged before they were scaled" in verdict.cause
    assert "before its scaler" in verdict.step


@pytest.mark.parametrize("rows", [2400, pytest.param(200, marks=pytest.mark.thorough)])
def test_labels_are_not_accused_where_they_are_as_random_as_in_training(rows):
    """Who fails to pay is random. A model that knows 200 people by heart is too sure."""
    verdict = verdict_of((X[:rows], Y[:rows]), VALIDATION, epochs=8 if rows == 2400 else 40)
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


PRICES = np.exp(9 + X @ [0.2, 0.5, 0.1, 0.3, -0.2] + RNG.normal(0, 0.2, 3000)).astype("float32")
LOGS = np.log(PRICES)


def test_a_forgotten_scaler_is_told_of_most_columns():
    """The loss is a thousandfold, of which one column alone wins back most."""
    raw = X[2400:] * [12, 20_000, 7_000, 9, 1] + np.float32([42, 37_000, 10_000, 172, 1])
    validation = (raw.astype("float32"), LOGS[2400:])
    verdict = verdict_of((X[:2400], LOGS[:2400]), validation, "mse", epochs=13)
    assert verdict.state == "act" and "in most of their columns" in verdict.cause
    assert verdict.cost > 0.99


@pytest.mark.each_backend
def test_numbers_to_predict_without_a_logarithm():
    verdict = verdict_of((X[:2400], LOGS[:2400]), (X[2400:], PRICES[2400:]), "mse", epochs=13)
    assert verdict.state == "act" and "look like exp(those" in verdict.cause
    assert verdict.step.startswith("y_val = np.log(y_val)")


def test_numbers_to_predict_that_are_right():
    verdict = verdict_of((X[:2400], LOGS[:2400]), (X[2400:], LOGS[2400:]), "mse", epochs=13)
    assert verdict.state == "fine"


def overlapping(seed, number=1500):
    """Returns rows whose three classes overlap, as most classes of tables do."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(number, 12)).astype("float32")
    score = x[:, :4].sum(axis=1) + rng.normal(size=number)
    return x, np.digitize(score, np.quantile(score, [1 / 3, 2 / 3])).astype("int32")


@pytest.mark.parametrize(
    ("share", "state"), [(0.0, "fine"), pytest.param(0.25, "act", marks=pytest.mark.thorough)]
)
def test_labels_that_a_network_learns_by_heart_are_not_wrong(share, state):
    x, y = overlapping(2)
    given = y[1050:].copy()
    wrong = np.random.default_rng(0).random(len(given)) < share
    given[wrong] = (given[wrong] + 1 + np.arange(wrong.sum()) % 2) % 3
    hidden = [layers.Dense(96, activation="relu") for _ in range(2)]
    model = compiled((12,), *hidden, layers.Dense(3, activation="softmax"), rate=1e-2)
    guard = watched(model, (x[:1050], y[:1050]), (x[1050:], given), 8, {"batch_size": 32})
    assert guard.verdict.state == state, guard.verdict
    assert share == 0 or guard.verdict.about[0] == "concept"

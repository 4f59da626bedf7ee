"""The columns of a table that is passed to `fit` keep their names in verdict, report and fix."""

import keras
import numpy as np
import pytest
from small_fits import dense, watched

import keras_shiftguard as sg

pandas = pytest.importorskip("pandas")
NAMES = ("age", "bmi", "x", "y")
RNG = np.random.default_rng(0)
X = RNG.normal(3, 1, (900, 4)).astype("float32")
Y = (X[:, 0] - 2 * X[:, 2] > -3).astype("int64")


def table(x):
    return pandas.DataFrame(x, columns=NAMES)


def classifier():
    return dense((4,), 2, 16, rate=0.02)


def names_in(guard, stream):
    return guard.profiles[stream].inputs["input"].columns


@pytest.mark.backend
@pytest.mark.each_backend
def test_a_fit_knows_the_names_of_its_columns():
    other = table(X[500:])
    other["x"] = other["x"] * 100
    guard = watched(classifier(), (table(X[:500]), Y[:500]), (other, Y[500:]), 6)
    assert "in another unit in column 'x': 100 times as large" in guard.verdict.cause
    assert names_in(guard, "train") == names_in(guard, "validation") == NAMES
    assert guard.verdict.step == 'x_val["x"] = x_val["x"] / 100'
    names = {"x_val": other.copy()}
    exec(guard.verdict.step, names)
    np.testing.assert_allclose(names["x_val"].to_numpy(), X[500:], rtol=1e-5)


@pytest.mark.backend
@pytest.mark.each_backend
def test_columns_in_another_order_are_named():
    other = table(X[500:])[["bmi", "age", "x", "y"]]
    guard = watched(classifier(), (table(X[:500]), Y[:500]), (other, Y[500:]), 6)
    assert guard.verdict.state == "act"
    assert "column 0 is 'bmi' against 'age'" in str(guard.report)


def test_a_split_an_evaluation_and_a_prediction_know_them_too():
    model = classifier()
    guard = watched(model, (table(X), Y), epochs=1, fit={"validation_split": 0.4})
    assert names_in(guard, "validation") == NAMES
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    model.evaluate(table(X), Y, callbacks=[guard], verbose=0)
    assert names_in(guard, "validation") == NAMES
    model.predict(table(X), callbacks=[guard], verbose=0)
    assert names_in(guard, "prediction") == NAMES


def test_a_dict_of_inputs_is_repaired_by_its_key():
    def inputs(x):
        return {name: x[:, i : i + 1] for i, name in enumerate(NAMES)}

    entries = {name: keras.Input((1,), name=name) for name in NAMES}
    together = keras.layers.Concatenate()(list(entries.values()))
    model = keras.Model(entries, classifier()(together))
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    validation = inputs(X[500:] * np.array([1, 1, 100, 1], "float32")), Y[500:]
    guard = watched(model, (inputs(X[:500]), Y[:500]), validation, 6)
    assert guard.verdict.step == 'x_val["x"] = x_val["x"] / 100'

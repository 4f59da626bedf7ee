"""The columns of a table that is passed to `fit` keep their names in verdict, report and fix."""

import keras
import numpy as np
import pytest

import keras_shiftguard as sg

pandas = pytest.importorskip("pandas")
NAMES = ["age", "bmi", "x", "y"]
RNG = np.random.default_rng(0)
X = RNG.normal(3, 1, (900, 4)).astype("float32")
Y = (X[:, 0] - 2 * X[:, 2] > -3).astype("int64")


def table(x):
    return pandas.DataFrame(x, columns=NAMES)


def classifier():
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential([keras.Input((4,)), layers.Dense(16, "relu"), layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss, metrics=["accuracy"])
    return model


def watched(x, y, **arguments):
    guard = sg.ShiftGuard(on_shift="ignore", verbose=0)
    classifier().fit(x, y, epochs=6, callbacks=[guard], verbose=0, **arguments)
    return guard


@pytest.mark.backend
@pytest.mark.each_backend
def test_a_fit_knows_the_names_of_its_columns():
    other = table(X[500:])
    other["x"] = other["x"] * 100
    guard = watched(table(X[:500]), Y[:500], validation_data=(other, Y[500:]))
    verdict = guard.verdict
    assert "in another unit in column 'x': multiplied by 100" in verdict.cause
    assert "column 'x'" in str(guard.report)
    assert all(p.inputs["input"].columns == tuple(NAMES) for p in guard.profiles.values())
    names = {"x_val": other.copy(), "guard": guard, "np": np}
    exec(verdict.step, names)
    assert verdict.step == 'x_val["x"] = x_val["x"] / 100'
    np.testing.assert_allclose(names["x_val"].to_numpy(), X[500:], rtol=1e-5)


@pytest.mark.backend
@pytest.mark.each_backend
def test_columns_in_another_order_are_named():
    other = table(X[500:])[["bmi", "age", "x", "y"]]
    guard = watched(table(X[:500]), Y[:500], validation_data=(other, Y[500:]))
    assert guard.verdict.state == "act"
    assert "column 0 is 'bmi' against 'age'" in str(guard.report)


def test_a_split_keeps_the_names():
    guard = watched(table(X), Y, validation_split=0.4)
    assert guard.profiles["validation"].inputs["input"].columns == tuple(NAMES)


def test_an_evaluation_and_a_prediction_know_them_too():
    model, guard = classifier(), sg.ShiftGuard(verbose=0, on_shift="ignore")
    model.evaluate(table(X), Y, callbacks=[guard], verbose=0)
    assert guard.profiles["validation"].inputs["input"].columns == tuple(NAMES)
    model.predict(table(X), callbacks=[guard], verbose=0)
    assert guard.profiles["prediction"].inputs["input"].columns == tuple(NAMES)


def test_arrays_have_no_names_and_other_tables_do_not_match():
    guard = watched(X[:500], Y[:500], validation_data=(table(X[500:]), Y[500:]))
    assert guard.profiles["train"].inputs["input"].columns == ()
    assert guard.verdict.state == "fine"


def test_a_dict_of_inputs_is_repaired_by_its_key():
    def inputs(x):
        return {name: x[:, i : i + 1] for i, name in enumerate(NAMES)}

    entries = {name: keras.Input((1,), name=name) for name in NAMES}
    layers = keras.layers
    hidden = layers.Dense(16, "relu")(layers.Concatenate()(list(entries.values())))
    model = keras.Model(entries, layers.Dense(2, "softmax")(hidden))
    model.compile(
        keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    guard = sg.ShiftGuard(on_shift="ignore", verbose=0)
    other = inputs(X[500:].copy())
    other["x"] = other["x"] * 100
    model.fit(
        inputs(X[:500]),
        Y[:500],
        validation_data=(other, Y[500:]),
        epochs=6,
        callbacks=[guard],
        verbose=0,
    )
    assert guard.verdict.step == 'x_val["x"] = x_val["x"] / 100'

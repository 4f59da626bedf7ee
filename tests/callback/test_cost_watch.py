"""The cost of shifts in real fits: when the guard warns, and the text of the warning."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import keras_shiftguard as sg
from keras_shiftguard.errors import ShiftWarning


@pytest.fixture(scope="module")
def digits():
    """Training and validation, 16 x 16, with labels."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x = (x[order] / 16).reshape(-1, 8, 8, 1).repeat(2, axis=1).repeat(2, axis=2).astype("float32")
    return (x[:1100], y[order][:1100]), (x[1100:], y[order][1100:])


def fit(guard, train, val, epochs=4):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((16, 16, 1)), layers.Flatten(), layers.Dense(32, "relu"), layers.Dense(10)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    history = model.fit(
        *train, validation_data=val, epochs=epochs, batch_size=32, callbacks=[guard], verbose=0
    )
    return model, history.history


def noisier(x, level):
    rng = np.random.default_rng(1)
    return np.clip(x + rng.normal(0, level, x.shape), 0, 1).astype("float32")


@pytest.mark.backend
def test_a_costly_shift_is_told_with_its_cost(digits):
    train, (x, y) = digits
    guard = sg.ShiftGuard(verbose=0)
    with pytest.warns(ShiftWarning, match=r"Validation images .* costs about \d+ points"):
        fit(guard, train, (noisier(x, 0.5), y))
    worst = guard.report.findings[0]
    assert worst.matters and worst.cost > 0.05 and worst.cost_interval[0] > 0
    assert guard.report.to_dict()["findings"][0]["cost"] == worst.cost


def test_a_harmless_shift_is_a_row_and_no_warning(digits):
    train, (x, y) = digits
    guard = sg.ShiftGuard(verbose=0)  # a warning would be an error here
    _, history = fit(guard, train, (noisier(x, 0.03), y))
    assert guard.report.findings and not guard.report.shifted
    assert set(history["val_shift"]) == {0.0} and "no shift that matters" in str(guard.report)
    assert all(finding.cost is not None for finding in guard.report.findings)
    # Without a tolerance, every difference is an alarm.
    strict = sg.ShiftGuard(verbose=0, tolerance=None, on_shift="ignore")
    fit(strict, train, (noisier(x, 0.03), y), 1)
    assert strict.report.shifted and strict.report.findings[0].cost is None


@pytest.mark.thorough
def test_a_missing_rescale_has_a_cost_and_is_an_alarm_whatever_it_is(digits):
    train, (x, y) = digits
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore", on_mismatch="ignore")
    model, _ = fit(guard, train, (255 * x, y))
    (finding,) = (f for f in guard.report.findings if f.kind == "preprocessing")
    right = (model.predict(x, verbose=0).argmax(1) == y).mean()
    wrong = (model.predict(255 * x, verbose=0).argmax(1) == y).mean()
    assert finding.cost == pytest.approx(right - wrong, abs=0.03)
    assert finding.matters and not finding.harmless


@pytest.mark.thorough
def test_mirrored_images_are_called_so(digits):
    train, (x, y) = digits
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    fit(guard, train, (x[:, :, ::-1], y))
    told = [f for f in guard.report.findings if "mirrored left to right" in f.explanation]
    assert told and told[0].matters and told[0].cost > 0.2 and told[0].family == "geometry"
    assert "concept" not in guard.report.kinds


@pytest.mark.thorough
@pytest.mark.to_the_bit
@pytest.mark.backend
def test_measuring_leaves_the_weights_alone(digits):
    train, (x, y) = digits
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    shifted = noisier(x, 0.5), y
    model, _ = fit(guard, train, shifted, 2)
    assert guard.report.findings[0].cost is not None
    plain, _ = fit(keras.callbacks.Callback(), train, shifted, 2)
    for one, other in zip(model.get_weights(), plain.get_weights(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.thorough
def test_mixed_labels_are_recognised_at_once(digits):
    (x, y), val = digits
    rng = np.random.default_rng(0)
    order, share = rng.permutation(len(x)), rng.beta(0.4, 0.4, len(x))[:, None]
    one_hot = keras.utils.to_categorical(y, 10)
    mixed = share * one_hot + (1 - share) * one_hot[order]
    blend = share[:, :, None, None] * x + (1 - share[:, :, None, None]) * x[order]
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy")
    guard = sg.ShiftGuard(verbose=0)  # a warning would be an error here
    validation = val[0], keras.utils.to_categorical(val[1], 10)
    model.fit(
        blend.astype("float32"), mixed, validation_data=validation, epochs=2,
        callbacks=[guard], verbose=0,
    )  # fmt: skip
    assert guard.profiles["train"].labels.are_mixed and "mixtures of classes" in str(guard.report)
    assert not guard.profiles["validation"].labels.are_mixed and not guard.report.shifted
    smoothed = sg.profile((x, 0.9 * one_hot + 0.01))
    assert smoothed.labels.are_classes and not smoothed.labels.are_mixed

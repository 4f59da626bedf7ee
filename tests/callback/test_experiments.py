"""The cost of shifts in real fits: when the guard warns, and the text of the warning."""

import keras
import numpy as np
import pytest
from keras import layers
from small_fits import compiled, dense, digits, regression, watched

import keras_shiftguard as sg
from keras_shiftguard.errors import ShiftWarning

IMAGE, TABLE = (8, 8, 1), (64,)


@pytest.fixture(scope="module")
def data():
    """Training and validation images of digits, with labels."""
    x, y = digits()
    return (x[:1000], y[:1000]), (x[1000:1400], y[1000:1400])


@pytest.fixture(scope="module")
def rows(data):
    """The same images as a table of 64 columns; in validation, the columns are reversed."""
    (x, y), (other, z) = data
    return (x.reshape(-1, 64), y), (other.reshape(-1, 64)[:, ::-1].copy(), z)


def noisier(x, level):
    rng = np.random.default_rng(1)
    return np.clip(x + rng.normal(0, level, x.shape), 0, 1).astype("float32")


class Changing(keras.utils.PyDataset):
    """Validation that becomes noisy within a fit; the samples kept before are forgotten."""

    def __init__(self, x, y):
        super().__init__()
        self.clean, self.noisy, self.y, self.epoch = x, noisier(x, 0.5), y, 0

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return (self.noisy if self.epoch >= 4 else self.clean), self.y

    def on_epoch_end(self):
        self.epoch += 1


def test_a_shift_that_begins_within_the_fit_has_its_cost(data):
    train, validation = data
    worst = watched(dense(IMAGE), train, Changing(*validation), 7).report.findings[0]
    assert worst.matters and worst.since > 1 and worst.cost > 0.05


@pytest.mark.backend
def test_a_costly_shift_is_told_with_its_cost(data):
    train, (x, y) = data
    with pytest.warns(ShiftWarning, match=r"Validation images .* costs about [\d.]+ points"):
        guard = watched(dense(IMAGE), train, (noisier(x, 0.5), y), 3, on_shift="warn")
    worst = guard.report.findings[0]
    assert worst.matters and worst.cost > 0.05 and worst.cost_interval[0] > 0
    assert guard.report.to_dict()["findings"][0]["cost"] == worst.cost


def test_a_harmless_shift_is_a_row_and_no_warning(data):
    train, (x, y) = data
    validation, model = (noisier(x, 0.03), y), dense(IMAGE)
    report = watched(model, train, validation, 3, on_shift="warn").report  # which would be an error
    assert report.findings and not report.shifted
    assert set(model.history.history["val_shift"]) == {0.0}
    assert "no shift that matters" in str(report)
    assert not any(finding.matters for finding in report.findings)
    # Without a tolerance, every difference is an alarm.
    strict = watched(dense(IMAGE), train, validation, 1, tolerance=None).report
    assert strict.shifted and strict.findings[0].cost is None


@pytest.mark.backend
def test_a_model_that_has_learnt_too_little_names_no_mirroring():
    """In some such fits, mirroring inverted digits happens to bring a few right predictions."""
    x, y = digits()
    model = compiled((8, 8, 1), layers.Flatten(), layers.Dense(10, "softmax"), rate=1e-3)
    guard = watched(model, (x[:1000], y[:1000]), (1 - x[1000:], y[1000:]), 2)
    told = [finding.explanation for finding in guard.report.findings]
    assert model.history.history["val_shift"][-1] > 2
    assert any("are inverted" in text for text in told)
    assert not any("mirrored" in text for text in told)


@pytest.mark.thorough
@pytest.mark.to_the_bit
@pytest.mark.backend
def test_measuring_leaves_the_weights_alone(data):
    train, (x, y) = data
    shifted = noisier(x, 0.5), y
    keras.utils.set_random_seed(0)
    model = dense(IMAGE)
    assert watched(model, train, shifted, 2).report.findings[0].cost is not None
    keras.utils.set_random_seed(0)
    plain = dense(IMAGE)
    plain.fit(*train, validation_data=shifted, epochs=2, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), plain.get_weights()))


def test_early_stopping_decides_a_cost_that_waits_for_the_next_epoch(rows):
    """The fit stops after the guard's comparison, so no later epoch can agree."""
    guard, model, waited = sg.ShiftGuard(verbose=0, on_shift="ignore"), dense(TABLE), []

    def stop_early(epoch, logs):
        waited.append(guard.report.shifted)
        model.stop_training = True

    stop = keras.callbacks.LambdaCallback(on_epoch_end=stop_early)
    model.fit(*rows[0], validation_data=rows[1], epochs=5, callbacks=[guard, stop], verbose=0)
    assert waited == [False] and guard.report.shifted
    worst = guard.report.findings[0]
    assert worst.cost > 0.2 and worst.operation == ("reverse", 1)


def test_too_few_samples_of_validation_are_a_question(data):
    train, (x, y) = data
    few = noisier(x[:60], 0.1), y[:60]
    report = watched(dense(IMAGE), train, few, on_shift="raise").report
    assert report.findings and not report.shifted
    assert "(cost unclear: at most" in str(report)


def test_another_scale_is_an_alarm_with_any_number_of_samples(data):
    train, (x, y) = data
    options = {"on_shift": "raise", "on_mismatch": "ignore"}
    with pytest.raises(sg.ShiftDetectedError, match="preprocessing"):
        watched(dense(IMAGE), train, (255 * x[:60], y[:60]), 4, **options)


@pytest.mark.backend
def test_few_samples_of_training_are_enough_because_only_validation_is_changed(data):
    (x, y), (other, z) = ((x[..., 0], y) for x, y in data)
    backwards = other[:, ::-1].copy()
    model = compiled((8, 8), layers.Flatten(), layers.Dense(10, "softmax"))
    worst = watched(model, (x[:90], y[:90]), (backwards, z), 8).report.findings[0]
    assert worst.matters and worst.operation == ("backwards", 1.0) and worst.cost > 0.2
    repaired, plain = (model.predict(x, verbose=0) for x in (worst.repair(backwards), other))
    np.testing.assert_allclose(repaired, plain, atol=1e-5)


def test_whole_targets_of_a_regression_are_no_classes():
    rng = np.random.default_rng(0)
    x, ages = rng.normal(size=(300, 3)), rng.integers(20, 80, 300)
    months = x[200:], 12 * ages[200:]
    report = watched(regression((3,)), (x[:200], ages[:200]), months, 1).report
    (found,) = (f for f in report.findings if f.kind == "label")
    assert found.feature == "labels/0" and "class" not in found.explanation

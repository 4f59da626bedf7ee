"""Shift inside `fit`: it is found, named and dated, and there is no alarm without shift."""

import keras
import numpy as np
import pytest
from keras import layers
from left_behind import left_behind
from small_fits import compiled

import keras_shiftguard as sg
from keras_shiftguard.errors import ShiftDetectedError, ShiftWarning

pytestmark = pytest.mark.eager

# Marks the tests that depend on the training step of the backend. The others test only what the
# guard concludes from the statistics.
backend = pytest.mark.backend


def images(seed, n, classes=4):
    """Returns noisy images with a bright square, whose position is the class, and the classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    x = 60 + 25 * rng.normal(size=(n, 1, 1, 1)) + 12 * rng.normal(size=(n, 16, 16, 3))
    for i, label in enumerate(y):
        row, column = divmod(label, 2)
        x[i, 8 * row + 1 : 8 * row + 6, 8 * column + 1 : 8 * column + 6] += 80 + 20 * rng.normal()
    return x.clip(0, 255).astype("float32") / 255, y


@pytest.fixture(scope="module")
def train():
    return images(0, 240)


@pytest.fixture(scope="module")
def val():
    return images(1, 200)


def network():
    convolution = layers.Conv2D(4, 3, strides=2, activation="relu")
    features = layers.Dense(8, activation="relu", name="features")
    head = layers.Dense(4, activation="softmax")
    return compiled((16, 16, 3), convolution, layers.Flatten(), features, head, rate=1e-3)


def fit(guard, train, val=None, epochs=2, callbacks=(), **more):
    return network().fit(
        *train, validation_data=val, epochs=epochs, callbacks=[guard, *callbacks], verbose=0, **more
    )


def quiet(**more):
    return sg.ShiftGuard(verbose=0, on_shift="ignore", tolerance=None, **more)


@backend
def test_darker_validation_is_named_and_dated(train, val):
    x, y = val
    guard = sg.ShiftGuard(verbose=0, tolerance=None)
    with pytest.warns(ShiftWarning, match="Validation images are darker"):
        history = fit(guard, train, (x * 0.6, y)).history
    report = guard.report
    assert report.shifted and "label" not in report.kinds
    worst = report.findings[0]
    assert (worst.stream, worst.against, worst.since) == ("validation", "train", 1)
    assert worst.family in ("brightness", "contrast")
    assert history["val_shift"][0] == max(abs(f.effect_size) for f in report.findings)
    assert history["shift"] == [0.0, 0.0]


@pytest.mark.thorough
def test_a_known_shift_does_not_stop_training(train, val):
    guard = sg.ShiftGuard(verbose=0, on_shift="raise").acknowledge("brightness", reason="dusk")
    guard.acknowledge("contrast", "validation").acknowledge("other")
    history = fit(guard, train, (val[0] * 0.6, val[1])).history
    assert history["val_shift"] == [0.0, 0.0] and not guard.report.shifted
    assert "dusk" in str(guard.report)


@pytest.mark.thorough
def test_early_stopping_can_monitor_it(train, val):
    stop = keras.callbacks.EarlyStopping("val_shift", mode="min", patience=0)
    history = fit(quiet(), train, (val[0] * 0.5, val[1]), 5, [stop]).history
    assert len(history["loss"]) == 2  # `val_shift` does not get lower


@pytest.mark.thorough
@backend
def test_raise_stops_at_the_end_of_the_epoch_and_leaves_a_clean_model(train, val):
    model = network()
    guard = sg.ShiftGuard(on_shift="raise", verbose=0, tolerance=None)
    with pytest.raises(ShiftDetectedError, match="shift found") as stop:
        model.fit(*train, validation_data=(val[0] * 0.5, val[1]), callbacks=[guard], verbose=0)
    assert stop.value.report.shifted
    assert not left_behind(model)
    model.fit(*train, verbose=0)


@pytest.mark.thorough
@backend
def test_reference_and_evaluate(train, val, tmp_path):
    path = tmp_path / "train.profile"
    sg.profile(train).save(path)
    guard = quiet(reference=path)
    x, y = val
    network().evaluate(x * 0.5, y, callbacks=[guard], verbose=0)
    finding = guard.report.findings[0]
    assert (finding.stream, finding.against, finding.since) == ("validation", "reference", None)
    network().evaluate(x, y, callbacks=[guard], verbose=0)
    assert guard.report.findings == ()
    assert guard.profiles["reference"].num_samples == 240


@pytest.mark.thorough
@backend
def test_target_inputs_outputs_and_activations(train, val):
    x, _ = images(2, 200)
    guard = quiet(target_data=x[:, ::-1], feature_layer="features")
    fit(guard, train, val, 3)
    target = guard.profiles["target"]
    assert target.num_samples == 200 and target.outputs.layer == "features"
    assert {f.stream for f in guard.report.findings} <= {"target"}
    same = quiet(target_data=x, feature_layer="features")
    fit(same, train, val, 2)
    assert same.report.findings == ()


def test_a_misspelt_feature_layer_is_an_error_before_training(train):
    with pytest.raises(sg.BadInputError, match="features"):
        fit(quiet(target_data=train[0], feature_layer="feature"), train)


class Changing(keras.utils.PyDataset):
    """Training batches that are changed by a function of the epoch."""

    def __init__(self, data, change):
        super().__init__()
        self.data, self.change, self.epoch = data, change, 0

    def __len__(self):
        return len(self.data[0]) // 40

    def __getitem__(self, i):
        x, y = (part[40 * i : 40 * i + 40] for part in self.data)
        return self.change(x, self.epoch), y

    def clock(self):
        """Returns a callback that sets the epoch."""

        def set_epoch(epoch, logs):
            self.epoch = epoch

        return keras.callbacks.LambdaCallback(on_epoch_begin=set_epoch)


@pytest.mark.thorough
def test_a_fault_that_starts_in_epoch_two(train, val):
    guard = quiet()
    data = Changing(train, lambda x, epoch: x * (0.5 if epoch else 1.0))
    callbacks = [guard, data.clock()]
    network().fit(data, validation_data=val, epochs=3, callbacks=callbacks, verbose=0)
    found = {f.against: f.since for f in guard.report.findings if f.stream == "train"}
    assert found == {"the first epoch": 2}
    assert all(f.since == 2 for f in guard.report.findings)


@pytest.mark.thorough
def test_augmented_training_is_expected_and_named(train, val):
    rng = np.random.default_rng(3)

    def augmented(x, epoch):
        gain = rng.uniform(0.5, 1.5, (len(x), 1, 1, 1))
        return (x * gain + rng.uniform(-0.15, 0.15, (len(x), 1, 1, 1))).astype("float32")

    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    network().fit(
        Changing(train, augmented), validation_data=val, epochs=3, callbacks=[guard], verbose=0
    )
    assert guard.report.findings
    assert not guard.report.shifted
    assert "training is augmented" in str(guard.report)


def test_a_target_that_does_not_fit_is_an_error_before_training(train):
    model = network()
    before = model.get_weights()
    with pytest.raises(sg.BadInputError, match="does not take this data"):
        model.fit(*train, callbacks=[quiet(target_data=np.zeros((50, 5)))], verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    assert not left_behind(model)


def test_batches_that_a_generator_gives_twice_count_once(train):
    """In the second validation, Keras gets some batches of the generator twice."""
    x, y = images(7, 80)

    def batches():
        while True:
            for start in range(0, 80, 20):
                yield x[start : start + 20], y[start : start + 20]

    counted = []

    class Count(keras.callbacks.Callback):
        def on_test_end(self, logs=None):
            profile = guard.profiles["validation"]
            counted.append((profile.num_samples, profile.distinct_samples))

    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    options = {"validation_data": batches(), "validation_steps": 4, "epochs": 2, "verbose": 0}
    model.fit(*train, callbacks=[guard, Count()], **options)
    assert counted[0] == (80, 0) and counted[1][0] == 80 and 0 < counted[1][1] < 80
    assert "came twice in one pass" in str(guard.report)


def test_stop_ends_training_after_the_epoch_and_keeps_the_weights(train, val):
    guard = sg.ShiftGuard(verbose=0, on_shift="stop", tolerance=None)
    with pytest.warns(ShiftWarning, match="Training stops after this epoch"):
        history = fit(guard, train, (val[0] * 0.5, val[1]), 5).history
    assert len(history["loss"]) == 1
    healthy = sg.ShiftGuard(verbose=0, on_shift="stop")
    assert len(fit(healthy, train, val, 3).history["loss"]) == 3

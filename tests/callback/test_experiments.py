"""The cost of shifts in real fits: when the guard warns, and the text of the warning."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import keras_shiftguard as sg
from keras_shiftguard.callback import spending
from keras_shiftguard.callback.checking import FAILED, Checking
from keras_shiftguard.callback.checks.check import Epoch
from keras_shiftguard.callback.judged_samples import represents
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.errors import ShiftWarning
from keras_shiftguard.experiments.labelled import labelled
from keras_shiftguard.instrument.step_correction import StepCorrection
from keras_shiftguard.profiles.storage import read, write
from keras_shiftguard.statistics.batch import spec_for
from keras_shiftguard.statistics.stream import Stream


@pytest.fixture(scope="module")
def digits():
    """Training and validation images of digits, 16 x 16, with labels."""
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


def test_a_shift_that_begins_within_the_fit_has_its_cost(digits):
    train, (x, y) = digits
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    fit(guard, train, Changing(x, y), 7)
    worst = guard.report.findings[0]
    assert worst.matters and worst.since > 1 and worst.cost > 0.05
    assert FAILED not in guard._run.checks.states.values()


@pytest.mark.backend
def test_a_costly_shift_is_told_with_its_cost(digits):
    train, (x, y) = digits
    guard = sg.ShiftGuard(verbose=0)
    with pytest.warns(ShiftWarning, match=r"Validation images .* costs about [\d.]+ points"):
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


@pytest.mark.backend
def test_a_model_that_has_learnt_too_little_names_no_mirroring():
    """In some of these fits, mirroring inverted digits happens to bring a few right predictions."""
    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8, 1) / 16
    for seed in (7, 3):
        keras.utils.set_random_seed(seed)
        layers = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
        model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
        model.compile("adam", "sparse_categorical_crossentropy")
        guard = sg.ShiftGuard(on_shift="ignore", verbose=0)
        inverted = 1 - x[1000:], y[1000:]
        options = {"validation_data": inverted, "epochs": 2, "callbacks": [guard], "verbose": 0}
        history = model.fit(x[:1000], y[:1000], **options).history
        assert history["val_shift"][-1] > 2
        told = [finding.explanation for finding in guard.report.findings]
        assert any("are inverted" in text for text in told)
        assert not any("mirrored" in text for text in told)


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
    assert guard.profiles["train"].labels.are_mixed
    assert not guard.profiles["validation"].labels.are_mixed and not guard.report.shifted
    smoothed = sg.profile((x, 0.9 * one_hot + 0.01))
    assert smoothed.labels.are_classes and not smoothed.labels.are_mixed


def fit_table(guard, train, val, epochs=3, callbacks=()):
    """Fits a small network to the pixels of the digits, as a table of 256 columns."""
    keras.utils.set_random_seed(0)
    rows = [(x.reshape(len(x), -1), y) for x, y in (train, val)]
    layers = [keras.Input((256,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(10)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    options = {"epochs": epochs, "callbacks": [guard, *callbacks], "verbose": 0}
    return model.fit(*rows[0], validation_data=rows[1], **options)


def test_a_shift_of_a_table_is_told_with_its_cost(digits):
    train, (x, y) = digits
    guard = sg.ShiftGuard(verbose=0)
    with pytest.warns(ShiftWarning, match=r"Validation samples .* costs about [\d.]+ points"):
        fit_table(guard, train, (x[:, ::-1, ::-1], y), 1)
    worst = guard.report.findings[0]
    assert worst.cost > 0.2 and worst.operation == ("reverse", 1)


TOO_FEW = "(cost unclear: too few samples; about 280 labelled samples would tell)"


def test_too_few_samples_of_validation_are_a_question(digits):
    train, (x, y) = digits
    guard = sg.ShiftGuard(verbose=0, on_shift="raise")
    fit_table(guard, train, (noisier(x[:60], 0.1), y[:60]))
    assert guard.report.findings and not guard.report.shifted and TOO_FEW in str(guard.report)


@pytest.mark.backend
def test_few_samples_of_training_are_enough_because_only_validation_is_changed(digits):
    ((x, y), (other, z)), series = digits, (-1, 16, 16)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((16, 16)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    validation = other[:, ::-1].reshape(series), z  # time is reversed
    options = {"validation_data": validation, "epochs": 8, "callbacks": [guard], "verbose": 0}
    model.fit(x[:90].reshape(series), y[:90], **options)
    worst = guard.report.findings[0]
    assert worst.matters and worst.operation == ("backwards", 1.0) and worst.cost > 0.2
    repaired = model.predict(worst.repair(validation[0]), verbose=0)
    plain = model.predict(other.reshape(series), verbose=0)
    np.testing.assert_allclose(repaired, plain, atol=1e-5)


def test_too_few_samples_of_another_class_mix_are_a_question(digits):
    train, (x, y) = digits
    low = np.flatnonzero(y < 5)[:60]
    kept = np.concatenate([low, np.flatnonzero(y >= 5)[:15]])
    guard = sg.ShiftGuard(verbose=0, on_shift="raise")
    fit_table(guard, train, (x[kept], y[kept]))
    (mix,) = (f for f in guard.report.findings if f.feature == "labels")
    assert mix.kind == "label" and "too few samples" in mix.cost_words


def test_another_scale_is_an_alarm_with_any_number_of_samples(digits):
    train, (x, y) = digits
    guard = sg.ShiftGuard(verbose=0, on_shift="raise", on_mismatch="ignore")
    with pytest.raises(sg.ShiftDetectedError, match="preprocessing"):
        fit(guard, train, (255 * x[:60], y[:60]))


def test_a_regression_with_few_samples_is_asked_about():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(460, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    validation = x[400:] + np.float32(3), x[400:, 0]
    model.fit(x[:400], x[:400, 0], validation_data=validation, callbacks=[guard], verbose=0)
    assert guard.report.findings and not guard.report.shifted
    assert all("too few samples" in f.cost_words for f in guard.report.findings)


@pytest.mark.thorough
def test_another_class_mix_of_a_table_that_costs_nothing_is_no_alarm(digits):
    """Training is balanced on purpose; in validation, five of the ten classes are rare."""
    train, (x, y) = digits
    kept = (y > 4) | (np.arange(len(y)) % 5 == 0)
    guard = sg.ShiftGuard(verbose=0)  # a warning would be an error here
    fit_table(guard, train, (x[kept], y[kept]))
    (mix,) = (f for f in guard.report.findings if f.feature == "labels")
    assert mix.kind == "label" and mix.cost < 0.02 and not guard.report.shifted


def test_whole_targets_of_a_regression_are_no_classes():
    rng = np.random.default_rng(0)
    x, ages = rng.normal(size=(300, 3)), rng.integers(20, 80, 300)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    validation = x[200:], 12 * ages[200:]  # in months
    model.fit(x[:200], ages[:200], validation_data=validation, callbacks=[guard], verbose=0)
    (found,) = (f for f in guard.report.findings if f.kind == "label")
    assert found.feature == "labels/0" and "class" not in found.explanation


def test_early_stopping_decides_a_cost_that_waits_for_the_next_epoch(digits):
    """The fit stops after the guard's comparison, so no later epoch can agree."""
    train, (x, y) = digits
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    waited = []

    def stop_early(epoch, logs):
        waited.append(guard.report.shifted)
        stop.model.stop_training = True

    stop = keras.callbacks.LambdaCallback(on_epoch_end=stop_early)
    fit_table(guard, train, (x[:, ::-1, ::-1], y), 5, [stop])
    assert waited == [False] and guard.report.shifted


def classifier_by_level():
    """Returns a model that calls an image bright if its mean is above one half."""
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")]
    )
    model.layers[-1].set_weights([np.array([[-50.0, 50.0]]), np.array([25.0, -25.0])])
    return model


def streams_of(train, validation, corrections=()):
    """Returns two streams that keep labelled images, each with its own correction or none."""
    spec = spec_for("input", (None, 8, 8, 1), "channels_last")
    found = {}
    for name, (x, y) in (("train", train), ("validation", validation)):
        stream = found[name] = Stream(name, StepCorrection)
        stream.build([spec])
        tensors = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(y)
        stream.update({"input": tensors[0]}, *tensors)
        if name in dict(corrections):
            stream.corrections["input"].switch_on(None, *dict(corrections)[name])
    return found


def levels(seed):
    """Returns images of two brightness levels, and their classes: 1 if bright."""
    rng = np.random.default_rng(seed)
    y = np.arange(300) % 2
    x = 0.3 + 0.4 * y[:, None, None, None] + 0.05 * rng.normal(size=(300, 8, 8, 1))
    return x.astype("float32"), y


CONCEPT = Finding(
    "labels/concept", "concept", "concept", 0.5, (0.3, 0.7), 1e-4, "validation", "reference", 1,
    "Class 1 looks different",
)  # fmt: skip


def priced(train, validation, reference=None, corrections=()):
    """Returns the checks, and the comparisons of the streams, after one epoch."""
    shift = ShiftWatch(0.05, "ignore", reference=reference)
    shift.compare({"train": sg.profile(train), "validation": sg.profile(validation)}, 1)
    for pair in shift.pairs:
        if pair.against == "reference" and pair.stream == "validation":
            pair.findings = {CONCEPT.feature: CONCEPT}
    checks = Checking(classifier_by_level(), shift, lambda: None)
    checks.experiment(Epoch(1, streams_of(train, validation, corrections), {}, {}))
    return checks, shift


def test_each_stream_is_priced_with_its_own_correction():
    (x, y), (other, z) = levels(0), levels(1)
    training = (x - 0.1) / 0.3, y  # the correction of the training stream undoes this
    _, shift = priced(training, (other, z), corrections={"train": ([0.3], [0.1])})
    assert any(f.kind == "covariate" for f in shift.report.findings)
    assert all(not finding.cost for finding in shift.report.findings)


def test_a_reference_with_another_name_of_the_input():
    (x, y), (other, z) = levels(0), levels(1)
    checks, _ = priced((x, y), (other, z), sg.profile(({"picture": x}, y)))
    assert FAILED not in checks.states.values()
    assert "reference" in checks.states["schedule"]["measured"]


def test_wrong_labels_lose_the_cost_of_another_mix():
    """An earlier comparison, with fewer samples, took the wrong labels for label shift."""
    train, validation = levels(0), levels(1)
    shift = ShiftWatch(0.05, "ignore")
    shift.compare({"train": sg.profile(train), "validation": sg.profile(validation)}, 1)
    priced = {"cost": 0.0, "cost_interval": (-0.1, 0.1), "harmless": True}
    wrong = replace(CONCEPT, feature="labels", family="relabelled", against="train", **priced)
    for pair in shift.pairs:
        if (pair.stream, pair.against) == ("validation", "train"):
            pair.findings = {wrong.feature: wrong}
    checks = Checking(classifier_by_level(), shift, lambda: None)
    checks.experiment(Epoch(1, streams_of(train, validation), {}, {}))
    (found,) = (f for f in shift.report.findings if f.feature == "labels")
    assert found.cost is None and found.is_question


def test_frames_of_a_video_are_not_given_to_the_model():
    spec = spec_for("input", (None, 3, 8, 8, 1), "channels_last")
    stream = Stream("validation")
    stream.build([spec])
    x = keras.ops.zeros((40, 3, 8, 8, 1))
    stream.update({"input": x}, x, keras.ops.zeros((40,), "int32"))
    assert stream.samples()[0]["input"].shape == (40, 8, 8, 1)
    assert labelled(stream) is None


@pytest.mark.backend
def test_a_cost_must_be_found_in_two_epochs_also_across_a_crash(tmp_path, monkeypatch):
    monkeypatch.setattr(spending, "MAX_SHARE", float("inf"))  # there is time after each epoch
    (x, y), (other, z) = levels(0), levels(1)
    streams = streams_of((x, y), (other + 0.3, z))
    checks, shift = priced((x, y), (other + 0.3, z))
    assert not shift.report.shifted and "measured once" in str(shift.report)
    again = Checking(classifier_by_level(), shift, lambda: None)
    write(tmp_path / "state.npz", checks.states)
    again.restore(read(tmp_path / "state.npz"))
    again.experiment(Epoch(2, streams, {}, {}))
    assert shift.report.shifted and shift.report.findings[0].cost > 0.3
    gone = streams_of((x, y), (other, z))  # the difference is gone
    again.experiment(Epoch(5, gone, {}, {}))
    assert not shift.report.shifted


def test_the_first_classes_of_a_sorted_validation_are_not_priced():
    """A comparison in the middle of a validation has only the first images."""
    labels = sg.profile((levels(0)[0], np.arange(300) % 4)).labels
    assert represents(np.arange(200) % 4, labels)
    assert not represents(np.arange(200) // 80, labels)


@pytest.mark.thorough
def test_frames_of_clips_make_a_cost_less_sure():
    (x, y), (other, z) = levels(0), levels(1)
    found = []
    for number in (0, 30):
        shift = ShiftWatch(0.05, "ignore")
        validation = replace(sg.profile((other + 0.3, z)), distinct_samples=number)
        shift.compare({"train": sg.profile((x, y)), "validation": validation}, 1)
        checks = Checking(classifier_by_level(), shift, lambda: None)
        streams = streams_of((x, y), (other + 0.3, z))
        checks.experiment(Epoch(1, streams, {}, {}, is_last=True))
        found += [f for f in shift.report.findings if f.cost is not None][:1]
    one, of_clips = found
    assert one.cost == of_clips.cost > 0.05
    widths = [f.cost_interval[1] - f.cost_interval[0] for f in found]
    assert widths[1] == pytest.approx(widths[0] * 10**0.5)

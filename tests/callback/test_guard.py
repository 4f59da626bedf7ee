"""`ShiftGuard` in real fits: diagnosis, correction, warnings and errors."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers
from left_behind import left_behind

import keras_shiftguard as sg

pytestmark = [pytest.mark.backend, pytest.mark.eager]


def transferred(trainable=False):
    """Returns a small classifier on a frozen backbone, as in transfer learning."""
    keras.utils.set_random_seed(0)
    backbone = keras.Sequential(
        [
            layers.Conv2D(8, 3, strides=2),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(16, 3, strides=2),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
        ]
    )
    backbone.trainable = trainable
    # Large weights, so that predictions depend on the scale of the input.
    head = layers.Dense(2, kernel_initializer=keras.initializers.RandomNormal(stddev=10, seed=1))
    model = keras.Sequential([keras.Input((32, 32, 3)), backbone, head])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def model():
    return transferred()


@pytest.fixture
def raw(raw_images):
    return raw_images.astype("float32")


@pytest.fixture
def labels():
    return np.arange(16) % 2


def watching(**kwargs):
    """Returns a guard with `expects=`, because untrained weights are no evidence of a mismatch."""
    return sg.ShiftGuard(expects="tf", **kwargs)


def fit(model, guard, x, y, **kwargs):
    kwargs.setdefault("batch_size", 8)
    return model.fit(x, y, callbacks=[guard], verbose=0, **kwargs)


def test_right_input_is_ok_and_silent(model, raw, labels, capsys):
    guard = watching()
    assert guard.diagnosis is None
    fit(model, guard, raw / 127.5 - 1, labels)
    assert guard.diagnosis.status == "ok"
    assert guard.diagnosis.expected == sg.InputConvention("tf", "rgb")
    assert "prepared as the model expects" in capsys.readouterr().out


@pytest.mark.each_backend
def test_a_mismatch_is_told_once(model, raw, labels):
    guard = watching()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, guard, raw / 255, labels, validation_data=(raw / 255, labels), epochs=2)
    warned = [str(w.message) for w in caught if w.category is sg.ShiftWarning]
    assert len(warned) == 1
    assert warned[0].startswith("[train] Preprocessing mismatch: the model is fed unit")
    assert guard.diagnosis.status == "mismatch"
    assert guard.diagnosis.observed.mode == "unit"


@pytest.mark.each_backend
def test_raise_ends_the_fit_on_the_first_batch_and_leaves_no_trace(model, raw, labels):
    batches = []
    count = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda b, logs: batches.append(b))
    with pytest.raises(sg.PreprocessingMismatchError, match="fed unit") as caught:
        model.fit(
            raw / 255,
            labels,
            batch_size=8,
            callbacks=[count, watching(on_mismatch="raise")],
            verbose=0,
        )
    assert batches == [0]
    assert caught.value.diagnosis.expected.mode == "tf"
    assert not left_behind(model)
    model.evaluate(raw, labels, verbose=0)


@pytest.mark.each_backend
@pytest.mark.filterwarnings("ignore::keras_shiftguard.ShiftWarning")
def test_fix_corrects_training_and_validation(raw, labels, capsys):
    model, guard = transferred(), watching(on_mismatch="fix")
    val = raw[::-1]
    history = fit(model, guard, raw / 255, labels, validation_data=(val / 255, labels)).history
    # In the fit, the input of validation was corrected from the first batch on.
    right = model.evaluate(val / 127.5 - 1, labels, batch_size=8, verbose=0)
    wrong = model.evaluate(val / 255, labels, batch_size=8, verbose=0)
    assert history["val_loss"][-1] == pytest.approx(right[0], rel=1e-4)
    assert wrong[0] != pytest.approx(right[0], rel=1e-2)
    out = capsys.readouterr().out
    assert "`model.predict` is not corrected" in out
    kept = guard.diagnosis.apply(model)
    np.testing.assert_allclose(
        kept.predict(val / 255, verbose=0),
        model.predict(val / 127.5 - 1, verbose=0),
        rtol=1e-3,
        atol=1e-4,
    )


class Pooled(keras.Model):
    """A model whose input shape is unknown until its first batch."""

    def __init__(self):
        super().__init__()
        self.inner = transferred()

    def call(self, x):
        return self.inner(x)


class Fail(keras.callbacks.Callback):
    """Makes the guard fail after the second training batch, before it compares streams."""

    def __init__(self, guard):
        super().__init__()
        self.guard = guard

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1:
            self.guard._supervisor.call(lambda run: 1 / 0)


@pytest.mark.each_backend
@pytest.mark.parametrize("fails", [pytest.param(False, marks=pytest.mark.slow_on_tensorflow), True])
@pytest.mark.filterwarnings("ignore::keras_shiftguard.ShiftWarning")
def test_the_first_validation_is_corrected_like_training(fails, raw, labels):
    """Without this, the best epoch would be chosen by a loss on another input than in training."""
    model, guard = Pooled(), watching(on_mismatch="fix", verbose=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss)
    more = {"batch_size": 8, "validation_data": (raw / 255, labels), "verbose": 0}
    callbacks = [guard, Fail(guard)] if fails else [guard]
    history = model.fit(raw / 255, labels, callbacks=callbacks, **more).history
    right = model.evaluate(raw / 127.5 - 1, labels, batch_size=8, verbose=0)
    assert history["val_loss"][-1] == pytest.approx(right, rel=1e-4)


def test_the_same_guard_twice_is_refused_before_training(model, raw, labels):
    guard, before = watching(verbose=0), model.get_weights()
    with pytest.raises(sg.BadInputError, match="twice"):
        model.fit(raw, labels, callbacks=[guard, guard], verbose=0)
    assert all(map(np.array_equal, before, model.get_weights()))
    fit(model, guard, raw / 127.5 - 1, labels)  # passed once, it works
    assert guard.profiles["train"].num_samples == 16


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::keras_shiftguard.ShiftWarning")
def test_each_stream_is_corrected_by_its_own_diagnosis(raw, labels):
    model, guard = transferred(), watching(on_mismatch="fix", verbose=0)
    history = fit(
        model, guard, raw / 255, labels, epochs=2, validation_data=(raw / 127.5 - 1, labels)
    ).history
    right = model.evaluate(raw / 127.5 - 1, labels, batch_size=8, verbose=0)
    twice = model.evaluate(2 * (raw / 127.5 - 1) - 1, labels, batch_size=8, verbose=0)
    assert history["val_loss"][-1] == pytest.approx(right[0], rel=1e-4)
    assert twice[0] != pytest.approx(right[0], rel=1e-2)


def test_a_network_trained_from_scratch_is_not_accused(raw, labels):
    model = transferred(trainable=True)
    for is_first in (True, False):
        guard = sg.ShiftGuard(verbose=0)
        fit(model, guard, raw / 255, labels)
        assert guard.diagnosis.status == "ok"
        assert guard.diagnosis.trained_here or not is_first
    assert sg.diagnose(model, raw / 255).status == "ok"
    assert sg.diagnose(model, raw).status == "unknown"


def test_a_log_dir_that_cannot_be_written_is_refused_before_training(model, raw, labels, tmp_path):
    (tmp_path / "file").write_text("in the way")
    before = model.get_weights()
    with pytest.raises(sg.BadInputError, match="log_dir"):
        fit(model, watching(log_dir=tmp_path / "file"), raw, labels)
    assert all(map(np.array_equal, before, model.get_weights()))
    assert not left_behind(model)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"on_mismatch": "explode"}, "on_mismatch"),
        ({"on_shift": "fix"}, "on_shift"),
        ({"update_freq": 0}, "update_freq"),
        ({"update_freq": True}, "update_freq"),
        ({"statistics": ["mean"]}, "statistics"),
        ({"statistics": keras.metrics.Mean()}, "a list or tuple"),
        ({"alpha": 1.5}, "alpha"),
        *(
            ({"distinct_samples": value}, "distinct_samples")
            for value in (0, True, 1.5, {"other": 0.5}, {"train": "many"})
        ),
        *(({"tolerance": value}, "tolerance") for value in (True, -0.1, "1 %")),
        ({"adapt": "dann"}, "DomainAdaptationModel"),
        ({"adapt": ("augmentation", 3)}, "adapt"),
        ({"adapt": "batch_norm"}, "target_data"),
        ({"adapt": {"augmentation"}}, "adapt"),
        ({"log_dir": 5}, "`log_dir` must be a path"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(sg.BadInputError, match=words):
        watching(**arguments)


def test_an_acknowledgement_of_a_stream_that_does_not_exist():
    with pytest.raises(sg.BadInputError, match="`stream` must be one of"):
        watching().acknowledge("brightness", "val")


@pytest.mark.each_backend
def test_a_reference_has_its_inputs_by_the_names_of_the_model(rng):
    """If inputs come as a list, the reference and the fit both use the model's names."""
    inputs = [keras.Input((3,), name="left"), keras.Input((3,), name="right")]
    model = keras.Model(inputs, layers.Dense(1)(layers.Concatenate()(inputs)))
    model.compile("sgd", "mse")
    x = [rng.normal(size=(60, 3)).astype("float32") for _ in range(2)]
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore", reference=((x[0] + 3, x[1]), None))
    model.evaluate(x, np.zeros(60), callbacks=[guard], verbose=0)
    assert set(guard.profiles["reference"].inputs) == {"left", "right"}
    assert guard.report.shifted and "left" in guard.report.findings[0].feature


def test_a_subclass_may_have_arguments_of_its_own(model, raw, labels):
    class Named(sg.ShiftGuard):
        def __init__(self, name, **arguments):
            super().__init__(**arguments)
            self.called = name

    guard = Named("mine", expects="tf", verbose=0)
    fit(model, guard, raw / 127.5 - 1, labels)
    assert guard.verdict.cause.startswith("The images are prepared as the model expects")


def test_a_step_that_logs_other_things_than_numbers_is_accounted_for_without_them():
    class Other(keras.Model):
        def train_step(self, *args):
            found = super().train_step(*args)
            return {**found, "note": None} if isinstance(found, dict) else found

    inputs = keras.Input((4,))
    model = Other(inputs, keras.layers.Dense(2, activation="softmax")(inputs))
    model.compile("adam", "sparse_categorical_crossentropy")
    x, y = np.random.default_rng(0).normal(size=(200, 4)).astype("float32"), np.arange(200) % 2
    guard = watching(on_shift="ignore")
    model.fit(x, y, validation_data=(x, y), epochs=2, callbacks=[guard], verbose=0)
    assert guard.gap is None or abs(sum(r.points for r in guard.gap.rows) - guard.gap.gap) < 1e-9

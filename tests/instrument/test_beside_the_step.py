"""The guard measures outside of the training step, and adds no state to the model."""

import keras
import numpy as np
import pytest
from instrument.test_probe import compiled, sequential
from keras import layers

import keras_shiftguard as sg

pytestmark = [pytest.mark.backend, pytest.mark.each_backend]
BACKEND = keras.backend.backend()


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.random((80, 12, 12, 3)).astype("float32"), rng.integers(0, 3, 80)


def network():
    keras.utils.set_random_seed(3)
    return compiled(sequential(), "adam")


def fit(model, data, *callbacks, **more):
    more = {"batch_size": 16, "verbose": 0, **more}
    return model.fit(*data, callbacks=list(callbacks), **more)


class During(keras.callbacks.Callback):
    """A callback that calls a function with the model after one batch of the fit."""

    def __init__(self, function, batch=2):
        super().__init__()
        self.function, self.batch = function, batch

    def on_train_batch_end(self, batch, logs=None):
        if batch == self.batch:
            self.function(self.model)


def test_the_state_of_the_model_is_its_own_during_a_fit(data):
    seen = {}

    def look(model):
        if BACKEND == "jax":
            model.jax_state_sync()
        seen["variables"] = len(model.variables), len(model.metrics_variables)
        seen["tree"] = str(keras.tree.map_structure(np.shape, model.get_state_tree()))

    plain = network()
    fit(plain, data, During(look))
    expected = dict(seen)
    guarded = network()
    fit(guarded, data, sg.ShiftGuard(verbose=0), During(look))
    assert seen["variables"] == expected["variables"]
    assert "shiftguard" not in seen["tree"]
    assert not any("shiftguard" in name for name in vars(guarded))
    for name in ("train_function", "test_function", "predict_function"):
        assert not hasattr(getattr(guarded, name), "shiftguard_probe")


def test_a_step_made_anew_in_mid_fit_goes_on_being_counted(data):
    """Keras's own docs advise to make a new step after layers were unfrozen."""
    guard = sg.ShiftGuard(verbose=0)
    fit(network(), data, guard, During(lambda model: model.make_train_function(force=True)))
    assert guard.profiles["train"].num_samples == 80


class Interrupt(Exception):
    pass


def interrupt(model):
    raise Interrupt


class InterruptBefore(keras.callbacks.Callback):
    """A callback that ends the fit after the guard began a batch, and before the step gets it."""

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 2:
            raise Interrupt

    on_test_batch_begin = on_predict_batch_begin = on_train_batch_begin


@pytest.mark.parametrize(
    ("build", "batches", "run"),
    [
        (lambda: During(interrupt), 3, "fit"),
        *(
            pytest.param(InterruptBefore, 2, run, marks=pytest.mark.slow_on_tensorflow)
            for run in ("fit", "train_on_batch")
        ),
    ],
    ids=["after a step", "before a step", "a loop of one's own"],
)
def test_after_an_interrupted_fit_the_next_one_is_not_measured(data, build, batches, run):
    model, guard = network(), sg.ShiftGuard(verbose=0, on_mismatch="fix")
    with pytest.raises(Interrupt):
        fit(model, data, guard, build())
    stream = guard._run.stream("train")
    stream.drain()
    assert stream.profile.num_samples == batches * 16
    getattr(model, run)(*data)
    assert stream.drain().num_samples == 0
    # The guard of a later fit replaces the guard that the interrupted fit left on the model.
    other = sg.ShiftGuard(verbose=0)
    fit(model, data, other)
    assert other.profiles["train"].num_samples == 80
    assert not hasattr(model.train_function, "shiftguard_probe")


class BeforeStep(During):
    """Calls the function after the guard began a batch, and before the step gets it."""

    def on_train_batch_begin(self, batch, logs=None):
        if batch == self.batch + 1:
            self.function(self.model)

    on_train_batch_end = keras.callbacks.Callback.on_train_batch_end


@pytest.mark.parametrize("moment", [During, BeforeStep])
@pytest.mark.parametrize(
    "repair", ["on_mismatch", pytest.param("adapt", marks=pytest.mark.thorough)]
)
def test_after_an_interrupted_fit_the_next_one_is_not_repaired(data, repair, moment):
    """The next fit neither corrects nor augments its input, although its step is still wrapped."""
    plain, model = network(), network()
    guard = sg.ShiftGuard(verbose=0, **{repair: {"on_mismatch": "fix", "adapt": True}[repair]})

    def interrupted(model):
        for correction in guard._run.stream("train").corrections.values():
            correction.switch_on(None, (2.0,) * 3, (0.0,) * 3)
        if guard.augmentation is not None:
            strengths = guard.augmentation.inputs["input"].strengths
            strengths.assign(np.ones(strengths.shape))
        raise Interrupt

    with pytest.raises(Interrupt):
        fit(model, data, guard, moment(interrupted, batch=0), shuffle=False)
    assert hasattr(model.train_function, "shiftguard_probe")
    with pytest.raises(Interrupt):
        fit(plain, data, moment(interrupt, batch=0), shuffle=False)
    for each in (plain, model):
        keras.utils.set_random_seed(1)
        fit(each, data, shuffle=False)
    assert all(map(np.array_equal, plain.get_weights(), model.get_weights()))


@pytest.mark.slow_on_tensorflow
def test_a_guard_that_is_not_in_a_list(data):
    """Without a list, Keras ends batches in other threads while the next batches run."""
    plain, model, guard = network(), network(), sg.ShiftGuard(verbose=0, on_shift="ignore")
    more = {"batch_size": 4, "validation_data": data, "shuffle": False, "verbose": 0}
    plain.fit(*data, **more)
    model.fit(*data, callbacks=guard, **more)
    assert all(map(np.array_equal, plain.get_weights(), model.get_weights()))
    assert {name: p.num_samples for name, p in guard.profiles.items()} == {
        "train": 80,
        "validation": 80,
    }


class Nosy(keras.callbacks.Callback):
    """Runs the model on other data before and after each batch, and at the end of each epoch."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def on_train_batch_begin(self, batch, logs=None):
        self.model.evaluate(self.x, self.y, verbose=0)

    def on_train_batch_end(self, batch, logs=None):
        self.model.predict(self.x, verbose=0)

    def on_epoch_end(self, epoch, logs=None):
        self.model.evaluate(self.x, self.y, verbose=0)


@pytest.mark.slow_on_tensorflow
def test_other_runs_inside_of_a_fit_are_no_part_of_it(data):
    x, y = data
    guard = sg.ShiftGuard(verbose=0)
    fit(network(), data, Nosy(9 * x, y), guard, epochs=2, validation_data=(x[:20], y[:20]))
    assert guard.profiles["train"].num_samples == 80
    assert guard.profiles["validation"].num_samples == 20
    assert all(p.inputs["input"].maximum.max() <= 1 for p in guard.profiles.values())
    assert "prediction" not in guard.profiles


def test_predictions_are_watched_and_compared_with_the_reference(data, capsys):
    x, y = data
    model = network()
    guard = sg.ShiftGuard(reference=np.tile(x, (3, 1, 1, 1)), on_shift="ignore")
    dark = np.tile(x * 0.4, (3, 1, 1, 1))
    plain = model.predict(dark, verbose=0)
    watched = model.predict(dark, callbacks=[guard], verbose=0)
    np.testing.assert_array_equal(plain, watched)
    assert guard.profiles["prediction"].num_samples == 240
    assert guard.report.shifted
    assert {(f.stream, f.against) for f in guard.report.findings} == {("prediction", "reference")}
    assert guard.diagnosis is not None
    assert not hasattr(model.predict_function, "shiftguard_probe")
    assert "prediction" in capsys.readouterr().out


class Unlabelled(keras.Model):
    """A model that learns without labels, as an autoencoder does."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, x):
        return self.dense(keras.ops.reshape(x["image"] if isinstance(x, dict) else x, (-1, 432)))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean(keras.ops.square(y_pred))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow has such tensors")
def test_sparse_ragged_and_text_inputs_are_named_in_one_warning(data):
    import tensorflow as tf

    x = {
        "image": data[0],
        "sparse": tf.sparse.from_dense(np.eye(80, dtype="float32")),
        "ragged": tf.RaggedTensor.from_row_lengths(np.arange(160.0), [1, 3] * 40),
        "text": tf.constant(["words"] * 80),
    }
    batches = tf.data.Dataset.from_tensor_slices(x).batch(16)
    model, guard = Unlabelled(), sg.ShiftGuard(verbose=0)
    model.compile("sgd")
    with pytest.warns(sg.ShiftWarning) as warned:
        model.fit(batches, epochs=2, callbacks=[guard], verbose=0, shuffle=False)
    [said] = [str(w.message) for w in warned if w.category is sg.ShiftWarning]
    for named in ("'sparse' (it is sparse)", "'ragged' (it is ragged)", "'text' (it holds no num"):
        assert named in said
    assert guard.profiles["train"].inputs["image"].num_samples == 80
    with pytest.raises(sg.BadInputError, match="no input .*'ragged' .it is ragged"):
        sg.profile({"ragged": batch["ragged"]} for batch in batches)


def nested(data):
    """Returns a model with an input inside of another one, and data for it."""
    image, inner = keras.Input((12, 12, 3), name="image"), keras.Input((3,), name="inner")
    both = layers.Concatenate()([layers.Flatten()(image), inner])
    model = keras.Model({"image": image, "more": {"inner": inner}}, layers.Dense(3)(both))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = data
    return model, ({"image": x, "more": {"inner": x[:, 0, 0]}}, y)


def test_inputs_inside_a_nested_input_are_named_once(data):
    model, data = nested(data)
    guard = sg.ShiftGuard(verbose=0)
    with pytest.warns(sg.ShiftWarning, match="does not measure the input 'more' .*several") as all:
        fit(model, data, guard, epochs=2)
    assert len([w for w in all if w.category is sg.ShiftWarning]) == 1
    assert guard.profiles["train"].inputs["image"].num_samples == 80


class SwitchOn(keras.callbacks.Callback):
    """Switches on a correction of the input of a stream before each batch."""

    def __init__(self, guard, stream):
        super().__init__()
        self.guard, self.stream = guard, stream

    def switch(self, batch, logs=None):
        for correction in self.guard._run.stream(self.stream).corrections.values():
            correction.switch_on(None, (2.0,) * 3, (0.0,) * 3)

    on_train_batch_begin = on_predict_batch_begin = switch


def test_inputs_without_labels_are_corrected(data):
    model = Unlabelled()
    model.compile("sgd")
    model(data[0][:1])
    guard = sg.ShiftGuard(verbose=0, on_mismatch="fix")
    model.fit(data[0], batch_size=16, callbacks=[SwitchOn(guard, "train"), guard], verbose=0)
    assert guard.profiles["train"].num_samples == 80
    guard = sg.ShiftGuard(verbose=0, on_mismatch="fix")
    found = model.predict(
        data[0], batch_size=16, callbacks=[SwitchOn(guard, "prediction"), guard], verbose=0
    )
    np.testing.assert_allclose(found, model.predict(data[0] * 2, verbose=0), rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="elsewhere Keras passes the batches themselves")
def test_functions_that_users_made_get_every_batch(data):
    """The function takes two batches in a call."""
    import tensorflow as tf

    class Two(Unlabelled):
        def make_train_function(self, force=False):
            @tf.function
            def train(iterator):
                first, second = next(iterator), next(iterator)
                return {"loss": self.compute_loss(y_pred=self(first) + self(second))}

            self.train_function = train

    model = Two()
    model.compile("sgd")
    guard = sg.ShiftGuard(verbose=0)
    model.fit(data[0], batch_size=16, callbacks=[guard], verbose=0, steps_per_epoch=2)
    assert guard.profiles["train"].num_samples == 64

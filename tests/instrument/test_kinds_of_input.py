"""Inputs that the guard cannot measure are named; inputs of any structure are corrected."""

import keras
import numpy as np
import pytest
from instrument.test_beside_the_step import BACKEND, fit
from keras import layers

import keras_shiftguard as sg

pytestmark = [pytest.mark.backend, pytest.mark.each_backend]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.random((80, 12, 12, 3)).astype("float32"), rng.integers(0, 3, 80)


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

"""Profiles of a model's outputs: probabilities, confusion, and one layer's activations."""

import keras
import numpy as np
import pytest
from keras import layers
from small_fits import compiled

import keras_shiftguard as sg
from keras_shiftguard.instrument.graph import walk
from keras_shiftguard.instrument.model_outputs import ModelOutputs, fingerprint, is_classifier
from keras_shiftguard.preprocessing.expected.batch_norm import BatchNormEvidence

pytestmark = pytest.mark.backend


def network(units=3, activation="softmax", loss="sparse_categorical_crossentropy"):
    keras.utils.set_random_seed(0)
    hidden = layers.Dense(5, activation="relu", name="hidden")
    last = layers.Dense(units, activation=activation)
    return compiled((6, 6, 1), layers.Flatten(), hidden, layers.Dropout(0.5), last, loss=loss)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(150, 6, 6, 1)).astype("float32"), rng.integers(0, 3, 150)


@pytest.mark.each_backend
def test_outputs_are_those_of_predict(data):
    x, y = data
    model = network()
    p = model.predict(x, verbose=0)
    outputs = sg.profile(data, model=model, feature_layer="hidden").outputs
    assert outputs.num_classes == 3 and outputs.num_samples == 150
    np.testing.assert_array_equal(outputs.predicted, np.bincount(p.argmax(1), minlength=3))
    for label in range(3):
        predicted = np.bincount(p[y == label].argmax(1), minlength=3)
        np.testing.assert_array_equal(outputs.confusion[label], predicted)
    assert outputs.accuracy == pytest.approx((p.argmax(1) == y).mean())
    assert outputs.features.mean("confidence") == pytest.approx(p.max(1).mean(), rel=1e-4)
    entropy = -(p * np.log(p)).sum(1)
    assert outputs.features.mean("entropy") == pytest.approx(entropy.mean(), rel=1e-4)
    assert outputs.features.std("probability/1") == pytest.approx(p[:, 1].std(), rel=1e-3)
    assert outputs.layer == "hidden" and outputs.embedding.count == 150
    assert outputs.embedding.dimension == 5


@pytest.mark.each_backend
@pytest.mark.parametrize("units", [1, 3])
def test_logits_become_probabilities(data, units):
    loss = keras.losses.BinaryCrossentropy(from_logits=True) if units == 1 else "kl_divergence"
    model = network(units, None, loss)
    z = model.predict(data[0], verbose=0).astype("float64")
    p = 1 / (1 + np.exp(-z)) if units == 1 else np.exp(z) / np.exp(z).sum(1, keepdims=True)
    p = np.concatenate([1 - p, p], axis=1) if units == 1 else p
    outputs = sg.profile(data[0], model=model).outputs
    assert outputs.num_classes == max(units, 2) and np.isnan(outputs.accuracy)
    assert outputs.features.mean("confidence") == pytest.approx(p.max(1).mean(), rel=1e-4)


def test_a_regression_is_not_read_as_classes(data):
    model = network(1, None, "mse")
    outputs = sg.profile(data[0], model=model).outputs
    assert outputs.num_classes == 0 and outputs.features.names == ("output/0",)
    want = model.predict(data[0], verbose=0).mean()
    assert outputs.features.mean("output/0") == pytest.approx(want, rel=1e-4)


@pytest.mark.each_backend
def test_fingerprint_follows_the_weights(data):
    model = network()
    before = fingerprint(model)
    assert fingerprint(model) == before
    model.fit(*data, verbose=0)
    assert fingerprint(model) != before


def test_model_or_layer_that_cannot_be_measured_is_an_error(data):
    with pytest.raises(sg.BadInputError, match="keras.Model"):
        sg.profile(data, model="model.keras")
    with pytest.raises(sg.BadInputError, match="pass the model"):
        sg.profile(data, feature_layer="hidden")
    with pytest.raises(sg.BadInputError, match="hidden"):
        sg.profile(data, model=network(), feature_layer="nowhere")
    maps = keras.Sequential([keras.Input((6, 6, 1)), layers.Conv2D(2, 3)])
    with pytest.raises(sg.BadInputError, match="output shape"):
        ModelOutputs(maps)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.flatten = layers.Flatten()
        self.dense = layers.Dense(3, activation="softmax")

    def call(self, x):
        return self.dense(self.flatten(x))


def test_a_subclassed_model_has_no_layers_to_ask(data):
    model = Subclassed()
    model(data[0][:2])
    assert sg.profile(data, model=model).outputs.num_classes == 3
    with pytest.raises(sg.BadInputError, match="functional"):
        sg.profile(data, model=model, feature_layer="dense")


class Raising(Subclassed):
    @property
    def layers(self):
        raise RuntimeError("not before the first epoch")


def test_a_property_of_the_user_that_raises_is_no_failure_of_ours(data):
    model = Raising()
    model(data[0][:2])
    assert model.dense in list(walk(model))
    assert is_classifier(model, 3)
    assert BatchNormEvidence(model).reason == "The model has no batch normalisation."

"""Gray images without a dimension of channels are measured as the model sees them.

Keras adds the dimension by itself to what a functional model is fed, so `fit(x_train)` with the
`(60000, 28, 28)` of MNIST works without a guard.
"""

import keras
import numpy as np
import pytest
from keras import layers

import keras_shiftguard as sg
from keras_shiftguard import ShiftGuard

pytestmark = pytest.mark.backend
SIZE = 12


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (96, SIZE, SIZE)).astype("uint8")
    images[1::2, :6] //= 2
    return images, np.arange(96) % 2


def network(shape=(SIZE, SIZE, 1)):
    keras.utils.set_random_seed(1)
    inputs = keras.Input(shape)
    x = layers.Rescaling(1 / 255)(inputs)
    outputs = layers.Dense(2, activation="softmax")(layers.Flatten()(x))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["acc"])
    return model


def fitted(x, y, **arguments):
    """Returns the guard and the weights of a fit with validation."""
    model, guard = network(), ShiftGuard(verbose=0, **arguments)
    model.fit(x, y, validation_data=(x[::-1], y[::-1]), epochs=2, callbacks=[guard], verbose=0)
    return guard, model.get_weights()


@pytest.mark.each_backend
def test_the_same_is_measured_as_with_the_dimension_of_channels(data):
    x, y = data
    guard, weights = fitted(x, y, reference=x)
    with_channels, same_weights = fitted(x[..., None], y, reference=x[..., None])
    for name in ("train", "validation", "reference"):
        measured = guard.profiles[name].inputs["input"]
        assert measured.is_image and measured.largest_size == (SIZE, SIZE)
        expected = with_channels.profiles[name].inputs["input"]
        np.testing.assert_allclose(measured.channels.mean, expected.channels.mean, rtol=1e-6)
        assert measured.features.mean("brightness") == expected.features.mean("brightness")
    model = network()
    model.fit(x, y, validation_data=(x[::-1], y[::-1]), epochs=2, verbose=0)
    for one, other, plain in zip(weights, same_weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, plain)


def test_what_is_measured_beside_a_fit_has_the_dimension_as_well(data):
    x, y = data
    model = network()
    assert sg.diagnose(model, x).status == sg.diagnose(model, x[..., None]).status
    assert sg.profile(x / 255.0, model=model).inputs["input"].is_image
    assert not sg.profile(x).inputs["input"].is_image  # without a model, these may be series

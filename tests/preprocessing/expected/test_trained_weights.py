"""Signs of training in the last layer that can tell."""

import keras
import numpy as np
import pytest

from keras_shiftguard.preprocessing.expected.trained_weights import has_trained_head

layers = keras.layers


def network(*parts):
    return keras.Sequential([keras.Input((6, 3)), layers.Flatten(), *parts])


@pytest.mark.parametrize(
    "parts",
    [
        (layers.Dense(4), layers.Dense(2)),
        (layers.Dense(4), layers.Dense(2, use_bias=False)),
        (layers.Dense(4), layers.Dense(2, bias_initializer=keras.initializers.Constant(-3))),
        (layers.Dense(4), layers.Dense(2, use_bias=False), layers.BatchNormalization()),
    ],
    ids=["bias", "no bias", "constant", "batch norm"],
)
def test_a_model_is_trained_if_its_last_layer_that_can_tell_has_moved(parts):
    model = network(*parts)
    assert not has_trained_head(model)
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    model.fit(rng.normal(size=(64, 6, 3)), rng.normal(size=(64, 2)), verbose=0)
    assert has_trained_head(model)


def test_the_first_bias_of_a_recurrent_layer_is_no_sign_of_training():
    """Its forget gate begins at 1."""
    model = keras.Sequential([keras.Input((6, 3)), layers.LSTM(4), layers.Dense(2, use_bias=False)])
    assert not has_trained_head(model)

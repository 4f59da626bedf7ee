"""Signs of training in the last layer that can tell."""

import keras
import numpy as np
import pytest

from keras_shiftguard.preprocessing.expected.trained_weights import (
    can_tell,
    has_trained_head,
    head_of,
    is_fresh,
)

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


CONSTANT = keras.initializers.Constant(-2.19)  # the first bias of detectors and rare classes


@pytest.mark.parametrize(
    ("begin", "tells"),
    [
        ("zeros", True),
        ("ones", True),
        (CONSTANT, True),
        ("random_normal", False),
        (lambda shape, dtype=None: keras.ops.ones(shape, dtype), False),
    ],
    ids=["zeros", "ones", "constant", "random", "function"],
)
def test_a_bias_is_fresh_if_it_is_as_initialized(begin, tells):
    first, last = layers.Dense(4), layers.Dense(2, bias_initializer=begin)
    model = network(first, last)
    assert can_tell((last,)) == tells
    assert is_fresh(tuple(model.layers)) and not has_trained_head(model)
    assert head_of(model) == ("fresh" if tells else "own")
    last.bias.assign(last.bias - 0.01)
    assert is_fresh(tuple(model.layers)) != tells and has_trained_head(model) == tells
    assert head_of(model) == "own"
    first.bias.assign(first.bias + 0.01)
    assert not is_fresh(tuple(model.layers))


@pytest.mark.backend
def test_a_saved_model_keeps_how_its_bias_began(tmp_path):
    model = network(layers.Dense(2, bias_initializer=CONSTANT))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert is_fresh(tuple(loaded.layers)) and head_of(loaded) == "fresh"


def test_the_first_bias_of_a_recurrent_layer_is_no_sign_of_training():
    """Its forget gate begins at 1."""
    model = keras.Sequential([keras.Input((6, 3)), layers.LSTM(4), layers.Dense(2, use_bias=False)])
    assert not has_trained_head(model)

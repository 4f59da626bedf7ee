"""Signs of training in the last layer that can tell."""

import keras
import pytest

from keras_shiftguard.instrument.trained_weights import head_of, is_fresh

layers = keras.layers


def network(*parts):
    return keras.Sequential([keras.Input((6, 3)), layers.Flatten(), *parts])


CONSTANT = keras.initializers.Constant(-2.19)  # the first bias of detectors and rare classes


@pytest.mark.parametrize(
    ("begin", "tells"),
    [
        ("zeros", True),
        (CONSTANT, True),
        ("random_normal", False),
        (lambda shape, dtype=None: keras.ops.ones(shape, dtype), False),
    ],
    ids=["zeros", "constant", "random", "function"],
)
def test_a_bias_is_fresh_if_it_is_as_initialized(begin, tells):
    first, last = layers.Dense(4), layers.Dense(2, bias_initializer=begin)
    model = network(first, last)
    assert is_fresh((last,)) == tells
    assert is_fresh(tuple(model.layers))
    assert head_of(model) == ("fresh" if tells else "own")
    last.bias.assign(last.bias - 0.01)
    assert is_fresh(tuple(model.layers)) != tells
    assert head_of(model) == "own"
    first.bias.assign(first.bias + 0.01)
    assert not is_fresh(tuple(model.layers))


@pytest.mark.backend
def test_a_saved_model_keeps_how_its_bias_began(tmp_path):
    model = network(layers.Dense(2, bias_initializer=CONSTANT))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert is_fresh(tuple(loaded.layers)) and head_of(loaded) == "fresh"


@pytest.mark.backend
@pytest.mark.parametrize("way", ["frozen", "called for inference", "nothing", "everything"])
def test_a_head_on_a_frozen_backbone_is_transferred(tmp_path, way):
    backbone = network(layers.Dense(4), layers.BatchNormalization())
    inputs, last = keras.Input((6, 3)), layers.Dense(2)
    outputs = last(backbone(inputs, **({"training": False} if "called" in way else {})))
    last.bias.assign([1.0, 2.0])
    model = keras.Model(inputs, outputs)
    if way == "frozen":
        backbone.trainable = False
    elif way == "everything":  # as of a network that only predicts
        model.trainable = False
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    kind = "transferred" if way in ("frozen", "called for inference") else "own"
    assert head_of(model) == head_of(loaded) == kind

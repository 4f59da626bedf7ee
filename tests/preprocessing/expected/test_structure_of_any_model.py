"""The structure of models without a graph and of odd ones; reading it changes nothing."""

import random

import keras
import numpy as np
import pytest
from keras import layers, ops
from structures import (
    CAFFE,
    RAW,
    SHAPE,
    TF,
    ZEROS,
    behind,
    head,
    one,
    small,
    to_tf,
    trunk,
)

from keras_shiftguard.preprocessing.expected.structure import expect_from_structure


class Held(keras.Model):
    """A model that holds a network in a list in a dict, and preprocesses in `call`."""

    def __init__(self, base, front=lambda x: x / 127.5 - 1):
        super().__init__()
        self.parts = {"nets": [base]}
        self.front = front
        self.out = layers.Dense(2)

    def call(self, x, training=False):
        return self.out(self.parts["nets"][0](self.front(x), training=training))


@pytest.mark.backend
@pytest.mark.parametrize("built", [False, True])
def test_subclassed(base, built):
    model = Held(base)
    if built:
        model(ZEROS)
    answer = one(model)
    assert (answer.convention, answer.inner) == (RAW, TF)
    assert answer.name == "input"
    assert model.out.built is built  # reading the structure builds no layer after the network


def test_subclassed_with_a_dict_of_inputs(base):
    class Dict(Held):
        def call(self, x, training=False):
            return super().call(x["image"]) + ops.sum(x["table"])

    model = Dict(base)
    model({"table": np.zeros((1, 4), "float32"), "image": ZEROS})
    assert one(model).convention == RAW


def test_sequential_that_was_never_built(base):
    model = keras.Sequential([layers.Rescaling(1 / 127.5, -1), base, layers.Dense(2)])
    assert one(model).convention == RAW
    assert not model.built


class Backbone(layers.Layer):
    """A layer of the user's own around a network."""

    def __init__(self, network):
        super().__init__()
        self.net = network

    def call(self, x):
        return self.net(x / 127.5 - 1)


@pytest.mark.backend
def test_inside_a_layer_and_for_the_frames_of_a_film(base):
    assert behind(Backbone(base), lambda x: x).convention == RAW
    film = keras.Input((3, *SHAPE))
    x = layers.TimeDistributed(base)(film / 127.5 - 1)
    assert one(keras.Model(film, head(layers.Flatten()(x)))).convention == RAW


# --- what cannot be known ----------------------------------------------------------------


def test_trainable_normalisation_in_front_is_no_fixed_front(base):
    images, norm = keras.Input(SHAPE), layers.BatchNormalization()
    model = keras.Model(images, head(base(norm(images))))
    assert "adapts itself" in one(model).evidence[-1]
    norm.trainable = False
    assert one(model).convention == TF


@pytest.mark.filterwarnings("ignore:This model usually expects 1 or 3:UserWarning")
@pytest.mark.parametrize("channels", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_other_than_three_channels(channels):
    answer = one(trunk("MobileNetV2", input_shape=(96, 96, channels)))
    assert answer.fresh and answer.trainable and not answer.convention.is_known
    assert channels != 1 or "takes 1 channel" in answer.evidence[-1]


@pytest.mark.backend
@pytest.mark.parametrize(
    "build",
    [keras.Sequential, small, lambda: keras.Sequential([layers.Conv2D(4, 3)]), lambda: None],
    ids=["empty", "small", "unbuilt", "none"],
)
def test_odd_models_are_unknown_not_errors(build):
    answer = one(build())
    assert not answer.convention.is_known and answer.architecture is None
    assert answer.evidence


class Plain(keras.Model):
    """A small untrained model with one more attribute, which its `call` does not use."""

    def __init__(self, name, value):
        super().__init__()
        self.conv, self.out = layers.Conv2D(4, 3), layers.Dense(2)
        setattr(self, name, value)

    def call(self, x):
        return self.out(ops.mean(self.conv(x), axis=(1, 2)))


@pytest.mark.filterwarnings("ignore:.*unbuilt state:UserWarning")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("norm", layers.BatchNormalization()),  # never built, so it holds no statistics
        ("outputs", 2),
    ],
)
def test_attributes_of_the_users_own_do_no_harm(name, value):
    model = Plain(name, value)
    model.inputs = 3  # in Keras, this is a list of tensors
    model(np.zeros((1, 8, 8, 3), "float32"))
    answer = one(model)
    assert answer.name == "input" and not answer.convention.is_known and answer.fresh


def test_no_image_no_answer():
    assert expect_from_structure(keras.Sequential([keras.Input((3,)), layers.Dense(2)])) == ()


@pytest.mark.thorough
@pytest.mark.backend
@pytest.mark.parametrize(
    ("name", "expected"), [("EfficientNetB0", RAW), ("MobileNetV2", TF), ("VGG16", CAFFE)]
)
def test_channels_first(name, expected):
    keras.config.set_image_data_format("channels_first")
    try:
        model = trunk(name, input_shape=(3, 96, 96))
        assert one(model).convention == expected
        images = keras.Input((96, 96, 3))  # transposed inside the model
        answer = one(keras.Model(images, model(layers.Permute((3, 1, 2))(images * 0.5))))
        np.testing.assert_allclose(answer.convention.scale, np.multiply(2, expected.scale))
    finally:
        keras.config.set_image_data_format("channels_last")


# --- side effects and time -----------------------------------------------------------------------


class Drawing(layers.Layer):
    """A layer that draws a random number in each call, in inference too."""

    def __init__(self):
        super().__init__()
        self.generator = keras.random.SeedGenerator(1)

    def call(self, x):
        return x + 0.0 * keras.random.uniform((1,), seed=self.generator)


@pytest.mark.backend
def test_reading_the_structure_changes_nothing(base):
    images, drawing = keras.Input(SHAPE), Drawing()
    model = keras.Model(images, head(base(to_tf(drawing(images)))))

    def state():
        values = [drawing.generator.state, *(v.value for v in model.variables)]
        return (
            [np.array(ops.convert_to_numpy(v)).tobytes() for v in values],
            [sorted(vars(layer)) for layer in (*model.layers, *base.layers)],
            np.random.get_state()[1].tobytes(),
            random.getstate(),
            model.get_config(),
        )

    before = state()
    assert one(model).convention == RAW
    assert state() == before

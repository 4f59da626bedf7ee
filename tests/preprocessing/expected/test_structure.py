"""The convention that a model's input expects is found for all the ways of building models."""

import random

import keras
import numpy as np
import pytest
from benchmarks.architecture_cases import WAYS, cases, check
from keras import layers, ops

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.structure import expect_from_structure

RAW, TF, CAFFE = (InputConvention(*c) for c in (("raw",), ("tf",), ("caffe", "bgr")))
SHAPE = (96, 96, 3)
ZEROS = np.zeros((1, *SHAPE), "float32")


def trunk(name, **options):
    options = {"weights": None, "include_top": False, "input_shape": SHAPE, **options}
    return getattr(keras.applications, name)(**options)


@pytest.fixture(scope="module")
def base():
    """Returns MobileNetV2 in its published width, without its classifier; it expects `tf`."""
    return trunk("MobileNetV2", pooling="avg")


def head(x):
    return layers.Dense(3)(x)


def to_tf(x):
    return layers.Rescaling(1 / 127.5, -1)(x)


def one(model):
    (answer,) = expect_from_structure(model)
    return answer


def behind(network, front, shape=SHAPE):
    """Returns the answer for a classifier on a network with something in front."""
    images = keras.Input(shape)
    return one(keras.Model(images, head(network(front(images)))))


def trained(layer):
    layer.bias.assign(layer.bias + 0.1)


# Ways that build the network only once, for networks that are slow to build.
ONE_BUILD = ("functional", "sequential", "subclassed", "flattened", "input_shape")
NETWORKS = {
    "MobileNet": WAYS,
    "MobileNetV3Small": WAYS,
    "VGG16": ("functional", "renamed", "reloaded"),
    "ConvNeXtTiny": ONE_BUILD,
    "EfficientNetB0": ONE_BUILD,
    "EfficientNetV2B0": (*ONE_BUILD, "preprocessing off"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", NETWORKS)
def test_every_way_of_use(name):
    # These are cases of the benchmark, which runs all 40 networks in all ways. The right
    # answers come from Keras's own `preprocess_input`.
    found = [(case[0], check(case)) for case in cases(name, NETWORKS[name])]
    assert [f for f in found if f[1]] == []
    assert len(found) == len(NETWORKS[name]) - (name == "MobileNet")  # has no include_preprocessing
    keras.utils.clear_session()


def test_published_numbers_and_sentences(base):
    answer = one(base)
    assert (answer.architecture, answer.native_size) == ("MobileNetV2", 224)
    assert answer.published_top1 == 0.713
    assert answer.evidence[0] == "All 52 convolutions agree with MobileNetV2 of keras.applications."


def test_other_width_has_the_convention_but_no_published_accuracy():
    answer = one(trunk("MobileNetV2", alpha=0.35))
    assert (answer.convention, answer.architecture) == (TF, "MobileNetV2")
    assert answer.published_top1 is None and "in another width" in answer.evidence[0]


@pytest.mark.parametrize("flat", [pytest.param(False, marks=pytest.mark.thorough), True])
def test_doubled_preprocessing_inside_the_model(flat):
    images = keras.Input(SHAPE)
    if flat:
        model = trunk("MobileNetV3Small", input_shape=None, input_tensor=to_tf(images))
    else:
        model = keras.Model(images, trunk("MobileNetV3Small")(to_tf(images)))
    answer = one(model)
    assert (answer.inner, answer.convention.mode) == (RAW, "custom")
    np.testing.assert_allclose(answer.convention.scale, 127.5, rtol=1e-4)
    assert "doubled inside the model itself" in answer.evidence[-1]


def test_a_front_adapted_to_a_data_set_leaves_no_suspect(base):
    front = layers.Normalization(mean=[194.0, 139.0, 144.0], variance=[1288.0, 1515.0, 1880.0])
    answer = behind(base, front)
    assert (answer.convention.is_known, answer.speaks) == (False, False)
    assert answer.architecture == "MobileNetV2" and "No usual" in answer.evidence[-1]
    # x / 128 - 1 is so close to x / 127.5 - 1 that raw images are still expected.
    close = behind(base, lambda x: x / 128 - 1)
    assert np.allclose(close.convention.scale, 1, rtol=0.01) and close.convention.is_known


@pytest.mark.thorough
def test_documented_range_of_efficientnetv2_s_is_accepted():
    # The model computes x / 128 - 1, but [-1, 1] is documented. At white they differ by one level.
    bare = trunk("EfficientNetV2S", include_preprocessing=False, input_shape=None)
    assert one(bare).convention == TF
    images = keras.Input((None, None, 3))
    assert one(keras.Model(images, bare(images / 127.5 - 1))).convention == RAW
    assert one(keras.Model(images, bare(images / 128 - 1))).convention == RAW


# --- the head behind a network, which may be trained on other input than the network --------


def small(*tail):
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), *tail])


def classifier(classes):
    return layers.GlobalAveragePooling2D(), layers.Dense(classes)


@pytest.mark.parametrize(
    ("tail", "untrained", "trained_head"),
    [
        (lambda: classifier(10), "fresh", "own"),
        (lambda: classifier(1000), "fresh", "published"),
        (lambda: (layers.Conv2D(2, 1, activation="softmax"),), "fresh", "own"),  # it segments
        (lambda: (layers.Conv2D(2, 1, activation="relu"),), "none", "none"),
        # Such as depths or a heat map, learned with a loss that declares no classes.
        (lambda: (layers.Conv2D(2, 1), layers.UpSampling2D()), "none", "own"),
        (lambda: (layers.Conv2D(2, 1), layers.GlobalAveragePooling2D()), "none", "none"),
        (lambda: (layers.Conv2D(2, 1), layers.BatchNormalization()), "none", "none"),
        (lambda: (layers.Flatten(),), "none", "none"),
    ],
    ids=["classes", "1000", "segments", "features", "numbers", "pooled", "normalised", "none"],
)
@pytest.mark.parametrize("inside", [False, True])
def test_which_head_a_model_ends_in(tail, untrained, trained_head, inside):
    tail = tail()
    model = small(keras.Sequential([keras.Input((6, 6, 4)), *tail])) if inside else small(*tail)
    assert one(model).head == untrained
    for layer in tail:
        if getattr(layer, "bias", None) is not None:
            trained(layer)
    assert one(model).head == trained_head


# --- several inputs, several networks -------------------------------------------------


@pytest.fixture(scope="module")
def vgg():
    """Returns VGG16, which expects `caffe`."""
    return trunk("VGG16", pooling="avg")


@pytest.mark.parametrize(
    ("front", "mode"), [("repeat", "caffe"), ("learnt", "unknown"), ("caffe", "raw")]
)
def test_gray_images_in_front_of_a_network(vgg, front, mode):
    mix = layers.Conv2D(3, 1)

    def build(gray):
        if front == "learnt":
            return mix(gray)
        colors = layers.Concatenate()([gray] * 3)
        means = (-103.939, -116.779, -123.68)
        return layers.Rescaling(1.0, means)(colors) if front == "caffe" else colors

    if front == "learnt":
        mix.build((None, 96, 96, 1))
        trained(mix)
    answer = behind(vgg, build, (96, 96, 1))
    # A repeated channel leaves the choice open, and a learnt front shows that the network was
    # trained behind it.
    assert (answer.convention.mode, answer.speaks) == (mode, front == "caffe")


def test_one_answer_for_each_image_input(base):
    left, right = keras.Input(SHAPE, name="left"), keras.Input(SHAPE, name="right")
    table = keras.Input((4,), name="table")
    x = layers.Concatenate()([base(left / 127.5 - 1), table, base(right)])
    a, b = expect_from_structure(keras.Model([table, left, right], head(x)))
    assert (a.name, a.convention) == ("left", RAW)
    assert (b.name, b.convention) == ("right", TF)


def test_networks_that_agree_and_that_do_not(base, vgg):
    images = keras.Input(SHAPE)
    caffe = keras.applications.vgg16.preprocess_input(images)
    agree = layers.Concatenate()([base(images / 127.5 - 1), vgg(caffe)])
    assert one(keras.Model(images, head(agree))).convention == RAW
    differ = one(keras.Model(images, head(layers.Concatenate()([base(images), vgg(images)]))))
    assert not differ.convention.is_known and differ.architecture is None
    assert "do not expect the same images" in differ.evidence[0]


# --- models without a graph of their own ---------------------------------------------


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

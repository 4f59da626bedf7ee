"""The convention that a model's input expects is found for all the ways of building models."""

import keras
import numpy as np
import pytest
from benchmarks.architecture_cases import WAYS, cases, check
from keras import layers
from structures import (
    RAW,
    SHAPE,
    TF,
    behind,
    head,
    one,
    small,
    to_tf,
    trained,
    trunk,
)

from keras_shiftguard.preprocessing.expected.structure import expect_from_structure

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

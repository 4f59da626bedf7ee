"""The convention that a model's input expects is found for all the ways of building models."""

import random
import time

import keras
import numpy as np
import pytest
from benchmarks.architecture_cases import WAYS, cases, check, preprocess_input
from keras import layers, ops

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.structure import expect_from_structure

RAW, TF, CAFFE = (InputConvention(*c) for c in (("raw",), ("tf",), ("caffe", "bgr")))
SHAPE = (96, 96, 3)


@pytest.fixture(scope="module")
def base():
    """Returns MobileNetV2 in its published width, without its classifier; it expects `tf`."""
    return keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=SHAPE, pooling="avg"
    )


@pytest.fixture(scope="module")
def vgg():
    return keras.applications.VGG16(
        weights=None, include_top=False, input_shape=SHAPE, pooling="avg"
    )


def head(x):
    return layers.Dense(3)(x)


def one(model):
    (answer,) = expect_from_structure(model)
    return answer


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


def test_the_check_itself_can_fail(base):
    target = np.asarray(preprocess_input("MobileNetV2")(np.zeros((1, 4, 4, 3))))
    raw = next(iter(cases("MobileNetV2", ("input_shape",))))
    assert check(raw) == ""
    assert "taken for" in check((*raw[:4], "ResNet50"))
    assert "makes" in check((*raw[:3], target + 0.5, "MobileNetV2"))


def test_published_numbers_and_sentences(base):
    answer = one(base)
    assert (answer.architecture, answer.native_size) == ("MobileNetV2", 224)
    assert answer.published_top1 == 0.713
    assert answer.evidence == (
        "All 52 convolutions agree with MobileNetV2 of keras.applications.",
        "MobileNetV2 wants tf ([-1, 1]), RGB.",
        "Nothing stands between the model's input and MobileNetV2.",
    )


def test_other_width_has_the_convention_but_no_published_accuracy():
    answer = one(
        keras.applications.MobileNetV2(
            weights=None, alpha=0.35, include_top=False, input_shape=SHAPE
        )
    )
    assert (answer.convention, answer.architecture) == (TF, "MobileNetV2")
    assert answer.published_top1 is None and "in another width" in answer.evidence[0]


def test_doubled_preprocessing_inside_the_model():
    images = keras.Input(SHAPE)
    inner = keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=SHAPE)
    answer = one(keras.Model(images, inner(layers.Rescaling(1 / 255)(images))))
    assert (answer.inner, answer.convention.mode) == (RAW, "custom")
    np.testing.assert_allclose(answer.convention.scale, 255, rtol=1e-4)
    assert "The preprocessing is doubled inside the model itself" in answer.evidence[-1]


def test_doubled_in_a_flattened_model():
    images = keras.Input(SHAPE)
    model = keras.applications.MobileNetV3Small(
        weights=None, include_top=False, input_tensor=layers.Rescaling(1 / 127.5, -1)(images)
    )
    answer = one(model)
    assert answer.convention.mode == "custom"
    assert "doubled inside the model itself" in answer.evidence[-1]


def test_a_front_adapted_to_a_data_set_leaves_no_suspect(base):
    images = keras.Input(SHAPE)
    front = layers.Normalization(mean=[194.0, 139.0, 144.0], variance=[1288.0, 1515.0, 1880.0])
    answer = one(keras.Model(images, base(front(images))))
    assert (answer.convention.is_known, answer.speaks) == (False, False)
    assert answer.architecture == one(base).architecture and "No usual" in answer.evidence[-1]
    # x / 128 - 1 is so close to x / 127.5 - 1 that raw images are still expected.
    close = one(keras.Model(images, base(images / 128 - 1)))
    assert np.allclose(close.convention.scale, 1, rtol=0.01) and close.convention.is_known


@pytest.mark.thorough
def test_documented_range_of_efficientnetv2_s_is_accepted():
    # The model computes x / 128 - 1, but [-1, 1] is documented. At white they differ by one level.
    build = keras.applications.EfficientNetV2S
    bare = build(weights=None, include_top=False, include_preprocessing=False)
    assert one(bare).convention == TF
    images = keras.Input((None, None, 3))
    assert one(keras.Model(images, bare(images / 127.5 - 1))).convention == RAW
    assert one(keras.Model(images, bare(images / 128 - 1))).convention == RAW


def test_fresh_and_trainable(base):
    assert one(base).fresh and one(base).trainable
    norm = next(la for la in base.layers if isinstance(la, layers.BatchNormalization))
    norm.moving_mean.assign(norm.moving_mean + 0.1)
    base.trainable = False
    try:
        assert not one(base).fresh and not one(base).trainable
    finally:
        norm.moving_mean.assign(norm.moving_mean * 0)
        base.trainable = True


@pytest.mark.parametrize(
    ("activation", "head"), [("sigmoid", "own"), ("softmax", "own"), ("relu", "none")]
)
def test_a_convolution_that_segments_is_a_head(activation, head):
    """It may be trained on a frozen network, on other input than the network."""
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Conv2D(2, 1)])
    model.layers[-1].bias.assign([0.1, 0.2])
    model.layers[-1].activation = keras.activations.get(activation)
    assert one(model).head == head


@pytest.mark.parametrize(
    ("tail", "head"),
    [
        ((), "own"),
        ((layers.UpSampling2D(),), "own"),
        ((layers.GlobalAveragePooling2D(),), "none"),
        ((layers.BatchNormalization(),), "none"),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_a_convolution_that_predicts_numbers_is_a_head(tail, head, inside):
    """Such as depths or a heat map, learned with a loss that declares no classes."""
    last = layers.Conv2D(2, 1)
    decoder = [last, *tail]
    if inside:
        decoder = [keras.Sequential([keras.Input((6, 6, 4)), *decoder])]
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), *decoder])
    assert one(model).head == "none"
    trained(last)
    assert one(model).head == head


def test_which_classifier_a_model_ends_in():
    for classes, trained, head in (
        (10, False, "fresh"),
        (1000, False, "fresh"),
        (10, True, "own"),
        (1000, True, "published"),
        (None, True, "none"),
    ):
        model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3)])
        if classes:
            model.add(layers.GlobalAveragePooling2D())
            model.add(layers.Dense(classes))
        if trained:
            bias = model.layers[-1].bias
            bias.assign(bias + 0.1)
        assert one(model).head == head
    assert one(keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten()])).head == "none"


def trained(layer):
    layer.bias.assign(layer.bias + 0.1)


@pytest.mark.parametrize("kind", ["decoder", "embedding", "convolution"])
def test_layers_behind_a_network_are_a_head(base, kind):
    """A decoder on a frozen network may be trained on other input than the network."""
    trunk = base.layers[-2].output
    if kind == "embedding":
        last = layers.Dense(64)
        outputs = layers.BatchNormalization()(last(base.output))
    else:
        last = layers.Conv2D(1000 if kind == "convolution" else 2, 1)
        outputs = last(layers.UpSampling2D()(trunk) if kind == "decoder" else trunk)
    model = keras.Model(base.input, outputs)
    assert one(base).head == "none" and one(model).head == "fresh"
    trained(last)
    assert one(model).head == ("published" if kind == "convolution" else "own")


class HeadFirst(keras.Model):
    """A subclassed model that declares its head before its network."""

    def __init__(self, network):
        super().__init__()
        self.head = layers.Dense(3)
        self.network = network

    def call(self, x, training=None):
        return self.head(self.network(x, training=training))


def test_a_head_that_is_declared_before_the_network(base):
    model = HeadFirst(base)
    model(np.zeros((1, *SHAPE), "float32"))
    assert one(model).head == "fresh"
    trained(model.head)
    assert one(model).head == "own"


@pytest.mark.parametrize("front", ["repeat", "learnt", "caffe"])
def test_gray_images_in_front_of_a_network(vgg, front):
    gray = keras.Input((96, 96, 1))
    if front == "learnt":
        mix = layers.Conv2D(3, 1)
        mixed = mix(gray)
        mix.kernel.assign(np.reshape([0.31, -0.7, 0.12], mix.kernel.shape))
        trained(mix)
    else:
        mixed = layers.Concatenate()([gray] * 3)
        if front == "caffe":
            mixed = layers.Rescaling(1.0, (-103.939, -116.779, -123.68))(mixed)
    answer = one(keras.Model(gray, vgg(mixed)))
    # A repeated channel leaves the choice open, and a learnt front shows that the network was
    # trained behind it.
    assert answer.speaks == (front == "caffe")
    modes = {"repeat": "caffe", "learnt": "unknown", "caffe": "raw"}
    assert answer.convention.mode == modes[front], answer


def test_fresh_without_batch_normalisation(vgg):
    assert one(vgg).fresh
    vgg.layers[5].bias.assign(vgg.layers[5].bias + 1)
    assert not one(vgg).fresh


# --- several inputs, several networks -------------------------------------------------


def test_one_answer_for_each_image_input(base):
    left, right = keras.Input(SHAPE, name="left"), keras.Input(SHAPE, name="right")
    table = keras.Input((4,), name="table")
    x = layers.Concatenate()([base(left / 127.5 - 1), table, base(right)])
    a, b = expect_from_structure(keras.Model([table, left, right], head(x)))
    assert (a.position, a.name, a.convention) == (1, "left", RAW)
    assert (b.position, b.name, b.convention) == (2, "right", TF)


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
        model(np.zeros((1, *SHAPE), "float32"))
    answer = one(model)
    assert (answer.convention, answer.inner) == (RAW, TF)
    assert (answer.position, answer.name) == (0, "input")
    assert model.out.built is built  # reading the structure builds no layer after the network


def test_subclassed_with_a_dict_of_inputs(base):
    class Dict(Held):
        def call(self, x, training=False):
            return super().call(x["image"]) + ops.sum(x["table"])

    model = Dict(base)
    model({"table": np.zeros((1, 4), "float32"), "image": np.zeros((1, *SHAPE), "float32")})
    assert one(model).convention == RAW


def test_a_subclassed_front_that_cannot_be_traced_is_reported(base):
    answer = one(Held(base, front=lambda x: x["image"]))
    assert answer.architecture == "MobileNetV2" and answer.inner == TF
    assert not answer.convention.is_known
    assert "could not be run on a probe image" in answer.evidence[-1]


def test_sequential_that_was_never_built(base):
    model = keras.Sequential([layers.Rescaling(1 / 127.5, -1), base, layers.Dense(2)])
    assert one(model).convention == RAW
    assert not model.built


def test_network_inside_a_layer_of_the_users_own(base):
    class Backbone(layers.Layer):
        def __init__(self):
            super().__init__()
            self.net = base

        def call(self, x):
            return self.net(x / 127.5 - 1)

    images = keras.Input(SHAPE)
    assert one(keras.Model(images, head(Backbone()(images)))).convention == RAW


@pytest.mark.backend
def test_frames_of_a_film(base):
    film = keras.Input((3, *SHAPE))
    x = layers.TimeDistributed(base)(film / 127.5 - 1)
    assert one(keras.Model(film, head(layers.Flatten()(x)))).convention == RAW


def test_behind_a_learned_layer(base):
    for shape in (SHAPE, (96, 96, 5)):
        images = keras.Input(shape)
        answer = one(keras.Model(images, head(base(layers.Conv2D(3, 1)(images)))))
        assert answer.architecture == "MobileNetV2" and not answer.convention.is_known
        assert "mixes the colour channels" in answer.evidence[-1]


# --- what cannot be known ----------------------------------------------------------------


def test_trainable_normalisation_in_front_is_no_fixed_front(base):
    images = keras.Input(SHAPE)
    norm = layers.BatchNormalization()
    model = keras.Model(images, head(base(norm(images))))
    assert "adapts itself" in one(model).evidence[-1]
    norm.trainable = False
    assert one(model).convention == TF


def test_other_than_three_channels():
    model = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(96, 96, 1))
    answer = one(model)
    assert answer.architecture == "MobileNetV2" and not answer.convention.is_known
    assert "takes 1 channel" in answer.evidence[-1]


@pytest.mark.filterwarnings("ignore:This model usually expects 1 or 3:UserWarning")
@pytest.mark.parametrize("channels", [2, 13])
def test_an_untrained_network_on_any_number_of_channels_is_fresh(channels):
    model = keras.applications.MobileNetV2(weights=None, input_shape=(96, 96, channels), classes=4)
    (answer,) = expect_from_structure(model)
    assert answer.fresh and answer.trainable and not answer.convention.is_known


@pytest.mark.backend
@pytest.mark.parametrize(
    "build",
    [
        keras.Sequential,
        lambda: keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(4, 3)]),
        lambda: keras.Sequential([layers.Conv2D(4, 3)]),
        object,
        lambda: None,
    ],
    ids=["empty", "small", "unbuilt", "object", "none"],
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


class Biased(layers.Layer):
    """A layer whose `bias` cannot be converted to numbers."""

    @property
    def bias(self):
        return self

    def __array__(self, *args, **kwargs):
        raise TypeError("no number")


@pytest.mark.filterwarnings("ignore:.*unbuilt state:UserWarning")
@pytest.mark.parametrize(
    ("name", "value", "fresh"),
    [
        ("norm", layers.BatchNormalization(), True),  # never built, so it holds no statistics
        ("outputs", 2, True),
        ("odd", Biased(), True),
    ],
)
def test_attributes_of_the_users_own_do_no_harm(name, value, fresh):
    model = Plain(name, value)
    model.inputs = 3  # in Keras, this is a list of tensors
    model(np.zeros((1, 8, 8, 3), "float32"))
    answer = one(model)
    assert answer.name == "input" and not answer.convention.is_known
    assert answer.fresh is fresh


def test_no_image_no_answer():
    assert expect_from_structure(keras.Sequential([keras.Input((3,)), layers.Dense(2)])) == ()


# --- layouts ---------------------------------------------------------------------------


@pytest.mark.thorough
@pytest.mark.backend
@pytest.mark.parametrize("name", ["EfficientNetB0", "EfficientNetV2B0", "MobileNetV2", "VGG16"])
def test_channels_first(name):
    keras.config.set_image_data_format("channels_first")
    try:
        model = getattr(keras.applications, name)(
            weights=None, include_top=False, input_shape=(3, 96, 96)
        )
        expected = {"MobileNetV2": TF, "VGG16": CAFFE}.get(name, RAW)
        assert one(model).convention == expected
        images = keras.Input((96, 96, 3))  # transposed inside the model
        scaled = layers.Permute((3, 1, 2))(images * 0.5)
        answer = one(keras.Model(images, model(scaled)))
        np.testing.assert_allclose(answer.convention.scale, np.multiply(2, expected.scale))
    finally:
        keras.config.set_image_data_format("channels_last")


# --- side effects and time -----------------------------------------------------------------------


@pytest.mark.backend
def test_reading_the_structure_changes_nothing(base):
    images = keras.Input(SHAPE)
    flip = layers.RandomFlip(seed=3)
    model = keras.Model(images, head(base(layers.Rescaling(1 / 127.5, -1)(flip(images)))))
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype("float32")
    before = model.predict(x, verbose=0)
    state = (
        [(v.path, ops.convert_to_numpy(v).copy()) for v in model.variables],
        [sorted(vars(layer)) for layer in (*model.layers, *base.layers)],
        ops.convert_to_numpy(flip.generator.state),
        np.random.get_state()[1].copy(),
        random.getstate(),
        model.get_config(),
    )
    expect_from_structure(model)
    after = (
        [(v.path, ops.convert_to_numpy(v).copy()) for v in model.variables],
        [sorted(vars(layer)) for layer in (*model.layers, *base.layers)],
        ops.convert_to_numpy(flip.generator.state),
        np.random.get_state()[1].copy(),
        random.getstate(),
        model.get_config(),
    )
    assert [p for p, _ in state[0]] == [p for p, _ in after[0]]
    assert all((a == b).all() for (_, a), (_, b) in zip(state[0], after[0], strict=True))
    assert state[1] == after[1]
    assert (state[2] == after[2]).all() and (state[3] == after[3]).all()
    assert state[4:] == after[4:]
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)


@pytest.mark.thorough
def test_quick_on_resnet50():
    images = keras.Input((224, 224, 3))
    base = keras.applications.ResNet50(weights=None, include_top=False)
    model = keras.Model(images, base(keras.applications.resnet.preprocess_input(images)))
    expect_from_structure(model)  # warm-up
    start = time.perf_counter()
    assert one(model).convention == RAW
    assert time.perf_counter() - start < 1.0

"""The front of a network (all before its first convolution) is measured by running it."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_shiftguard.conventions import CAFFE_MEAN, IMAGENET_MEAN, IMAGENET_STD
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.front import FrontError, fit, probes, run_model
from keras_shiftguard.preprocessing.expected.front_input import describe, invert

pytestmark = pytest.mark.backend
RAW, TF, CAFFE = (InputConvention(*c) for c in (("raw",), ("tf",), ("caffe", "bgr")))
UNIT, TORCH = InputConvention("unit"), InputConvention("torch")
SHAPE = (40, 48, 3)


class Halve(layers.Layer):
    """A user's own layer."""

    def call(self, x):
        return x * 0.5 - 1


def run(model, stem):
    return run_model(model, 0, stem, None, (None, *SHAPE), False)


def front_of(build, shape=SHAPE, **kwargs):
    """Returns the measured fronts of a model in which `build` makes all before a convolution."""
    images = keras.Input(shape, **kwargs)
    stem = layers.Conv2D(4, 3)
    return run(keras.Model(images, stem(build(images))), stem)


def mean_and_std(x):
    return layers.Normalization(mean=IMAGENET_MEAN, variance=[s**2 for s in IMAGENET_STD])(
        layers.Rescaling(1 / 255)(x)
    )


# Each case: a front, the convention of its output, and the convention that its input must have.
@pytest.mark.parametrize(
    "build, wanted, expected",
    [
        (lambda x: x, CAFFE, CAFFE),
        (lambda x: layers.Rescaling(1 / 127.5, offset=-1)(x), TF, RAW),
        (lambda x: layers.Lambda(lambda z: z * 2 - 1)(x), TF, UNIT),
        (mean_and_std, TORCH, RAW),
        (lambda x: ops.flip(x, axis=-1) - np.array(CAFFE_MEAN[::-1], "float32"), CAFFE, RAW),
        (lambda x: ops.flip(x, axis=-1), CAFFE, InputConvention("caffe", "rgb")),
        (keras.applications.resnet.preprocess_input, CAFFE, RAW),
        (lambda x: Halve()(x), TF, InputConvention("custom", "rgb", (2 / 127.5,) * 3, (0.0,) * 3)),
        (lambda x: layers.RandomFlip()(layers.RandomRotation(0.5)(x)) / 255, UNIT, RAW),
        (lambda x: layers.GaussianNoise(1.0)(layers.Dropout(0.5)(x)), RAW, RAW),
        (lambda x: layers.CenterCrop(16, 16)(layers.Resizing(24, 24)(x)), TF, TF),
        (lambda x: layers.ZeroPadding2D(3)(x) / 255, UNIT, RAW),
        (lambda x: ops.reshape(x, (-1, 20, 96, 3)) / 255, UNIT, RAW),  # needs the declared size
        (lambda x: ops.clip(x / 255, 0, 1), UNIT, RAW),
        (lambda x: ops.clip(x, 0, 1) * 2 - 1, TF, UNIT),
    ],
    ids=lambda v: "",
)
def test_undone(build, wanted, expected):
    convention, _ = invert(front_of(build), wanted)
    assert (convention.mode, convention.channel_order) == (expected.mode, expected.channel_order)
    np.testing.assert_allclose(convention.scale, expected.scale, rtol=1e-3)
    np.testing.assert_allclose(convention.offset, expected.offset, atol=1e-2)


@pytest.mark.parametrize(
    "build, reason",
    [
        (lambda x: ops.sqrt(ops.abs(x)), "not a scale and an offset"),
        (lambda x: layers.Conv2D(3, 1)(x), "mixes the colour channels"),
        (lambda x: ops.take(x, [1, 0, 2], axis=-1), "reorders the channels"),
        (lambda x: ops.take(x, [0, 0, 2], axis=-1), "does not use each channel once"),
        (lambda x: x - ops.mean(x, axis=(1, 2), keepdims=True), "does not come through"),
        (lambda x: ops.clip(x, 0, 1) * 255, "part of the range"),
    ],
    ids=["root", "learned", "order", "twice", "centred", "wrong_clip"],
)
def test_what_cannot_be_undone_is_refused(build, reason):
    with pytest.raises(FrontError, match=reason):
        invert(front_of(build), TF)


def test_integers_and_one_channel():
    fronts = front_of(lambda x: layers.Rescaling(1 / 255)(x), dtype="uint8")
    assert invert(fronts, UNIT)[0] == RAW
    fronts = front_of(lambda x: layers.Concatenate()([x, x, x]), shape=(40, 48, 1))
    convention, _ = invert(fronts, CAFFE)
    assert (convention.mode, convention.channel_order) == ("caffe", "gray")


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_does_not_blur_a_name(policy):
    keras.config.set_dtype_policy(policy)
    try:
        fronts = front_of(lambda x: layers.Rescaling(1 / 127.5, offset=-1)(x))
    finally:
        keras.config.set_dtype_policy("float32")
    assert invert(fronts, TF)[0] == RAW


def test_a_fit_is_checked_on_values_that_it_has_not_seen():
    x = probes(3)
    bent = {name: values.copy() for name, values in x.items()}
    for values in bent.values():
        values[-1] *= 1.01  # only a held-out probe differs
    assert fit(x, x)[0].is_identity
    with pytest.raises(FrontError):
        fit(x, bent)


class Watched(layers.Layer):
    """Counts its calls, and fails if it is told to."""

    calls, fails = 0, False

    def call(self, x):
        if self.fails:
            raise RuntimeError("not today")
        self.calls += 1
        return x


def test_nothing_after_the_stop_is_run():
    images, stem, tail = keras.Input(SHAPE), layers.Conv2D(4, 3), Watched()
    model = keras.Model(images, tail(stem(images / 255)))
    before = tail.calls
    run(model, stem)
    assert tail.calls == before
    model(np.zeros((1, *SHAPE), "float32"))
    assert tail.calls > before  # the layer works as before


def test_what_the_users_code_raises_becomes_a_reason():
    images, stem, front = keras.Input(SHAPE), layers.Conv2D(4, 3), Watched()
    model = keras.Model(images, stem(front(images)))
    front.fails = True
    with pytest.raises(FrontError, match="could not be run on a probe image .*not today"):
        run(model, stem)


@pytest.mark.parametrize(
    ("build", "wanted", "own", "words"),
    [
        (lambda x: x / 255, RAW, True, "doubled inside the model itself"),
        (lambda x: (x / 127.5 - 1) / 127.5 - 1, TF, False, "first to tf ([-1, 1]), RGB, then that"),
        (
            lambda x: keras.applications.resnet.preprocess_input(x / 255),
            CAFFE,
            False,
            "first to unit ([0, 1]), RGB, then that to caffe",
        ),
        (lambda x: x / 255, CAFFE, False, "of raw images, but the network wants caffe"),
        (lambda x: x / 127.5 - 1, TF, False, "model's input must receive raw (0..255), RGB."),
        (lambda x: x, TF, False, "Nothing stands between the model's input and the network."),
        (lambda x: ops.clip(x / 255, 0, 1), UNIT, False, "images in that range."),
    ],
    ids=lambda v: "",
)
def test_a_front_in_words(build, wanted, own, words):
    convention, front = invert(front_of(build), wanted)
    text = " ".join(describe(front, convention, wanted, "the network", own))
    assert words in text and ("doubled" in text) == (own or "first to" in words), text

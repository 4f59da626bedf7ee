"""Images in a wrong memory layout or color space, and pictures that only look unusual."""

from types import SimpleNamespace

import keras
import lite0
import numpy as np
import pytest
from photos import imagenet_photos, odd_photos
from PIL import Image

import keras_shiftguard as sg
from keras_shiftguard import InputConvention
from keras_shiftguard.instrument.network_features import FeatureReader
from keras_shiftguard.preprocessing.expected.structure import StructuralExpectation
from keras_shiftguard.preprocessing.garbled import find_garbling
from keras_shiftguard.preprocessing.input_verdict import _try_repair
from keras_shiftguard.preprocessing.witnesses.trial import Trial

RAW = np.round(imagenet_photos(96)[0])
N, SIDE = RAW.shape[:2]
PLANES = np.ascontiguousarray(RAW.transpose(0, 3, 1, 2))


def in_space(space, raw=RAW):
    return np.stack([np.asarray(Image.fromarray(x.astype("uint8")).convert(space)) for x in raw])


GARBLED = {
    "channels-first memory": PLANES.reshape(N, SIDE, SIDE, 3),
    "channels-last memory": RAW.reshape(N, 3, SIDE, SIDE).transpose(0, 2, 3, 1),
    "YCbCr in place": in_space("YCbCr"),
    "YCrCb in place": in_space("YCbCr")[..., [0, 2, 1]],
    "HSV in place": in_space("HSV"),
}


@pytest.mark.parametrize("what", GARBLED)
@pytest.mark.parametrize("mode", ["raw", "tf", "torch", "caffe"])
def test_what_was_done_is_named_and_undone(what, mode):
    convention = InputConvention(mode)
    fed = convention.from_raw(GARBLED[what])
    found = find_garbling(fed, convention)
    assert found.what.startswith(what)
    # Conversions of 8-bit images round the values.
    error = np.abs(found.images - convention.from_raw(RAW)) / convention.scale[0]
    assert np.median(error) < 3 and np.quantile(error, 0.95) < 12
    first = find_garbling(np.moveaxis(fed, -1, 1), convention, channels_first=True)
    assert first.what == found.what
    assert np.allclose(np.moveaxis(first.images, 1, -1), found.images, atol=1e-4)


@pytest.mark.parametrize("what", list(GARBLED)[:2])
def test_a_layout_is_found_behind_preprocess_input(what):
    """In the mode "caffe", it reverses the channels and then subtracts the means."""
    caffe = InputConvention("caffe", "bgr")
    fed = caffe.from_raw(GARBLED[what])
    found = find_garbling(fed, caffe)
    assert found.what.startswith(what)
    assert np.allclose(found.images, caffe.from_raw(RAW), atol=1e-3)
    first = find_garbling(np.moveaxis(fed, -1, 1), caffe, channels_first=True)
    assert np.allclose(np.moveaxis(first.images, 1, -1), found.images, atol=1e-3)


@pytest.mark.parametrize("what", list(GARBLED)[:2])
def test_the_advice_is_a_line_that_works(what):
    scope = {"x": GARBLED[what]}
    exec(find_garbling(GARBLED[what], InputConvention("raw")).advice, scope)
    assert np.array_equal(scope["x"], RAW)
    scope = {"x": np.moveaxis(GARBLED[what], -1, 1)}
    advice = find_garbling(scope["x"], InputConvention("raw"), channels_first=True).advice
    exec(advice, scope)
    assert np.array_equal(scope["x"], PLANES)


@pytest.mark.parametrize(
    "images",
    [
        RAW,
        RAW[..., ::-1],
        RAW * [0.6, 1, 1],
        135 + RAW * 0.4,
        np.repeat(RAW.mean(axis=-1, keepdims=True), 3, axis=-1),
        np.stack(list(odd_photos(96).values()))[:20],
        np.random.default_rng(0).uniform(0, 255, (8, 32, 32, 3)),
        RAW[:3],
        np.round(imagenet_photos(32)[0]),
    ],
    ids="photos bgr cast pale gray odd noise three small".split(),
)
def test_pictures_are_not_garbled(images):
    found = find_garbling(images, InputConvention("raw"))
    noise = images.shape == (8, 32, 32, 3)  # noise has no layout and no colors
    assert found is None or (noise and found.what.startswith("HSV"))


def smooth_and_red():
    """Returns images like retina scans: soft, and red all over."""
    coarse = np.random.default_rng(0).integers(190, 230, (8, 4, 4)).astype("uint8")
    soft = [
        np.asarray(Image.fromarray(x).resize((64, 64), Image.Resampling.BICUBIC)) for x in coarse
    ]
    return np.round(np.stack(soft)[..., None] * [1.0, 0.45, 0.15])


def speckle(tint):
    """Returns images like radar or ultrasound: pixels differ as much nearby as far apart."""
    random = np.random.default_rng(0)
    gray = random.gamma(4, 25, (8, 64, 64, 1)) + tint * random.normal(size=(8, 64, 64, 3))
    return np.round(np.clip(np.broadcast_to(gray, (8, 64, 64, 3)), 0, 255))


@pytest.mark.parametrize("mode", ["raw", "torch"])
@pytest.mark.parametrize(
    "images", [smooth_and_red(), speckle(0), speckle(6)], ids="soft gray tint".split()
)
def test_soft_and_rough_pictures_are_not_garbled(images, mode):
    convention = InputConvention(mode)
    assert find_garbling(convention.from_raw(images), convention) is None


@pytest.mark.parametrize("images", [smooth_and_red(), RAW.mean(-1, keepdims=True).repeat(3, -1)])
def test_soft_and_gray_pictures_are_found_if_they_are_garbled(images):
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(images.shape)
    found = find_garbling(planes, InputConvention("raw"))
    assert found.what.startswith("channels-first memory")


def test_other_inputs_are_left_alone():
    raw = InputConvention("raw")
    assert find_garbling(RAW[..., :1], raw) is None
    assert find_garbling(np.full(RAW.shape, np.nan), raw) is None
    assert find_garbling(GARBLED["HSV in place"], InputConvention("unknown", "unknown")) is None


def test_images_that_are_equal_after_the_repair_are_tried_once():
    """Black pixels are black in any hue, so two of these 22 images become one."""
    black = np.zeros((2, SIDE, SIDE, 3))
    black[1, ..., 0] = 99
    fed = np.concatenate([black, GARBLED["HSV in place"]]).astype("float32")
    convolutions = [keras.layers.Conv2D(8, 3, name=name) for name in ("first", "second")]
    network = keras.Sequential([keras.Input(RAW.shape[1:]), *convolutions, keras.layers.Flatten()])
    raw = InputConvention("raw")
    structure = StructuralExpectation(0, "input", raw, raw)
    layout = SimpleNamespace(layout="channels_last")
    read = FeatureReader(network)
    trial = Trial(read, {"input": fed}, "input")
    garbling = find_garbling(fed, raw)
    assert garbling.what.startswith("HSV")
    found = _try_repair(garbling, trial, read, {"input": fed}, "input", layout, structure)
    assert found.num_images == N + 1


@pytest.mark.parametrize("bias", [0.0, 0.1])
def test_random_or_linear_weights_prove_nothing(bias):
    """Random colors look like HSV, and after conversion to RGB two images differ more."""
    random = np.random.default_rng(0)
    images = np.kron(random.integers(0, 256, (16, 4, 4, 3)), np.ones((1, 8, 8, 1)))
    last = keras.layers.Dense(1)
    network = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), last])
    last.bias.assign([bias])
    found = sg.diagnose(network, images.astype("float32"))
    assert found.status == "unknown" and not found.garbled


@pytest.mark.parametrize("what", list(GARBLED)[1:3])
def test_a_hint_is_softer_where_the_convention_is_stated(what):
    garbling = find_garbling(GARBLED[what], InputConvention("raw"))
    hint, soft = garbling.hint(False), garbling.hint(True)
    if what.startswith("YCbCr"):
        assert "YCbCr or Lab in place of RGB" in hint.sentence and soft.certainty < hint.certainty
        assert soft.sentence.startswith(f"{hint.sentence} This is right if")
    else:
        assert hint == soft and "Lab" not in hint.sentence  # a wrong layout is never intended


@pytest.mark.thorough
def test_a_mismatch_takes_the_network_as_well():
    network = lite0.build(size=96)
    tf = InputConvention("tf")
    for what in ("channels-first memory", "channels-last memory"):
        found = sg.diagnose(network, tf.from_raw(GARBLED[what]))
        assert found.status == "mismatch" and found.garbled.startswith(what) and found.fix is None
        assert f"the model is fed {what}" in str(found) and found.advice in str(found)
        assert sg.Diagnosis.from_dict(found.to_dict()).garbled == found.garbled
    right = sg.diagnose(network, tf.from_raw(RAW))
    assert not right.garbled and not any(hint.name == "garbled" for hint in right.hints)

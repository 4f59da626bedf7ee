"""Images in a wrong memory layout or color space, and pictures that only look unusual."""

import keras
import lite0
import numpy as np
import pytest
from photos import imagenet_photos, odd_photos
from PIL import Image

import keras_shiftguard as sg
from keras_shiftguard import InputConvention
from keras_shiftguard.preprocessing.garbled import find_garbling

PHOTOS = np.round(imagenet_photos(96)[0])
N, SIDE = PHOTOS.shape[:2]
PLANES = np.ascontiguousarray(PHOTOS.transpose(0, 3, 1, 2))
RAW, CAFFE = InputConvention("raw"), InputConvention("caffe", "bgr")


def in_space(space):
    return np.stack([np.asarray(Image.fromarray(x.astype("uint8")).convert(space)) for x in PHOTOS])


GARBLED = {
    "channels-first memory": PLANES.reshape(N, SIDE, SIDE, 3),
    "channels-last memory": PHOTOS.reshape(N, 3, SIDE, SIDE).transpose(0, 2, 3, 1),
    "YCbCr in place": in_space("YCbCr"),
    "YCrCb in place": in_space("YCbCr")[..., [0, 2, 1]],
    "HSV in place": in_space("HSV"),
}
LAYOUTS = list(GARBLED)[:2]
CASES = [(what, InputConvention(mode)) for what in GARBLED for mode in ("raw", "torch", "caffe")]
# In the mode "caffe", `preprocess_input` reverses the channels and then subtracts the means.
CASES += [(what, CAFFE) for what in LAYOUTS]


@pytest.mark.parametrize(("what", "convention"), CASES, ids=str)
def test_what_was_done_is_named_and_undone(what, convention):
    fed = convention.from_raw(GARBLED[what])
    found = find_garbling(fed, convention)
    assert found.what.startswith(what)
    # Conversions of 8-bit images round the values.
    error = np.abs(found.images - convention.from_raw(PHOTOS)) / convention.scale[0]
    assert np.median(error) < 3 and np.quantile(error, 0.95) < 12
    first = find_garbling(np.moveaxis(fed, -1, 1), convention, channels_first=True)
    assert first.what == found.what
    assert np.allclose(np.moveaxis(first.images, 1, -1), found.images, atol=1e-3)


@pytest.mark.parametrize("what", LAYOUTS)
@pytest.mark.parametrize("first", [False, True])
def test_the_advice_is_a_line_that_works(what, first):
    x = np.moveaxis(GARBLED[what], -1, 1) if first else GARBLED[what]
    scope = {"x": x}
    exec(find_garbling(x, RAW, channels_first=first).advice, scope)
    assert np.array_equal(scope["x"], PLANES if first else PHOTOS)


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


def two_hues():
    """Returns images like icons: a red shape on a flat ground without red."""
    share = PHOTOS.mean(axis=-1, keepdims=True) / 255
    return np.round(share * [255, 30, 30] + (1 - share) * [20, 200, 230])


PICTURES = {
    "two hues": two_hues(),
    "overflow": (PHOTOS * 1.6).astype("int64") % 256,
    "photos": PHOTOS,
    "bgr": PHOTOS[..., ::-1],
    "cast": PHOTOS * [0.6, 1, 1],
    "pale": 135 + PHOTOS * 0.4,
    "gray": np.repeat(PHOTOS.mean(axis=-1, keepdims=True), 3, axis=-1),
    "odd": np.stack(list(odd_photos(96).values()))[:20],
    "three": PHOTOS[:3],
    "small": np.round(imagenet_photos(32)[0]),
    "soft": smooth_and_red(),
    "rough": speckle(0),
    "rough and tinted": speckle(6),
    "one channel": PHOTOS[..., :1],
    "nothing": np.full(PHOTOS.shape, np.nan),
}


@pytest.mark.parametrize("what", PICTURES)
def test_pictures_are_not_garbled(what):
    convention = InputConvention("torch" if "rough" in what or what == "soft" else "raw")
    assert find_garbling(convention.from_raw(PICTURES[what]), convention) is None


@pytest.mark.parametrize("what", ["soft", "gray"])
def test_soft_and_gray_pictures_are_found_if_they_are_garbled(what):
    images = PICTURES[what]
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(images.shape)
    assert find_garbling(planes, RAW).what.startswith("channels-first memory")


def test_images_in_no_known_convention_are_left_alone():
    unknown = InputConvention("unknown", "unknown")
    assert find_garbling(GARBLED["HSV in place"], unknown) is None


@pytest.mark.parametrize("bias", [0.0, 0.1])
def test_random_or_linear_weights_prove_nothing(bias):
    """Random colors look like HSV, and after conversion to RGB two images differ more.

    Black pixels are black in any hue, so the first two images are one after the conversion.
    """
    random = np.random.default_rng(0)
    images = np.kron(random.integers(0, 256, (16, 4, 4, 3)), np.ones((1, 8, 8, 1)))
    images[:2, ..., 1:] = 0
    last = keras.layers.Dense(1)
    network = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), last])
    last.bias.assign([bias])
    found = sg.diagnose(network, images.astype("float32"))
    assert found.status == "unknown" and not found.garbled


def test_a_color_space_may_be_intended_but_a_layout_is_not():
    hint = find_garbling(GARBLED["YCbCr in place"], RAW).hint()
    assert "YCbCr or Lab in place of RGB" in hint.sentence
    assert "right if the model was trained on such images" in hint.sentence
    layout = find_garbling(GARBLED["channels-last memory"], RAW).hint()
    assert "right if" not in layout.sentence


@pytest.mark.thorough
def test_a_mismatch_takes_the_network_as_well():
    network, tf = lite0.build(size=96), InputConvention("tf")
    for what in LAYOUTS:
        found = sg.diagnose(network, tf.from_raw(GARBLED[what]))
        assert found.status == "mismatch" and found.garbled.startswith(what) and found.fix is None
        assert f"the model is fed {what}" in str(found) and found.advice in str(found)
        assert sg.Diagnosis.from_dict(found.to_dict()).garbled == found.garbled
    right = sg.diagnose(network, tf.from_raw(PHOTOS))
    assert not right.garbled and not any(hint.name == "garbled" for hint in right.hints)

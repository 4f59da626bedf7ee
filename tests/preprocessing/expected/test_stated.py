"""`expects=`: every form in which projects state the input convention of a model."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers
from skimage.data import astronaut, coffee

import keras_shiftguard as sg
from keras_shiftguard import BadInputError, InputConvention, diagnose, profile
from keras_shiftguard.preprocessing.expected.stated import for_channels, stated_conventions

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
CLIP = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
}
CONVERTER = {
    "class_name": "ViTImageConverter",
    "config": {"image_size": [224, 224], "scale": 1 / 255, "offset": None},
}
KERAS_HUB = {
    "class_name": "ViTImageClassifierPreprocessor",
    "config": {"name": "p", "image_converter": CONVERTER},
}
TO_TF = {"rescale_factor": 1 / 127.5, "rescale_offset": True, "do_normalize": False}
DETECTRON = {"mean": [103.53, 116.28, 123.675], "std": [57.375, 57.12, 58.395]}
RESCALING = {"class_name": "Rescaling", "config": {"name": "r", "scale": 1 / 127.5, "offset": -1}}
NO_NORM = {"do_normalize": False}
FORMS = {
    "caffe": ("caffe", "caffe", "bgr"),
    "convention": (InputConvention("tf", "bgr"), "tf", "bgr"),
    "timm": (IMAGENET, "torch", "rgb"),
    "timm inception": ({"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}, "tf", "rgb"),
    "std of 255": ({"mean": [0, 0, 0], "std": [255, 255, 255]}, "unit", "rgb"),
    "hf clip": (CLIP, "custom", "rgb"),
    "hf rescale only": ({"do_rescale": True, **NO_NORM}, "unit", "rgb"),
    "hf nothing": ({"do_rescale": False, **NO_NORM}, "raw", "rgb"),
    "hf pixels in [0, 1] already": ({**IMAGENET, "do_rescale": False}, "torch", "rgb"),
    "hf offset": (TO_TF, "tf", "rgb"),
    "means in B, G, R": ({"mean": [103.939, 116.779, 123.68], "std": [1, 1, 1]}, "caffe", "bgr"),
    "detectron": (DETECTRON, "torch", "bgr"),
    "hf bgr": ({"do_rescale": True, "do_flip_channel_order": True}, "unit", "bgr"),
    "timm config.json": ({"pretrained_cfg": {**IMAGENET, "crop_pct": 0.95}}, "torch", "rgb"),
    "hf processor_config.json": ({"image_processor": CLIP}, "custom", "rgb"),
    "keras layer": (RESCALING, "tf", "rgb"),
    "keras_hub preprocessor.json": (KERAS_HUB, "unit", "rgb"),
    "one number": (InputConvention("custom", "rgb", 1 / 100, [-1.0]), "custom", "rgb"),
    "converter": (SimpleNamespace(scale=1 / 127.5, offset=-1), "tf", "rgb"),
    "preprocessor": (
        SimpleNamespace(image_converter=SimpleNamespace(scale=[1 / 255] * 3, offset=None)),
        "unit",
        "rgb",
    ),
}


def photos(size=64, number=12):
    """Returns raw RGB crops of two photos, whose values reach from 0 to 255."""
    rng = np.random.default_rng(0)
    crops = []
    for i in range(number):
        photo = (astronaut(), coffee())[i % 2]
        top, left = rng.integers(0, np.array(photo.shape[:2]) - size)
        crops.append(photo[top : top + size, left : left + size])
    images = np.stack(crops)
    images[0, 0, 0], images[0, 0, 1] = 0, 255
    return images


def network(channels=3):
    keras.utils.set_random_seed(0)
    body = [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    model = keras.Sequential([keras.Input((64, 64, channels), name="camera"), *body])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.mark.parametrize("form", FORMS)
def test_forms(form):
    value, mode, order = FORMS[form]
    (convention,) = stated_conventions(value).values()
    assert (convention.mode, convention.channel_order) == (mode, order)


def test_the_numbers_of_a_custom_convention():
    (clip,) = stated_conventions(CLIP).values()
    raw = np.full((1, 1, 1, 3), 100.0)
    want = (100 / 255 - np.asarray(CLIP["image_mean"])) / np.asarray(CLIP["image_std"])
    np.testing.assert_allclose(clip.from_raw(raw)[0, 0, 0], want, rtol=1e-6)


def test_one_number_for_all_channels():
    values = {"mean": [0.5], "std": [0.25]}
    stated = stated_conventions(values)[None]
    rgb = InputConvention("custom", "rgb", stated.scale * 3, stated.offset * 3)
    assert for_channels(stated, 3) == rgb
    assert for_channels(stated, 1).channel_order == "gray"
    assert for_channels(stated, 4).channel_order == "unknown"
    flipped = stated_conventions({**values, "do_flip_channel_order": True})[None]
    assert for_channels(flipped, 3).channel_order == "bgr"
    assert for_channels(InputConvention("tf"), 1).channel_order == "gray"
    with pytest.raises(BadInputError, match="3 means"):
        for_channels(stated_conventions(CLIP)[None], 1)


def test_files_and_profiles(tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CLIP))
    assert stated_conventions(str(config)) == stated_conventions(CLIP)
    config.write_text('{"model_type": "vit"}')
    with pytest.raises(BadInputError, match="does not say how"):
        stated_conventions(config)
    of_photos = profile((photos() / 127.5 - 1).astype("float32"))
    of_photos.save(tmp_path / "train.profile")
    for value in (of_photos, tmp_path / "train.profile"):
        assert stated_conventions(value) == {None: InputConvention("tf", "unknown")}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("imagenet", "must be a mode"),
        (3, "must be a mode"),
        ({}, "must be a mode"),
        ({"mean": [0.485, 116.0, 0.406], "std": [1, 1, 1]}, "on one scale"),
        ({"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.0, 0.5]}, "above 0"),
        ({"mean": [0.5, 0.5, 0.5], "std": [58.0, 57.0, 57.0]}, "in 0..255"),
        ({"mean": [0.5, 0.5], "std": [0.5, 0.5, 0.5]}, "differ in length"),
        ({"mean": "dark"}, "one number for each channel"),
        ({"mean": [300.0, 1.5, 2.0]}, "must lie in"),
        (InputConvention("unknown"), "unknown convention"),
        ({"mean": [127.5] * 3, "std": [0.5] * 3}, "both of pixels in 0..255"),
        ({"rescale_factor": "1/255"}, "`rescale_factor` in `expects` must be one number"),
        ({"rescale_factor": -1}, "`rescale_factor` in `expects` must be above 0"),
        ({"do_normalize": True, "do_rescale": True}, "must hold the mean and std"),
        ({"do_rescale": "no"}, "`do_rescale` in `expects` must be True or False"),
        (SimpleNamespace(scale=[0.5, 0.5], offset=[1.0] * 3), "one for each channel"),
        (SimpleNamespace(scale=(1.0, 0.0, 1.0), offset=0.0), "must not be 0"),
        (SimpleNamespace(scale=np.nan, offset=0.0), "must not be 0"),
        (json.dumps([CLIP] * 9), "which is no file"),  # the content of a file, not its path
        ("torch\0", "which is no file"),
        ({"scale": "x", "offset": 0}, "must not be 0"),
    ],
)
def test_what_makes_no_sense_is_said_before_training(value, message):
    with pytest.raises(BadInputError, match=message):
        sg.ShiftGuard(expects=value)


def test_other_than_three_channels():
    rgba = np.concatenate([photos(), photos()[..., :1]], axis=-1)
    found = diagnose(network(channels=4), rgba, expects="unit")
    assert (found.status, found.expected) == ("mismatch", InputConvention("unit", "unknown"))
    np.testing.assert_allclose(np.asarray(found.fix(rgba)), rgba / 255, atol=1e-6)
    with pytest.raises(BadInputError, match="3 means, and the input has 4 channels"):
        diagnose(network(channels=4), rgba, expects="torch")
    gray = diagnose(network(channels=1), photos()[..., :1].astype("float32"), expects="unit")
    assert (gray.status, gray.expected) == ("mismatch", InputConvention("unit", "gray"))


@pytest.mark.parametrize(
    ("value", "fed"), [("tf", "tf"), ("torch", "raw"), (CLIP, "unit"), ("raw", CLIP)], ids=str
)
def test_a_network_without_batch_norm_has_a_verdict(value, fed):
    """Without batch norm the network gives no evidence, so the verdict rests on `expects=`."""
    (as_fed,), (expected,) = stated_conventions(fed).values(), stated_conventions(value).values()
    found = diagnose(network(), as_fed.from_raw(photos()), expects=value)
    # Images in a convention without a name cannot be recognized for sure.
    wrong = ("mismatch", "unknown") if fed is CLIP else ("mismatch",)
    assert found.status in (("ok",) if fed == value else wrong), str(found)
    assert found.expected == expected
    if found.status != "unknown":
        assert any("You said" in sentence for sentence in found.evidence)
    if fed != value and fed is not CLIP:
        np.testing.assert_allclose(
            np.asarray(found.fix(as_fed.from_raw(photos()))), expected.from_raw(photos()), atol=0.1
        )


def test_a_stated_convention_overrules_the_published_one():
    model = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3))
    images = InputConvention("torch").from_raw(photos(size=32))
    found = diagnose(model, images, expects="torch")
    assert found.status == "ok" and "MobileNetV2 is published for tf" in str(found.evidence)


@pytest.mark.parametrize(
    ("expects", "channels", "message"),
    [({"lens": "tf"}, 3, "names the input 'lens'"), (CLIP, 1, "3 means")],
)
def test_what_does_not_fit_the_model_is_said_before_training(expects, channels, message):
    x, y = photos()[..., :channels].astype("float32"), np.zeros(12)
    with pytest.raises(BadInputError, match=message):
        diagnose(network(channels), x, expects=expects)
    with pytest.raises(BadInputError, match=message):
        guard = sg.ShiftGuard(expects=expects, verbose=0)
        network(channels).fit(x, y, callbacks=[guard], verbose=0)


def test_the_only_input_has_a_name_of_its_own():
    assert diagnose(network(), photos(), expects={"camera": "tf"}).status == "mismatch"

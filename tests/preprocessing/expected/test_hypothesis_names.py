"""Hypotheses and observations are turned into conventions with names."""

import numpy as np
import pytest

from keras_shiftguard import profile
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.hypotheses import hypotheses_for
from keras_shiftguard.preprocessing.expected.hypothesis_names import (
    both_conventions,
)

RAW = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 4)).astype("float32")
UNIT, UNIT_RGB, UNIT_BGR = (InputConvention("unit", order) for order in ("unknown", "rgb", "bgr"))
TF, CAFFE, TORCH = InputConvention("tf"), InputConvention("caffe", "bgr"), InputConvention("torch")


def hypothesis(mode, observed=UNIT, channels=3, **wanted):
    images = RAW[..., :channels] * observed.scale[0] + observed.offset[0]
    found = hypotheses_for(observed, profile(images).inputs["input"], None)
    wanted = {"mode": mode, "swap": False, "inverted": False, **wanted}
    return next(h for h in found if all(getattr(h, k) == v for k, v in wanted.items()))


@pytest.mark.parametrize(
    ("mode", "wanted", "observed", "expected", "fed"),
    [
        # No channel order is known, so RGB is assumed, on which most networks are trained.
        ("tf", {}, UNIT, TF, UNIT_RGB),
        ("tf", {"swap": True}, UNIT, TF, UNIT_BGR),
        ("caffe", {"means": "bgr"}, UNIT, CAFFE, UNIT_BGR),
        ("caffe", {"means": "bgr", "swap": True}, UNIT, CAFFE, UNIT_RGB),
        # The means tell the order of the fed images, and thereby the expected order.
        ("tf", {}, CAFFE, InputConvention("tf", "bgr"), CAFFE),
        ("tf", {"swap": True}, CAFFE, TF, CAFFE),
        ("tf", {"swap": True}, TORCH, InputConvention("tf", "bgr"), TORCH),
        ("torch", {"means": "rgb", "swap": True}, CAFFE, TORCH, CAFFE),  # both have means
    ],
)
def test_what_is_expected_and_what_was_fed(mode, wanted, observed, expected, fed):
    assert both_conventions(hypothesis(mode, observed, **wanted), observed) == (expected, fed)


def test_means_in_one_order_and_pixels_in_the_other_have_no_name():
    straight = hypothesis("torch", CAFFE, means="rgb", swap=False)
    expected, fed = both_conventions(straight, CAFFE)
    assert expected == TORCH and (fed.mode, fed.channel_order) == ("custom", "rgb")
    assert (fed.scale, fed.offset) == (CAFFE.scale, CAFFE.offset)


def test_a_constant_channel_has_no_deviation_of_its_own():
    opaque = np.concatenate([RAW[..., :3], np.full_like(RAW[..., :1], 255)], axis=-1)
    found = hypotheses_for(InputConvention("raw", "unknown"), profile(opaque).inputs["input"], None)
    (own,) = (h for h in found if h.mode == "custom")
    np.testing.assert_allclose(own.transform.apply(opaque)[..., 3], 0, atol=1e-4)


@pytest.mark.parametrize(
    ("raw", "has_own"),
    [
        (np.clip(RAW[..., :3] * 0.45 + 66, 0, 255), True),  # pale
        (np.clip((RAW[..., :3] - 122) * 0.8 + 112, 0, 255), False),  # like photos
        (np.where(RAW[..., :3] < 128, 0, RAW[..., :3]), True),  # much black, as of clothes
    ],
    ids=["pale", "photos", "clothes"],
)
def test_levels_that_photos_do_not_have_may_be_those_of_an_own_data_set(raw, has_own):
    raw = raw.astype("float32")
    found = hypotheses_for(InputConvention("raw", "rgb"), profile(raw).inputs["input"], None)
    own = [h for h in found if h.mode == "custom" and not h.swap]
    assert len(own) == has_own
    for each in own:
        changed = each.transform.apply(raw)
        np.testing.assert_allclose(changed.mean((0, 1, 2)), 0, atol=0.02)
        np.testing.assert_allclose(changed.std((0, 1, 2)), 1, atol=0.02)

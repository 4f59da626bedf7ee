"""Hypotheses and observations are turned into conventions with names."""

from dataclasses import replace

import numpy as np
import pytest

from keras_shiftguard import BadInputError, profile
from keras_shiftguard.preprocessing.correction.convention import InputConvention, affine_between
from keras_shiftguard.preprocessing.expected.hypotheses import hypotheses_for
from keras_shiftguard.preprocessing.expected.hypothesis_names import (
    as_convention,
    as_observed,
    both_conventions,
    candidate_in_words,
    ordered,
    same_numbers,
)

RAW = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 4)).astype("float32")
UNIT, UNIT_RGB, UNIT_BGR = (InputConvention("unit", order) for order in ("unknown", "rgb", "bgr"))


def tried(observed, channels=3):
    images = RAW[..., :channels] * observed.scale[0] + observed.offset[0]
    return hypotheses_for(observed, profile(images).inputs["input"], None)


def hypothesis(mode, observed=UNIT, channels=3, **wanted):
    wanted = {"swap": False, "inverted": False, **wanted}
    return next(
        h
        for h in tried(observed, channels)
        if h.mode == mode and all(getattr(h, name) == value for name, value in wanted.items())
    )


@pytest.mark.thorough
def test_the_convention_of_a_hypothesis():
    assert as_convention(hypothesis("tf"), "bgr") == InputConvention("tf", "bgr")
    # The order of the means has priority over the order in the argument.
    assert as_convention(hypothesis("caffe", means="bgr"), "rgb") == InputConvention("caffe", "bgr")
    assert as_convention(hypothesis("torch", means="rgb"), "unknown").channel_order == "rgb"
    gray = hypothesis("unit", channels=1)
    assert as_convention(gray, "rgb") == InputConvention("unit", "gray")
    own = as_convention(hypothesis("custom", channels=1), "rgb")
    assert (own.mode, own.channel_order, len(own.scale)) == ("custom", "gray", 1)
    # Four channels have no name for their order.
    assert as_convention(hypothesis("tf", channels=4), "unknown").channel_order == "unknown"


def test_names_in_a_chart():
    assert candidate_in_words(hypothesis("tf")) == "tf ([-1, 1])"
    assert candidate_in_words(hypothesis("tf", swap=True)) == "tf ([-1, 1]), red and blue swapped"
    inverted = hypothesis("unit", channels=1, inverted=True)
    assert candidate_in_words(inverted) == "unit ([0, 1]), gray, inverted"
    odd = InputConvention("custom", "unknown", (0.5,) * 3, (3.0,) * 3)
    assert candidate_in_words(hypothesis("as fed", odd)) == "custom (raw * 0.5 + 3) as fed"


@pytest.mark.parametrize(
    ("mode", "wanted", "observed", "expected", "fed"),
    [
        # No channel order is known, so RGB is assumed, on which most networks are trained.
        ("tf", {}, UNIT, ("tf", "rgb"), ("unit", "rgb")),
        ("tf", {"swap": True}, UNIT, ("tf", "rgb"), ("unit", "bgr")),
        ("caffe", {"means": "bgr"}, UNIT, ("caffe", "bgr"), ("unit", "bgr")),
        ("caffe", {"means": "bgr", "swap": True}, UNIT, ("caffe", "bgr"), ("unit", "rgb")),
        ("torch", {"means": "rgb", "swap": True}, UNIT, ("torch", "rgb"), ("unit", "bgr")),
        # The means tell the order of the fed images, and thereby the expected order.
        ("tf", {}, InputConvention("caffe", "bgr"), ("tf", "bgr"), ("caffe", "bgr")),
        ("tf", {"swap": True}, InputConvention("caffe", "bgr"), ("tf", "rgb"), ("caffe", "bgr")),
        ("tf", {"swap": True}, InputConvention("torch", "rgb"), ("tf", "bgr"), ("torch", "rgb")),
        # Both conventions have means.
        (
            *("torch", {"means": "rgb", "swap": True}, InputConvention("caffe", "bgr")),
            *(("torch", "rgb"), ("caffe", "bgr")),
        ),
    ],
)
def test_what_is_expected_and_what_was_fed(mode, wanted, observed, expected, fed):
    found = both_conventions(hypothesis(mode, observed, **wanted), observed)
    assert found == (InputConvention(*expected), InputConvention(*fed))


def test_means_in_one_order_and_pixels_in_the_other_have_no_name():
    observed = InputConvention("caffe", "bgr")
    straight = hypothesis("torch", observed, means="rgb", swap=False)
    expected, fed = both_conventions(straight, observed)
    assert expected == InputConvention("torch", "rgb")
    assert (fed.mode, fed.channel_order) == ("custom", "rgb")
    assert (fed.scale, fed.offset) == (observed.scale, observed.offset)


def test_without_three_channels_there_is_no_order():
    for channels, order in ((1, "gray"), (4, "unknown")):
        observed = InputConvention("unit", order)
        expected, fed = both_conventions(hypothesis("tf", channels=channels), observed)
        assert expected.channel_order == fed.channel_order == order


def test_inverted_pixels():
    observed = InputConvention("unit", "gray")
    expected, fed = both_conventions(hypothesis("tf", channels=1, inverted=True), observed)
    assert expected == InputConvention("tf", "gray") and fed.mode == "custom"
    raw = np.array([0.0, 51.0, 255.0])
    np.testing.assert_allclose(raw * fed.scale + fed.offset, 1 - raw / 255)


def test_an_observation_gets_its_order_from_what_is_expected():
    assert as_observed(UNIT, UNIT_BGR, swap=False) == UNIT_BGR
    assert as_observed(UNIT, UNIT_BGR, swap=True) == UNIT_RGB
    unknown = InputConvention("unknown", "unknown")
    assert as_observed(unknown, UNIT_RGB, swap=True) is unknown
    custom = InputConvention("custom", "unknown", (0.1,) * 3, (0.0,) * 3)
    assert as_observed(custom, UNIT_RGB, True) == replace(custom, channel_order="bgr")
    # `ordered` assumes that no channels are swapped.
    assert ordered(UNIT, UNIT_BGR) == UNIT_BGR
    assert ordered(UNIT_RGB, UNIT_BGR) == UNIT_RGB
    assert ordered(UNIT, unknown) == UNIT


def test_the_same_numbers_to_one_part_in_a_hundred():
    def like(scale=1.0, offset=0.0):
        tf = InputConvention("tf", "rgb")
        return InputConvention(
            "custom",
            "rgb",
            tuple(s * scale for s in tf.scale),
            tuple(o + offset for o in tf.offset),
        )

    tf = InputConvention("tf", "rgb")
    assert same_numbers(tf, InputConvention("tf", "bgr"))
    assert not same_numbers(UNIT_RGB, tf)
    # The tolerance is one hundredth of the range, which is 2 here.
    for offset in (0.0199, -0.0199):
        assert same_numbers(like(offset=offset), tf)
    for offset in (0.0201, -0.0201):
        assert not same_numbers(like(offset=offset), tf)
    assert same_numbers(like(scale=1.005, offset=0.005), tf)
    assert not same_numbers(like(scale=1.02), tf) and not same_numbers(like(scale=0.98), tf)


def test_an_unknown_convention_cannot_be_corrected():
    tf, unknown = InputConvention("tf", "rgb"), InputConvention("unknown", "unknown")
    with pytest.raises(BadInputError, match="The observed convention is unknown"):
        affine_between(unknown, tf)
    with pytest.raises(BadInputError, match="The expected convention is unknown"):
        affine_between(tf, unknown)


def test_the_layer_of_a_convention_of_unknown_order_takes_any_number_of_channels():
    for channels in (1, 3, 4):
        layer = InputConvention("tf", "unknown").to_layer()
        np.testing.assert_allclose(
            layer(RAW[..., :channels]), RAW[..., :channels] / 127.5 - 1, atol=1e-6
        )

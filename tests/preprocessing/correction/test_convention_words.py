"""Conventions in words and as layers: by name, as a known mistake, or by scale and offset."""

import numpy as np
import pytest

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.preprocessing.correction.convention import InputConvention, affine_between
from keras_shiftguard.preprocessing.correction.convention_words import (
    difference_in_words,
    in_words,
    mistake_in_words,
)

TF, UNIT_BGR = InputConvention("tf"), InputConvention("unit", "bgr")
CAFFE, UNKNOWN = InputConvention("caffe", "bgr"), InputConvention("unknown", "unknown")


def custom(scale, offset=0.0, order="rgb"):
    n = 1 if order == "gray" else 3
    scale, offset = (v if isinstance(v, tuple) else (v,) * n for v in (scale, offset))
    return InputConvention("custom", order, scale, offset)


TWICE = 1 / 255**2
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SKIPPED = tuple(1 / s for s in STD), tuple(-m / s for m, s in zip(MEAN, STD, strict=True))


@pytest.mark.parametrize(
    ("convention", "words"),
    [
        (custom(TWICE), "divided by 255 twice"),
        (custom(1 / 127.5**2, -1 - 1 / 127.5), "scaled from 0..255 to [-1, 1] twice"),
        (custom(1 / 127.5 / 255, -1 / 255), "then divided by 255 once more"),
        (custom(1.0, (-2 * 123.68, -2 * 116.779, -2 * 103.939)), "the ImageNet mean twice"),
        (custom(*SKIPPED), "with the ImageNet mean and deviation of [0, 1] pixels"),
        (custom(1 / 200.0), None),
        # A fit is never exact.
        (custom(TWICE * 1.01, 0.01 / 255), "divided by 255 twice"),
        (custom(TWICE * 1.03), None),
        (custom(TWICE, 0.03 / 255), None),
    ],
)
def test_known_mistakes(convention, words):
    found = mistake_in_words(convention)
    assert words in found if words else found is None
    turned = custom(convention.scale[::-1], convention.offset[::-1], "bgr")
    assert mistake_in_words(turned) == found
    assert in_words(convention) == (f"{found}, RGB" if words else str(convention))


@pytest.mark.parametrize(
    ("expected", "fed", "words"),
    [
        (TF, UNIT_BGR, "the model is fed unit ([0, 1]), BGR, but expects tf ([-1, 1]), RGB."),
        (TF, InputConvention("tf", "bgr"), "red and blue are swapped. The model is fed BGR"),
        (CAFFE, UNIT_BGR, "fed unit ([0, 1]), BGR as expected (assumed), but"),
        (CAFFE, custom(TWICE, order="bgr"), "twice, BGR as expected (assumed), but"),
        (CAFFE, InputConvention("torch", "bgr"), "deviation), BGR, but expects caffe"),
        (TF, UNKNOWN, "fits nothing known, but it expects tf"),
    ],
)
def test_what_is_fed_and_what_is_expected(expected, fed, words):
    assert words in difference_in_words(expected, fed)


def test_an_unknown_convention_cannot_be_corrected():
    with pytest.raises(BadInputError, match="The observed convention is unknown"):
        affine_between(UNKNOWN, TF)
    with pytest.raises(BadInputError, match="The expected convention is unknown"):
        affine_between(TF, UNKNOWN)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_layer_of_a_convention_of_unknown_order_takes_any_number_of_channels(channels):
    x = np.arange(2 * 3 * 4 * channels, dtype="float32").reshape(2, 3, 4, channels)
    layer = InputConvention("tf", "unknown").to_layer()
    np.testing.assert_allclose(layer(x), x / 127.5 - 1, atol=1e-6)

"""Conventions in words: by name, as a known mistake, or by scale and offset."""

import pytest

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.correction.convention_words import (
    difference_in_words,
    in_words,
    mistake_in_words,
)


def custom(scale, offset=0.0, order="rgb"):
    n = 1 if order == "gray" else 3
    scale, offset = (v if isinstance(v, tuple) else (v,) * n for v in (scale, offset))
    return InputConvention("custom", order, scale, offset)


TWICE = 1 / 255**2
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SKIPPED = tuple(1 / s for s in STD), tuple(-m / s for m, s in zip(MEAN, STD, strict=True))
SCALED = "0..255 scaled from 0..255 to [-1, 1]"


@pytest.mark.parametrize(
    ("convention", "words"),
    [
        (custom(TWICE), "0..255 divided by 255 twice"),
        (custom(1 / 127.5**2, -1 - 1 / 127.5), f"{SCALED} twice"),
        (custom(1 / 127.5 / 255, -1 / 255), f"{SCALED}, then divided by 255 once more"),
        (custom(1 / 255 / 127.5, -1.0), f"0..255 divided by 255, then {SCALED[7:]} once more"),
        (
            custom(1.0, (-2 * 123.68, -2 * 116.779, -2 * 103.939)),
            "0..255 reduced by the ImageNet mean twice",
        ),
        (
            custom(*SKIPPED),
            "0..255 normalised with the ImageNet mean and deviation of [0, 1] pixels",
        ),
        (custom(1 / 200.0), None),
    ],
)
def test_known_mistakes(convention, words):
    assert mistake_in_words(convention) == words
    turned = custom(convention.scale[::-1], convention.offset[::-1], "bgr")
    assert mistake_in_words(turned) == words
    assert in_words(convention) == (f"{words}, RGB" if words else str(convention))


def test_how_close_a_known_mistake_must_be():
    # The tolerance of the scale is 2 %; that of the offset is 2 % of the range of the values.
    assert mistake_in_words(custom(TWICE * 1.019)) and not mistake_in_words(custom(TWICE * 1.021))
    near = 0.02 / 255
    assert mistake_in_words(custom(TWICE, near * 0.99))
    assert not mistake_in_words(custom(TWICE, near * 1.01))
    assert mistake_in_words(InputConvention("unit")) is None
    assert in_words(custom(TWICE, order="gray")) == "0..255 divided by 255 twice"


def test_what_is_fed_and_what_is_expected():
    tf, unit = InputConvention("tf"), InputConvention("unit", "bgr")
    assert difference_in_words(tf, unit) == (
        "the model is fed unit ([0, 1]), BGR, but expects tf ([-1, 1]), RGB."
    )
    assert difference_in_words(tf, InputConvention("tf", "bgr")) == (
        "red and blue are swapped. The model is fed BGR but expects RGB; the scale, "
        "tf ([-1, 1]), is right."
    )
    caffe, twice = InputConvention("caffe", "bgr"), custom(TWICE, order="bgr")
    assert "fed unit ([0, 1]), BGR as expected (assumed), but" in difference_in_words(caffe, unit)
    assert "twice, BGR as expected (assumed), but" in difference_in_words(caffe, twice)
    seen = difference_in_words(caffe, InputConvention("torch", "bgr"))
    assert "deviation), BGR, but expects caffe" in seen
    nothing = InputConvention("unknown", "unknown")
    assert "fits nothing known, but it expects tf" in difference_in_words(tf, nothing)

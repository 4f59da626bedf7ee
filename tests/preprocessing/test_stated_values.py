"""Images against a stated convention: their values alone may acquit or accuse them.

Pale, dark and augmented images in the stated convention are right; only values that no such image
has are wrong.
"""

import numpy as np
import pytest
from known_evidence import PIXELS
from numpy_reference import summarise
from photos import imagenet_photos

from keras_shiftguard.preprocessing.case import Case
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.decision import decide
from keras_shiftguard.preprocessing.expected.structure import StructuralExpectation
from keras_shiftguard.preprocessing.observed.observe import observe

CLIP = InputConvention("custom", "rgb", (0.0146, 0.01501, 0.01422), (-1.79226, -1.75210, -1.48022))
HALF = InputConvention("custom", "rgb", (1 / 255,) * 3, (-0.5,) * 3)
TORCH_OF_RAW = InputConvention("custom", "rgb", (1 / 70,) * 3, (-1.8,) * 3)
NAMED = [
    InputConvention(*each) for each in (("raw",), ("unit",), ("tf",), ("torch",), ("caffe", "bgr"))
]


def status_of(images, expected, who="stated"):
    """Returns the verdict's status if a person, or the model's own layers, state `expected`."""
    if isinstance(expected, str):
        expected = InputConvention(expected)
    speaks = who == "layers"
    structure = StructuralExpectation("input", expected, expected, "ANet", speaks=speaks)
    summary = summarise(images)
    reading = "There is no batch norm."
    return decide(
        Case(observe(summary), summary, structure, True, False, reading, stated=not speaks)
    ).status


def ramp(low, high):
    return np.linspace(low, high, 1200).reshape(100, 2, 2, 3)


@pytest.mark.parametrize(
    ("low", "high", "expected", "status"),
    [
        (0.0, 1.0, "unit", "ok"),
        (0.0, 1.0, "tf", "mismatch"),
        (0.06, 1.0, "tf", "unknown"),  # they may be pale images in [-1, 1]
        (0.06, 1.0, "raw", "mismatch"),  # no paleness explains a factor of 255
        (-0.05, 0.65, "unit", "ok"),  # augmented
        (-0.05, 0.53, "unit", "unknown"),  # they fill too little of [0, 1]
        (-0.09, 1.09, "unit", "ok"),
        (-0.2, 1.0, "unit", "unknown"),  # many values are outside
        (-0.4, 1.0, "unit", "mismatch"),  # and far outside
        (0.0, 0.08, "unit", "ok"),  # dark
        (0.0, 0.05, "unit", "unknown"),  # noise spans as much
    ],
)
@pytest.mark.parametrize("who", ["stated", "layers"])
def test_values_in_and_around_the_stated_range(who, low, high, expected, status):
    assert status_of(ramp(low, high), expected, who) == status


@pytest.mark.parametrize(("edge", "status"), [(0.8, "unknown"), (1.0, "mismatch")])
def test_strong_contrast_is_no_other_convention(edge, status):
    """It takes images out of the stated range, into part of the range of [-1, 1]."""
    assert status_of(ramp(-edge, edge), HALF) == status


@pytest.mark.parametrize(("who", "status"), [("stated", "ok"), ("layers", "unknown")])
def test_only_a_person_acquits_images_that_reach_neither_black_nor_white(who, status):
    assert status_of(ramp(0.3, 0.5), "unit", who) == status


@pytest.mark.parametrize(("value", "status"), [(-0.4, "ok"), (-0.7, "unknown")])
def test_one_pixel_may_lie_further_outside(value, status):
    images = ramp(-0.05, 0.65)
    images[0, 0, 0] = value
    assert status_of(images, "unit") == status


@pytest.mark.parametrize(
    ("expected", "gain", "black", "status"),
    [
        (CLIP, [0.3, 0.3, 0.3], [0.0, 0.0, 0.0], "ok"),  # dark
        (HALF, [0.2, 0.7, 0.8], [5.0, 20.0, 30.0], "ok"),  # under water
        (CLIP, [0.05, 0.05, 0.05], [0.0, 0.0, 0.0], "unknown"),  # hardly any values
    ],
)
def test_images_in_a_convention_without_a_name(expected, gain, black, status):
    assert status_of(expected.from_raw(np.tile(PIXELS, (2, 2, 2, 1)) * gain + black), expected) == (
        status
    )


@pytest.mark.parametrize(("pixel", "status"), [(None, "ok"), (300.0, "unknown")])
def test_one_broken_pixel_convicts_nobody(pixel, status):
    """A hot pixel widens the range that is fitted to the extremes."""
    images = TORCH_OF_RAW.from_raw(np.tile(PIXELS, (2, 16, 16, 1)))
    if pixel is not None:
        images[0, 0, 0] = pixel
    assert status_of(images, TORCH_OF_RAW) == status


PALE_OR_DARK = {"plain": (0, 255), "pale": (60, 230), "low contrast": (40, 210), "dark": (10, 120)}


@pytest.mark.parametrize("levels", PALE_OR_DARK)
def test_pale_and_dark_photos_in_the_stated_convention_are_right(levels):
    black, white = PALE_OR_DARK[levels]
    raw = black + imagenet_photos(32)[0][:12] * ((white - black) / 255)
    for fed in NAMED:
        for stated in NAMED:
            is_known_gap = (levels, stated.mode, fed.mode) == ("low contrast", "tf", "torch")
            if not is_known_gap:  # they look like images in [-1, 1] that were augmented
                is_right = status_of(fed.from_raw(raw), stated) == "ok"
                assert is_right == (fed == stated), (stated, fed)
    for mode in ("torch", "caffe"):  # the means in the other order
        expected = next(each for each in NAMED if each.mode == mode)
        other = InputConvention(mode, {"rgb": "bgr", "bgr": "rgb"}[expected.channel_order])
        assert status_of(other.from_raw(raw), expected) != "ok"

"""Forms of images (what one or two preprocessing steps make of pixels), and their differences."""

from itertools import product

import numpy as np
import pytest

from keras_shiftguard.conventions import MODES, change_in_words, forms

PLAIN = tuple(MODES)
STEPS = tuple(mode for mode in MODES if mode != "raw")


def form(*steps, order=None, channels=3):
    return next(
        f for f in forms(channels) if f.steps == steps and (order is None or f.order == order)
    )


@pytest.mark.parametrize("first", PLAIN)
@pytest.mark.parametrize("second", [None, *STEPS])
def test_a_form_is_its_steps_one_after_the_other(first, second):
    if first == "raw" and second:
        assert not any(f.steps == (first, second) for f in forms(3))
        return
    raw = np.random.default_rng(0).uniform(0, 255, (20, 3))
    x = raw
    steps = (first, second) if second else (first,)
    for mode in steps:
        scale, offset = (np.asarray(v) for v in MODES[mode])
        x = x * scale + offset
    here = [f for f in forms(3) if f.steps == steps and f.order in ("", "rgb")]
    assert len(here) == 1 and here[0].has_two_steps == bool(second)
    np.testing.assert_allclose(raw * here[0].scale + here[0].offset, x)
    for other in (f for f in forms(3) if f.steps == steps and f.order == "bgr"):
        np.testing.assert_array_equal(other.scale, here[0].scale[::-1])
        np.testing.assert_array_equal(other.offset, here[0].offset[::-1])


@pytest.mark.parametrize("mode", PLAIN)
def test_the_span_of_values_in_a_form(mode):
    here = form(mode)

    def span(low, high):
        return here.span(low * here.scale + here.offset, high * here.scale + here.offset)

    low, high = np.full(3, 20.0), np.full(3, 173.0)
    assert span(low, high) == pytest.approx(0.6)
    # The span covers all channels together. Rounding may take values out of 0..255 by two levels.
    assert span(np.array([0.0, 51, 51]), np.array([51.0, 51, 102])) == pytest.approx(0.4)
    assert span(np.full(3, -1.9), np.full(3, 256.9)) > 1
    assert span(np.full(3, -2.1), np.full(3, 200.0)) == 0
    assert span(np.full(3, 50.0), np.full(3, 257.1)) == 0
    # Values that span a fifth of 0..255 can be an image, a flat patch cannot.
    assert span(np.full(3, 100.0), np.full(3, 151.1)) == pytest.approx(0.2, abs=0.001)
    assert span(np.full(3, 100.0), np.full(3, 150.9)) == 0


@pytest.mark.parametrize(
    ("mode", "more", "less", "twice"),
    [
        ("unit", "rescaled", "not rescaled", "rescaled twice"),
        ("tf", "rescaled", "not rescaled", "scaled to -1..1 twice"),
        ("torch", "normalised", "not normalised", "normalised twice"),
        ("caffe", "mean subtracted", "mean not subtracted", "mean subtracted twice"),
    ],
)
def test_one_step_more_or_less(mode, more, less, twice):
    assert change_in_words(form("raw"), form(mode)) == more
    assert change_in_words(form(mode), form("raw")) == less
    assert change_in_words(form(mode), form(mode, mode)) == twice


def test_every_difference_has_a_name():
    for before, after in product(forms(3), forms(3)):
        if before.steps != after.steps:
            assert change_in_words(before, after)

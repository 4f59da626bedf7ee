"""Bars at the edges of images, and images that were divided as whole numbers."""

import numpy as np
import pytest

from keras_shiftguard.preprocessing.hints.content import frame_hints, whole_division_hints


def framed(top=0, bottom=0, left=0, right=0, n=6):
    """Returns noise with black bars of these widths in pixels."""
    images = np.random.default_rng(0).uniform(1, 255, (n, 40, 40, 3))
    images[:, :top], images[:, 40 - bottom :] = 0, 0
    images[:, :, :left], images[:, :, 40 - right :] = 0, 0
    return images


@pytest.mark.parametrize(
    ("bars", "told"),
    [
        ({}, False),
        ({"top": 8, "bottom": 8}, True),
        ({"left": 8, "right": 8}, True),
        ({"left": 5, "right": 12}, True),
        ({"top": 12}, False),  # a sky
        ({"left": 1, "right": 1}, False),
        ({"top": 6, "bottom": 6, "left": 6, "right": 6}, False),  # an object on a plain ground
    ],
)
def test_bars_at_two_opposite_edges_are_a_letterbox(bars, told):
    hints, plain = frame_hints(framed(**bars))
    assert [hint.name for hint in hints] == ["letterbox"] * told
    assert len(plain) == (0 if bars else 6)


def test_some_images_with_bars():
    mixed = np.concatenate([framed(top=8, bottom=8, n=3), framed(n=1)])
    hints, plain = frame_hints(mixed)
    assert hints[0].sentence.startswith("3 of 4 images have flat bars") and len(plain) == 1
    assert not frame_hints(np.concatenate([framed(top=8, bottom=8, n=1), framed(n=9)]))[0]


def test_photos_that_were_divided_as_whole_numbers():
    photos = np.random.default_rng(0).integers(128, 256, (6, 40, 40, 3)).astype("uint8")
    (hint,) = whole_division_hints((photos // 255).astype("float32"))
    assert "x // 255" in hint.sentence
    black_and_white = np.repeat(photos[..., :1] // 255, 3, axis=-1)
    for images in (photos, photos / 255, black_and_white, photos[..., :1] // 255):
        assert not whole_division_hints(images.astype("float32"))


def test_small_objects_on_black_are_no_letterbox():
    large = framed(top=12, bottom=12)
    assert frame_hints(large)[0] and not frame_hints(large[:, ::2, ::2])[0]

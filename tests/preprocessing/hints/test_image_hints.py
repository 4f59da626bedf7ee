"""Hints on real photos: how often each hint is right, and how often it is a false alarm."""

from collections import Counter

import numpy as np
import photos
import pytest
from numpy_reference import summarise
from PIL import Image

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.structure import StructuralExpectation
from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.preprocessing.hints.remarks import remarks_of_images

RAW = InputConvention("raw")
NOTHING = StructuralExpectation("input")
FILTERS = Image.Resampling


def hints_for(images, summary, structure=NOTHING, observed=RAW):
    return remarks_of_images({"input": images}, "input", summary, structure, observed)


def hints(images, structure=NOTHING, observed=RAW):
    size = summarise(np.ones_like(images, "float32"))  # only the sizes are used
    return {h.name: h for h in hints_for(images, size, structure, observed)}


@pytest.fixture(scope="module")
def sources():
    """Returns all photos at 448 by 448, which is nearly their own resolution."""
    return np.concatenate(
        [photos.imagenet_photos(448)[0], np.stack(list(photos.odd_photos(448).values()))]
    )


def resized(images, size, method):
    return np.stack([np.asarray(Image.fromarray(x).resize((size, size), method)) for x in images])


def without_antialiasing(images, size, linear):
    """Resizes linearly, as `tf.image.resize` does by default, or to the nearest neighbor."""
    n = images.shape[1]
    at = np.clip((np.arange(size) + 0.5) * n / size - 0.5, 0, n - 1)
    if not linear:
        at = np.round(at).astype(int)
        return images[:, at][:, :, at]
    low = np.minimum(at.astype(int), n - 2)
    part = (at - low)[:, None]
    rows = images[:, low] * (1 - part[:, None]) + images[:, low + 1] * part[:, None]
    return rows[:, :, low] * (1 - part) + rows[:, :, low + 1] * part


def rates(images, draws=100, size=8, seed=0):
    """Returns the share of random sets of images in which each hint is given."""
    rng = np.random.default_rng(seed)
    found = Counter()
    summary = summarise(images[:1])
    for _ in range(draws):
        chosen = images[rng.choice(len(images), size, replace=False)]
        found.update(h.name for h in hints_for(chosen, summary))
    return {name: count / draws for name, count in found.items()}


@pytest.mark.thorough
@pytest.mark.parametrize(("method", "size"), [("BICUBIC", 224), ("LANCZOS", 96), ("BOX", 96)])
def test_properly_resized_photos_get_no_hint(sources, method, size):
    images = resized(sources, size, FILTERS[method])
    for part in (images, images[:20], images[20:]):  # all, ImageNet, odd
        found = rates(part, draws=50)
        # BOX may get more hints, because it is the sharpest method that still averages pixels.
        limit = 0.1 if method == "BOX" else 0.02
        assert max(found.values(), default=0) <= limit, found


@pytest.mark.thorough
def test_photos_as_taken_get_no_hint(sources):
    crops = np.concatenate([sources[:20, 100:324, 100:324], sources[:20, :224, -224:]])
    found = rates(crops)
    assert max(found.values(), default=0) <= 0.02, found


@pytest.mark.thorough
@pytest.mark.parametrize("linear", [False, True])
def test_a_resize_without_antialiasing(sources, linear):
    """Most sets that are reduced 4.7 times get the hint; of sets reduced 2.2 times, fewer do."""
    assert rates(without_antialiasing(sources, 96, linear), 60)["no_antialiasing"] >= 0.8
    milder = rates(without_antialiasing(sources, 200, linear), 60).get("no_antialiasing", 0)
    assert milder >= (0.0 if linear else 0.3)


@pytest.mark.thorough
@pytest.mark.parametrize("small", [32, 150])
def test_enlarged_photos(sources, small):
    reduced = resized(sources, small, FILTERS.BICUBIC)
    for method in (FILTERS.BILINEAR, FILTERS.BICUBIC):
        assert rates(resized(reduced, 224, method), 20)["enlarged"] >= 0.95
    nearest = rates(without_antialiasing(reduced, 224, linear=False), 20)
    assert nearest["nearest_enlarged"] == 1
    assert set(nearest) == {"nearest_enlarged"}


EXPECTATION = StructuralExpectation(
    "input", RAW, RAW, "MobileNetV2", native_size=224, published_top1=0.713
)


def test_input_size(raw_images):
    hint = hints(raw_images, EXPECTATION)["input_size"]
    assert "32 by 32; MobileNetV2 was trained at 224 by 224" in hint.sentence
    assert "71.3 %" in hint.sentence
    big = np.random.default_rng(0).random((2, 224, 224, 3)).astype("float32")
    assert "input_size" not in {**hints(big, EXPECTATION), **hints(raw_images)}


def test_broken_flat_and_copied(raw_images):
    images = raw_images.astype("float32")
    assert hints(images) == {}
    images[3, 0, 0, 0] = np.nan
    images[4, 0, 0, 0] = np.inf
    images[5] = 7
    images[6] = images[7]
    found = hints(images)
    assert found["nonfinite"].certainty == 1
    assert {name: hint.sentence[:7] for name, hint in found.items()} == {
        "nonfinite": "2 of 16",
        "constant": "1 of 14",
        "duplicates": "1 of 13",
    }


def test_photos_that_were_divided_as_whole_numbers():
    photos = np.random.default_rng(0).integers(128, 256, (6, 40, 40, 3)).astype("uint8")
    assert "x // 255" in hints(photos // 255)["whole_division"].sentence
    black_and_white = np.repeat(photos[..., :1] // 255, 3, axis=-1)
    for images in (photos, photos / 255, black_and_white, photos[..., :1] // 255):
        assert "whole_division" not in hints(images)


@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1, 3), (5, 1, 1, 1), (3, 9, 70, 1), (6, 64, 80, 5), (300, 4, 4, 3), (5, 70, 70, 0)],
)
@pytest.mark.parametrize("fill", ["random", "zeros", "nan", "huge"])
def test_nothing_breaks_it(shape, fill):
    rng = np.random.default_rng(0)
    x = {
        "random": rng.random(shape).astype("float32"),
        "zeros": np.zeros(shape, "float32"),
        "nan": np.full(shape, np.nan, "float32"),
        "huge": (rng.random(shape) * 1e30).astype("float32"),
    }[fill]
    summary = summarise(np.ones((1, 4, 4, 3)))
    for observed in (RAW, InputConvention("unknown", "unknown")):
        found = hints_for(x, summary, observed=observed)
        assert all(isinstance(h, Hint) and 0 <= h.certainty <= 1 for h in found)
        assert list(found) == sorted(found, key=lambda h: -h.certainty)
    if fill == "nan" and x.size:
        assert found[0].name == "nonfinite"


def test_what_is_no_image_gets_no_hint():
    features = np.ones((4, 7), "float32")
    assert hints_for(features, summarise(np.ones((4, 1, 1, 7)), "features")) == ()

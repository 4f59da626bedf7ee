"""`name_cause` names the family of corruption that explains how image attributes moved."""

import io

import numpy as np
import pytest
from photos import imagenet_files
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from sklearn.datasets import load_digits

from keras_shiftguard import profile
from keras_shiftguard.detection.causes.corruptions import Cause, name_cause

SIDE, PART = 64, 160
BILINEAR, NEAREST = Image.Resampling.BILINEAR, Image.Resampling.NEAREST
PHOTOS = [Image.open(file).convert("RGB") for file in imagenet_files()]
NOISE = np.random.default_rng(1).normal(0, 25, (SIDE, SIDE, 3))


def features_of(x):
    """Returns the table of the features of samples."""
    (summary,) = profile(np.asarray(x, "float32")).inputs.values()
    return summary.features


def measured(change=lambda photo: photo, how=BILINEAR, seed=0):
    """Returns the attributes of parts of real photos, shrunk and then changed."""
    rng, images = np.random.default_rng(seed), []
    for photo in PHOTOS * 2:
        left, top = (rng.integers(0, size - PART) for size in photo.size)
        part = photo.resize((SIDE, SIDE), how, box=(left, top, left + PART, top + PART))
        images.append(np.clip(np.asarray(change(part), "float32"), 0, 255))
    return features_of(np.stack(images))


def compressed(photo):
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=10)
    return Image.open(file)


CHANGES = {
    "noise": lambda photo: np.asarray(photo) + NOISE,
    "blur": lambda photo: photo.filter(ImageFilter.GaussianBlur(1.5)),
    "compression": compressed,
    "resolution": lambda photo: photo.resize((24, 24), NEAREST).resize((SIDE, SIDE), NEAREST),
    "brightness": lambda photo: np.asarray(photo, "float32") + 70,
    "contrast": lambda photo: ImageEnhance.Contrast(photo).enhance(0.3),
    "colour": lambda photo: np.asarray(photo) * np.array([1.5, 1, 0.5]),
}


@pytest.fixture(scope="module")
def clean():
    return measured()


@pytest.mark.parametrize("family", CHANGES)
def test_names_the_family(clean, family):
    cause = name_cause(clean, measured(CHANGES[family], seed=1))
    assert cause.family == family, cause
    assert cause.sentence == f"The cause is probably {family}."


def test_photos_shrunk_by_nearest_point_point_to_the_resize(clean):
    shrunk = name_cause(clean, measured(how=NEAREST))
    assert shrunk.family == "resolution" and "antialiasing" in shrunk.sentence


def test_nothing_moved_columns_and_a_single_image_have_no_cause(clean):
    columns, black = features_of(np.ones((8, 3))), features_of(np.zeros((1, 32, 32, 3)))
    same = name_cause(clean, clean)
    assert (same.family, same.sentence) == ("other", "")
    for pair in ((columns, columns), (clean, columns), (columns, clean)):
        assert name_cause(*pair) == Cause("other", "")
    assert name_cause(clean, black).family == "other"


def test_attributes_that_no_image_has_are_left_out(clean):
    """Flat images have a brightness, and nothing else."""
    flat = features_of(np.random.default_rng(0).uniform(0, 9, (40, 1, 1, 1)) * np.ones((32, 32, 3)))
    assert name_cause(clean, flat).family in ("brightness", "other")


def test_gray_images_have_no_colour_that_could_change():
    """Digits moved in training, and zoomed with more contrast later, were told as "colour"."""
    rng = np.random.default_rng(1)
    digits = (load_digits().images[rng.permutation(1797)[:200]] * 15).astype("uint8")
    images = [Image.fromarray(digit).resize((28, 28), BILINEAR) for digit in digits]

    def drawn(image, scale=1.0, move=0):
        zoom = (scale, 0, move, 0, scale, move)
        return np.asarray(image.transform((28, 28), Image.Transform.AFFINE, zoom))[..., None]

    moved = features_of([drawn(image, move=rng.integers(-4, 5)) for image in images])
    zoomed = [drawn(ImageOps.autocontrast(image), rng.uniform(0.7, 1.3)) for image in images]
    assert name_cause(moved, features_of(zoomed)).family != "colour"

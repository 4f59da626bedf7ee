"""`match_levels`: gain and offset that undo another exposure, and the share they explain of it."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from keras_shiftguard.explain.level_match import match_levels
from keras_shiftguard.instrument.measure import profile


@pytest.fixture(scope="module")
def photos():
    """Crops of two photos in [0, 1], in two halves of `(80, 32, 32, 3)` each."""
    rng = np.random.default_rng(0)
    photos = [photo / np.float32(255) for photo in load_sample_images().images]
    corners = rng.integers(0, 380, (160, 2))
    crops = [photos[i % 2][a : a + 32, b : b + 32] for i, (a, b) in enumerate(corners)]
    x = np.stack(crops)
    return x[:80], x[80:]


def in_layout(x):
    first = keras.config.image_data_format() == "channels_first"
    return np.moveaxis(x, -1, 1) if first else x


def moves(x, other):
    """Returns the wanted changes and the standard deviations of the image attributes."""
    tables = []
    for images in (x, other):
        features = profile(in_layout(images)).inputs["input"].features
        mean, std = features.moments.mean, features.moments.std
        tables.append({n: (mean[i], std[i]) for i, n in enumerate(features.names)})
    now, wanted = tables
    return {n: wanted[n][0] - now[n][0] for n in now}, {n: now[n][1] for n in now}


@pytest.mark.parametrize(
    "change, inverse",
    [
        (lambda x: 0.4 * x, lambda x: x / 0.4),
        (lambda x: 0.6 * x + 0.2, lambda x: (x - 0.2) / 0.6),
        (lambda x: x * np.float32([0.5, 0.8, 1]), lambda x: x / np.float32([0.5, 0.8, 1])),
    ],
    ids=("dimmed", "hazy", "warm light"),
)
def test_another_exposure_is_undone(photos, change, inverse):
    x, _ = photos
    changed = change(x).astype("float32")
    found = match_levels(in_layout(changed), in_layout(x), *moves(changed, x))
    assert found.explained > 0.99
    undone = np.concatenate(found.apply(in_layout(changed)))
    np.testing.assert_allclose(undone, in_layout(inverse(changed)), atol=1e-4)


def test_other_photos_tell_how_much_darker_these_are(photos):
    x, other = photos
    dark = (0.4 * x).astype("float32")
    found = match_levels(in_layout(dark), in_layout(other), *moves(dark, other))
    assert found.explained > 0.7 and found.gain.mean() == pytest.approx(2.5, rel=0.1)


def test_noise_is_not_explained_by_levels(photos):
    x, other = photos
    noisy = np.clip(x + np.random.default_rng(1).normal(0, 0.2, x.shape), 0, 1).astype("float32")
    found = match_levels(in_layout(noisy), in_layout(other), *moves(noisy, other))
    assert found.explained < 0.5

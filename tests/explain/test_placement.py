"""Images that are mirrored, moved, turned or zoomed, recognized by what undoing it gains."""

import keras
import numpy as np
import pytest
from scipy import ndimage
from sklearn.datasets import load_digits

from keras_shiftguard.explain.labelled import Labelled
from keras_shiftguard.explain.placement import mirrored, misplaced

SIDE = 24


@pytest.fixture(scope="module")
def digits():
    """Training and validation digits of 24 x 24 pixels, with labels."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).reshape(-1, 8, 8, 1).repeat(2, axis=1).repeat(2, axis=2).astype("float32")
    x = np.pad(x, ((0, 0), (4, 4), (4, 4), (0, 0)))
    order = np.random.default_rng(0).permutation(len(x))
    return [Labelled(x[rows], y[rows]) for rows in (order[:1100], order[1100:])]


@pytest.fixture(scope="module")
def predict(digits):
    """Predictions of a classifier that was trained on training digits moved by up to a pixel."""
    rng = np.random.default_rng(0)
    train, _ = digits
    x = np.concatenate([moved(train.images, *rng.integers(-1, 2, 2)) for _ in range(4)])
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((SIDE, SIDE, 1)), layers.Flatten(), layers.Dense(64, "relu")]
    )
    model.add(layers.Dense(10, "softmax"))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, np.tile(train.labels, 4), epochs=4, verbose=0)
    return lambda chunks: model.predict(np.concatenate(chunks), verbose=0).argmax(axis=1)


def moved(images, down, right):
    return np.roll(images, (down, right), (1, 2))


def each(change):
    return lambda images: np.stack([change(image[..., 0])[..., None] for image in images])


def zoomed(image, factor):
    at = (np.arange(SIDE) - (SIDE - 1) / 2) / factor + (SIDE - 1) / 2
    return ndimage.map_coordinates(image, np.meshgrid(at, at, indexing="ij"), order=1)


CHANGES = {
    "moved to the right": lambda x: moved(x, 0, 3),
    "moved up": lambda x: moved(x, -2, 0),
    "larger": each(lambda image: zoomed(image, 1.3)),
    "smaller": each(lambda image: zoomed(image, 0.75)),
    "turned": each(lambda image: ndimage.rotate(image, 22, reshape=False, order=1)),
}


@pytest.mark.backend
@pytest.mark.parametrize("words", CHANGES)
def test_a_change_of_the_place_is_named_and_priced(digits, predict, words):
    train, validation = digits
    changed = Labelled(CHANGES[words](validation.images).astype("float32"), validation.labels)
    right, still_right = (predict([each.images]) == each.labels for each in (validation, changed))
    lost = right.mean() - still_right.mean()
    how, cost = misplaced(predict, changed, train, False, False)
    assert all(word in how for word in words.split())
    assert cost.interval[0] > 0.01 and cost.interval[1] > 0.5 * lost and cost.value < lost + 0.05


def test_images_in_their_place_are_not_moved(digits, predict):
    train, validation = digits
    assert misplaced(predict, validation, train, False, False) is None
    few = Labelled(validation.images[:90], validation.labels[:90])
    assert misplaced(predict, few, train, False, False) is None


def _is_zoom(found):
    return found is not None and ("smaller" in found[0] or "larger" in found[0])


@pytest.mark.parametrize("words", ["smaller", "larger"])
def test_training_on_zoomed_images_makes_no_image_small_or_large(digits, predict, words):
    train, validation = digits
    changed = Labelled(CHANGES[words](validation.images), validation.labels)
    assert misplaced(predict, changed, train, False, False)
    assert not _is_zoom(misplaced(predict, changed, train, False, True))


def test_a_gain_that_training_images_share_is_the_models(digits, predict):
    """Images that are as wrong in the reference have not changed since training."""
    train, validation = digits
    both = [Labelled(moved(each.images, 0, 3), each.labels) for each in (train, validation)]
    assert misplaced(predict, both[1], None, False, False)
    assert misplaced(predict, both[1], both[0], False, False) is None


def test_channels_first_images(digits, predict):
    train, validation = digits
    changed = moved(validation.images, 0, 3)
    first = [
        Labelled(np.moveaxis(each, -1, 1), labels)
        for each, labels in ((train.images, train.labels), (changed, validation.labels))
    ]

    def predict_first(chunks):
        return predict([np.moveaxis(chunk, 1, -1) for chunk in chunks])

    found = misplaced(predict_first, first[1], first[0], True, False)
    last = misplaced(predict, Labelled(changed, validation.labels), train, False, False)
    assert found == last and found is not None


@pytest.mark.parametrize("first", [False, True])
def test_mirroring_follows_the_layout_of_the_images(first):
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    x = 0.1 * rng.random((200, 8, 8, 1))
    x[labels == 1, :, :4] += 1  # bright on the left
    x[labels == 0, :, 4:] += 1
    x = x if not first else np.moveaxis(x, -1, 1)

    def predict(chunks):
        x = np.concatenate(chunks)
        x = x if not first else np.moveaxis(x, 1, -1)
        return (x[:, :, :4].mean((1, 2, 3)) < x[:, :, 4:].mean((1, 2, 3))).astype(int)

    how, cost = mirrored(predict, Labelled(x, labels), None, first)
    assert how == "mirrored left to right" and cost.value == 1
    # Images of training are right as they are, unless they do not depend on their direction.
    right, flipped = Labelled(x, 1 - labels), Labelled(x, labels)
    assert mirrored(predict, flipped, right, first) is not None
    assert mirrored(predict, flipped, Labelled(0 * x, 0 * labels), first) is None
    # Those of a training with random flips: half of them gain what the other half loses.
    half = np.where(np.arange(200) % 4 < 2, labels, 1 - labels)
    assert mirrored(predict, flipped, Labelled(x, half), first) is None

"""A network whose images were standardised with the mean and deviation of their own data set."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_shiftguard as sg

CLASSES = 6


def clothes(seed, number=900):
    """Bright, tinted rectangles on black: each class has another height and width."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, CLASSES, number)
    x = np.zeros((number, 24, 24, 3), "float32")
    for i, label in enumerate(y):
        height, width = 6 + 6 * (label % 3), 8 + 8 * (label // 3)
        top, left = rng.integers(0, 24 - height + 1), rng.integers(0, 24 - width + 1)
        tint = rng.uniform(0.6, 1, 3)
        pattern = rng.integers(90, 256, (height, width, 1))
        x[i, top : top + height, left : left + width] = pattern * tint
    return np.rint(x), y


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(0)
    x, y = clothes(0)
    mean, std = x.mean((0, 1, 2)), x.std((0, 1, 2))
    model = keras.Sequential([keras.Input((24, 24, 3))])
    for width in (16, 32):
        model.add(layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(CLASSES, activation="softmax"))
    model.compile(
        keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit((x - mean) / std, y, epochs=6, batch_size=32, verbose=0)
    return model, mean, std


@pytest.mark.parametrize("scale", [1 / 255, 1.0])
def test_labels_name_the_numbers_of_the_data_set_and_the_fix_helps(trained, scale):
    model, _, std = trained
    x, y = clothes(1, 200)
    found = sg.diagnose(model, (scale * x, y))
    assert (found.status, found.expected.mode) == ("mismatch", "custom")
    np.testing.assert_allclose(found.expected.scale, 1 / std, rtol=0.1)
    as_fed, fixed = (
        model.evaluate(images, y, verbose=0)[1] for images in (scale * x, found.fix(scale * x))
    )
    assert fixed > as_fed + 0.2


def test_right_images_are_not_accused(trained):
    model, mean, std = trained
    x, _ = clothes(1, 200)
    assert sg.diagnose(model, (x - mean) / std).status != "mismatch"

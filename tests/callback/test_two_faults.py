"""Images in another scale whose labels are wrong as well: the second fault is told, too."""

import keras
import numpy as np
import pytest
from keras import layers
from small_fits import compiled, digits, watched

pytestmark = pytest.mark.backend


def fit(change):
    """Returns the verdict on images in 0..255 that have changed labels."""
    x, y = digits()
    keras.utils.set_random_seed(0)
    stack = layers.Conv2D(16, 3, activation="relu"), layers.Flatten()
    model = compiled((8, 8, 1), *stack, layers.Dense(10, "softmax"), rate=3e-3)
    return watched(model, (x[:1200], y[:1200]), (255 * x[1200:], change(y[1200:])), 4).verdict


def test_shuffled_labels_of_images_in_another_scale_are_told():
    verdict = fit(np.random.default_rng(0).permutation)
    assert verdict.step == "x_val = x_val / 255"
    assert any("in another order" in note for note in verdict.notes)


def test_right_labels_of_images_in_another_scale_are_not_accused():
    verdict = fit(lambda y: y)
    assert verdict.step == "x_val = x_val / 255" and "label" not in " ".join(verdict.notes)

"""Predictions in inference mode during a fit."""

import keras
import numpy as np
import pytest

from keras_shiftguard.instrument.inference import predicted_classes


@pytest.mark.parametrize("shape", [(3,), (1, 3), (1, 1, 3)])
def test_axes_of_length_one_before_the_classes(shape):
    """A network that ends in a 1 x 1 convolution returns (samples, 1, 1, classes)."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((3,), name="x"), layers.Reshape(shape)])
    x = np.eye(3, dtype="float32")[[2, 0, 1, 1]]
    assert list(predicted_classes(model, "x", [x])) == [2, 0, 1, 1]

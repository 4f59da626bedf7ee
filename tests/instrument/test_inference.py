"""Predictions in inference mode, which leave the model alone."""

import keras
import numpy as np
import pytest

from keras_shiftguard.instrument.inference import InferenceCall, class_probabilities


@pytest.mark.parametrize("shape", [(3,), (1, 3), (1, 1, 3)])
def test_axes_of_length_one_before_the_classes(shape):
    """A network that ends in a 1 x 1 convolution returns (samples, 1, 1, classes)."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((3,), name="x"), layers.Reshape(shape)])
    x = np.eye(3, dtype="float32")[[2, 0, 1, 1]]
    assert list(class_probabilities(InferenceCall(model), "x", [x]).argmax(axis=1)) == [2, 0, 1, 1]


def test_a_single_column_is_read_as_logits_or_probabilities_for_all_samples():
    """A chunk whose logits all lie in [0, 1] is no chunk of probabilities."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Identity()])

    def classes(parts):
        return np.nan_to_num(class_probabilities(InferenceCall(model), "input", parts)).argmax(
            axis=1
        )

    outputs = np.repeat([[0.3], [-2.0], [0.9]], 128, axis=0).astype("float32")
    for parts in ([outputs], np.split(outputs, 3)):
        assert np.array_equal(classes(parts), outputs[:, 0] > 0)
    probabilities = np.abs(outputs) / 2
    probabilities[0] = np.nan  # does not decide for the other samples
    assert np.array_equal(classes([probabilities]), probabilities[:, 0] > 0.5)
    rounded = np.array([[1.0005], [0.3], [0.6]], "float32")  # probabilities, within the tolerance
    assert classes([rounded]).tolist() == [1, 0, 1]

"""Hints about images and labels that follow from the predictions of a network."""

import keras
import lite0
import numpy as np
import pytest
from photos import imagenet_photos

from keras_shiftguard.preprocessing.hints.remarks import _transposed, remarks_of_predictions


@pytest.mark.thorough
def test_labels_shifted_by_one_on_real_weights():
    model, (raw, labels) = lite0.build(), imagenet_photos()
    x = {"input": raw.astype("float32") / 127.5 - 1}
    assert remarks_of_predictions(model, x, "input", labels) == ()
    (hint,) = remarks_of_predictions(model, x, "input", labels + 1)
    assert hint.name == "labels_shifted"


@pytest.mark.parametrize(
    ("loss", "names"), [("mse", []), ("binary_crossentropy", ["labels_out_of_range"])]
)
def test_a_regression_gets_no_hints_about_classes(loss, names):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1),
        ]
    )
    model.compile("sgd", loss)
    x = np.random.default_rng(0).random((20, 8, 8, 3)).astype("float32")
    hints = remarks_of_predictions(model, {"input": x}, "input", np.arange(20))
    assert [hint.name for hint in hints] == names


def test_transposed_needs_a_plain_majority():
    ids, right, wrong = np.zeros(20, int), np.tile([1.0, 0], (20, 1)), np.tile([0, 1.0], (20, 1))
    assert [h.name for h in _transposed(wrong, right, ids)] == ["transposed"]
    assert _transposed(right, wrong, ids) == []
    assert _transposed(right, right, ids) == []

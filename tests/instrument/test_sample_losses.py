"""The compiled loss of each sample: its mean is the loss that Keras reports."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.inference import InferenceCall, sample_losses
from keras_shiftguard.instrument.sample_losses import SampleLosses
from keras_shiftguard.statistics.rows import Rows

pytestmark = pytest.mark.backend
RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 6)).astype("float32")
CLASSES = RNG.integers(0, 3, 150)
NUMBERS = RNG.normal(size=(150, 1)).astype("float32")


def losses_of(model, x, y):
    inputs = x if isinstance(x, dict) else {"input": x}
    return sample_losses(InferenceCall(model), SampleLosses(model), inputs, Rows(y))


@pytest.mark.parametrize(
    ("loss", "units", "activation", "y"),
    [
        ("mse", 1, None, NUMBERS),
        ("mse", 1, None, NUMBERS[:, 0]),
        (keras.losses.Huber(), 1, None, NUMBERS),
        ("sparse_categorical_crossentropy", 3, "softmax", CLASSES),
        (keras.losses.CategoricalCrossentropy(from_logits=True), 3, None, np.eye(3)[CLASSES]),
        ("binary_crossentropy", 5, "sigmoid", (RNG.random((150, 5)) > 0.5).astype("float32")),
        (lambda y, p: keras.ops.mean(keras.ops.abs(y - p), axis=-1), 1, None, NUMBERS),
    ],
)
def test_the_mean_is_the_loss_that_evaluate_reports(loss, units, activation, y):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(units, activation)])
    model.compile("sgd", loss)
    found = losses_of(model, X, y)
    assert found.shape == (150,)
    assert found.mean() == pytest.approx(model.evaluate(X, y, verbose=0), rel=1e-4)


@pytest.mark.each_backend
@pytest.mark.parametrize("as_list", [False, True])
def test_several_outputs_are_summed_with_their_weights(as_list):
    keras.utils.set_random_seed(0)
    one, two = keras.Input((6,), name="one"), keras.Input((6,), name="two")
    both = layers.Concatenate()([one, two])
    a = layers.Dense(1, name="a")(both)
    b = layers.Dense(3, "softmax", name="b")(both)
    losses, weights = {"a": "mse", "b": "sparse_categorical_crossentropy"}, {"a": 0.3, "b": 2.0}
    model = keras.Model([one, two], [a, b] if as_list else {"a": a, "b": b})
    y = {"a": NUMBERS, "b": CLASSES}
    if as_list:
        losses, weights, y = (list(each.values()) for each in (losses, weights, y))
    model.compile("sgd", losses, loss_weights=weights)
    found = losses_of(model, {"one": X, "two": X[:, ::-1].copy()}, y)
    total = model.evaluate([X, X[:, ::-1].copy()], y, verbose=0)
    total = total[0] if isinstance(total, list) else total
    assert found.mean() == pytest.approx(total, rel=1e-4)


def test_a_loss_that_is_reduced_or_missing_is_refused():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    model.compile("sgd", lambda y, p: keras.ops.mean((y - p) ** 2))
    with pytest.raises(BadInputError, match="one value for each sample"):
        losses_of(model, X, NUMBERS)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    model.compile("sgd")
    with pytest.raises(BadInputError, match="no compiled loss"):
        SampleLosses(model)

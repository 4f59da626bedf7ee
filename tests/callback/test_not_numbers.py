"""Predictions that are NaN: one sentence says so, and no points are counted."""

import keras
import numpy as np
import pytest
from keras import layers
from small_fits import compiled, dense, digits, watched

pytestmark = pytest.mark.backend
X, Y = digits()
X = X.reshape(len(X), -1)
TRAIN, OTHER = (X[:1000], Y[:1000]), (X[1000:], Y[1000:])


class Logarithm(layers.Layer):
    def call(self, x):
        return keras.ops.log(x + 0.4)


def test_predictions_for_validation_alone_are_not_numbers():
    """Training is in 0..1, and validation in -1..1, where the logarithm does not exist."""
    model = compiled((64,), Logarithm(), layers.Dense(10, "softmax"), metrics=["accuracy"])
    verdict = watched(model, TRAIN, (2 * OTHER[0] - 1, OTHER[1]), 3).verdict
    assert verdict.state == "act" and "predictions or labels are NaN" in verdict.cause
    assert "points" not in str(verdict) and "np.isfinite(model.predict" in verdict.step


class Breaks(keras.callbacks.Callback):
    """Makes weights NaN in the third epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            self.model.weights[-1].assign(np.nan * self.model.weights[-1])


def test_a_training_that_has_diverged_has_no_costs():
    other = OTHER[0] + 0.5, OTHER[1]
    guard = watched(dense((64,)), TRAIN, other, 3, {"callbacks": [Breaks()]})
    assert "The loss of training is not a number" in guard.verdict.cause
    assert not any(finding.harmless for finding in guard.report.findings)

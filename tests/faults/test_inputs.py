"""Injected faults of the training data.

A fault gives at most one warning, and changes neither the training nor what the log already
holds. Every test belongs to a row of docs/faults.md.
"""

import warnings

import numpy as np
import pytest
from faults.fits import BACKEND, X, image_model, new_model, numbers, quiet, run, same, watched

import keras_shiftguard as sg

pytestmark = pytest.mark.eager


@pytest.mark.thorough
@pytest.mark.backend
@pytest.mark.to_the_bit
def test_nan_and_infinity_from_some_step_on():
    x = X.copy()
    x[40:, 0], x[50:, 1] = np.nan, np.inf
    model = new_model()
    run(model, [], x)
    guard = quiet(on_shift="warn")
    weights, warned = watched(guard, x=x)
    assert same(weights, numbers(model))
    assert len(warned) == 1 and "24 of 64 training samples (37.5 %)" in warned[0]
    train = guard.profiles["train"].inputs["input"]
    assert (train.num_samples, train.nonfinite_samples) == (64, 24)
    assert np.isfinite(train.mean).all()


@pytest.mark.backend
@pytest.mark.to_the_bit
@pytest.mark.parametrize(
    "shape",
    [(2, 2, 3), pytest.param((3, 8, 8, 3), marks=pytest.mark.thorough)],
    ids=["four pixels", "video"],
)
def test_unusual_inputs_are_watched(shape):
    if BACKEND == "jax" and len(shape) == 3:
        pytest.skip("few pixels are of no interest to the step")
    x = np.random.default_rng(1).random((64, *shape)).astype("float32")

    plain, model, guard = image_model(shape), image_model(shape), quiet(on_mismatch="ignore")
    run(plain, [], x)
    with warnings.catch_warnings():
        warnings.simplefilter("error", sg.ShiftWarning)
        run(model, [guard], x)
    assert same(numbers(model), numbers(plain))
    assert guard.profiles["train"].inputs["input"].num_samples == len(x)
    assert guard.report.num_samples["validation"] == 32  # the last epoch was compared

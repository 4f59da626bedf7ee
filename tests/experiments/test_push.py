"""Push: what an operation that loses information costs, measured on training images."""

import keras
import numpy as np
import pytest
from small_fits import dense, digits

from keras_shiftguard.experiments.candidates import image_candidates
from keras_shiftguard.experiments.judge import Accuracy
from keras_shiftguard.experiments.lost import push
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.statistics.attributes import attributes
from keras_shiftguard.statistics.batch import InputSpec


@pytest.mark.backend
def test_noise_costs_on_training_what_it_costs_on_validation():
    x, y = digits(16)
    keras.utils.set_random_seed(0)
    model = dense((16, 16, 1), hidden=64, rate=1e-3)
    model.fit(x[:1000], y[:1000], epochs=10, verbose=0)
    noise = np.random.default_rng(0).normal(0, 0.25, x[1000:].shape)
    noisy = np.clip(x[1000:] + noise, 0, 1).astype("float32")

    def predict(x):
        return model.predict_on_batch(x)

    def measure(images):
        spec = InputSpec("input", "channels_last", 1, (16, 16))
        return keras.ops.convert_to_numpy(attributes(keras.ops.convert_to_tensor(images), spec))

    # Operations that lose information; the images of training stand for all others.
    candidates = image_candidates(Scale.of(x), ("noise", "blur", "coarsen", "resolution"))
    choice, cost, explained = push(
        predict, x[:1000], y[:1000], noisy, candidates, Accuracy(), measure
    )
    right = [(predict(images).argmax(1) == y[1000:]).mean() for images in (x[1000:], noisy)]
    assert choice.name == "noise" and explained > 0.5
    assert cost.value == pytest.approx(right[0] - right[1], abs=0.1)
    assert push(predict, x[:500], y[:500], x[:500], candidates, Accuracy(), measure) is None

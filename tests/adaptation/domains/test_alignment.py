"""The alignment loss: its gradients for extractor and domain head, and its symmetry."""

import keras
import numpy as np
import pytest
from adaptation_models import as_array, gradients_of
from keras import ops

from keras_shiftguard.adaptation.domains.alignment import Alignment
from keras_shiftguard.adaptation.domains.domain_head import (
    FEATURE_LENGTH,
    DomainHead,
    scale_to_length,
)
from keras_shiftguard.statistics.classes import probabilities

pytestmark = [pytest.mark.backend, pytest.mark.each_backend]


@pytest.fixture
def batch(rng):
    a = rng.normal(size=(12, 5)).astype("float32")
    b = rng.normal(0.5, 1, size=(8, 5)).astype("float32")
    y = np.arange(12) % 3
    outputs = rng.normal(size=(12, 3)).astype("float32")
    target_outputs = rng.normal(size=(8, 3)).astype("float32")
    return a, b, y, outputs, target_outputs


def layer_of(method):
    keras.utils.set_random_seed(0)
    layer = Alignment(method, 3, units=(7,))
    layer.build((None, 5))
    return layer


@pytest.mark.parametrize("method", ["dann", "cdan"])
def test_the_gradient_of_the_features_is_reversed(method, batch):
    """The strength scales the reversed gradient of the features, not that of the head."""
    a, b, y, out, target_out = batch
    layer = layer_of(method)
    shift = keras.Variable(np.zeros(5, "float32"))
    kernel = layer.head.logit.kernel

    def loss():
        return layer.loss(
            ops.convert_to_tensor(a) + shift.value,
            ops.convert_to_tensor(b),
            ops.convert_to_tensor(y),
            ops.convert_to_tensor(out),
            ops.convert_to_tensor(target_out),
        )

    one = gradients_of(loss, [shift, kernel])
    layer.strength.assign(0.5)
    half = gradients_of(loss, [shift, kernel])
    assert np.abs(one[0]).max() > 1e-5 and np.abs(one[1]).max() > 1e-4
    np.testing.assert_allclose(half[0], 0.5 * one[0], atol=1e-6)
    np.testing.assert_allclose(half[1], one[1], atol=1e-6)
    # A step along the reversed gradient of the features lowers the loss of the head.
    before = as_array(loss())
    shift.assign(0.05 * one[0] / np.abs(one[0]).max())
    assert as_array(loss()) < before


def test_swapped_domains_and_a_negated_head_are_the_same(batch):
    a, b, y, out, _ = batch
    b, out_b = np.concatenate([b, b])[:12], out[::-1].copy()
    layer = layer_of("dann")
    shift = keras.Variable(np.zeros(5, "float32"))

    def loss(swapped):
        x, t = ops.convert_to_tensor(a) + shift.value, ops.convert_to_tensor(b)
        pair = (t, x, y, out_b, out_b) if swapped else (x, t, y, out_b, out_b)
        return layer.loss(*[ops.convert_to_tensor(p) for p in pair])

    value, gradient = as_array(loss(False)), gradients_of(lambda: loss(False), [shift])[0]
    for variable in (layer.head.logit.kernel, layer.head.logit.bias):
        variable.assign(-as_array(variable.value))
    np.testing.assert_allclose(as_array(loss(True)), value, atol=1e-6)
    np.testing.assert_allclose(gradients_of(lambda: loss(True), [shift])[0], gradient, atol=1e-6)


def test_head_is_not_constant_and_float32(batch):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        head = DomainHead((7,))
        head.build((None, 5))
        logits = head(ops.cast(batch[0], "float16"))
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert np.isfinite(as_array(logits)).all() and as_array(logits).std() > 1e-3


def test_what_the_head_sees_is_bounded(batch):
    for scale in (1e-1, 1.0, 1e4):
        seen = as_array(scale_to_length(ops.convert_to_tensor(scale * batch[0])))
        np.testing.assert_allclose(np.linalg.norm(seen, axis=1), FEATURE_LENGTH, rtol=1e-3)


def test_ramp_rises_from_zero_to_one():
    layer = layer_of("mmd")
    layer.ramp_steps.assign(10.0)
    seen = []
    for step in (0, 2, 5, 10, 20):
        layer.step.assign(float(step))
        seen.append(float(as_array(layer.ramp())))
    assert seen[0] == 0 and seen[-1] > 0.999 and sorted(seen) == seen
    layer.ramp_steps.assign(0.0)
    assert as_array(layer.ramp()) > 0.999


def test_outputs_are_read_as_probabilities_or_logits():
    p = np.array([[0.2, 0.8], [1.0, 0.0]], "float32")
    np.testing.assert_array_equal(as_array(probabilities(ops.convert_to_tensor(p))), p)
    logits = as_array(probabilities(ops.convert_to_tensor(3 * p)))
    np.testing.assert_allclose(logits.sum(axis=1), 1, atol=1e-6)
    assert logits.max() < 0.96
    one = as_array(probabilities(ops.convert_to_tensor(np.array([[-3.0], [2.0]], "float32"))))
    np.testing.assert_allclose(one[:, 1], 1 / (1 + np.exp([3.0, -2.0])), atol=1e-6)


def test_wide_outer_products_are_drawn_at_random(rng):
    head = DomainHead((4,), num_classes=60)
    head.build((None, 40))
    x = ops.convert_to_tensor(rng.normal(size=(3, 40)).astype("float32"))
    p = ops.convert_to_tensor(np.full((3, 60), 1 / 60, "float32"))
    assert as_array(head(x, p)).shape == (3, 1) and len(head.maps) == 2

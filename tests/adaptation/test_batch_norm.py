"""`adapt_batch_norm` takes the target's statistics, can be undone, and skips frozen layers."""

import keras
import numpy as np
import pytest
from adaptation_models import as_array

from keras_shiftguard.adaptation.batch_norm import adapt_batch_norm
from keras_shiftguard.errors import BadInputError


def small_model():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.BatchNormalization(name="second"), keras.layers.Dropout(0.5)]
    inner = keras.Sequential([keras.Input((5,)), *layers], name="inner")
    inputs = keras.Input((4,))
    x = keras.layers.BatchNormalization(name="first")(inputs)
    x = inner(keras.layers.Dense(5)(x))
    return keras.Model(inputs, keras.layers.Dense(2)(x))


@pytest.fixture(scope="module")
def target():
    return np.random.default_rng(0).normal(2.0, 3.0, (500, 4)).astype("float32")


@pytest.mark.backend
@pytest.mark.each_backend
def test_it_takes_the_statistics_of_the_target_and_gives_the_old_ones_back(target):
    model = small_model()
    before = {w.path: as_array(w) for w in model.weights}
    adapted = adapt_batch_norm(model, target, prior_samples=0)
    for w in model.weights:
        assert np.array_equal(before[w.path], as_array(w)) != ("moving" in w.path), w.path
    first, second = model.get_layer("first"), model.get_layer("inner").get_layer("second")
    np.testing.assert_allclose(as_array(first.moving_mean), target.mean(0), rtol=0.02)
    np.testing.assert_allclose(as_array(first.moving_variance), target.var(0), rtol=0.02)
    seen = as_array(keras.Model(model.input, model.layers[2].output)(target))
    np.testing.assert_allclose(as_array(second.moving_mean), seen.mean(0), atol=0.05)
    adapted.restore()
    for w in model.weights:
        np.testing.assert_array_equal(before[w.path], as_array(w))
    assert [layer.changed for layer in adapted.layers] == [True, True]
    assert adapted.layers[0].shift > 1.5 and 2.5 < adapted.layers[0].scale < 3.5
    assert "2 of 2 batch-norm layers" in str(adapted) and "500 target samples" in str(adapted)
    assert str(adapted.layers[0]).startswith("first: means moved by")


def test_frozen_layers_are_left_alone(target):
    model = small_model()
    inner = model.get_layer("inner")
    inner.trainable = False
    before = inner.get_weights()
    adapted = adapt_batch_norm(model, target)
    for a, b in zip(before, inner.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [layer.changed for layer in adapted.layers] == [True, False]
    assert "frozen" in str(adapted.layers[1])


@pytest.mark.backend
@pytest.mark.each_backend
@pytest.mark.parametrize("features", [4, 2], ids=["success", "failure"])
def test_a_call_that_the_user_had_set_on_a_layer_is_there_afterwards(target, features):
    model = small_model()
    layer = model.get_layer("first")

    def doubled(x, training=None, mask=None):
        return type(layer).call(layer, 2 * x, training=training, mask=mask)

    layer.call = doubled
    if features == 4:
        adapt_batch_norm(model, target)
    else:
        with pytest.raises(Exception):  # noqa: B017, PT011
            adapt_batch_norm(model, target[:, :features])
    assert vars(layer)["call"] is doubled
    assert "call" not in vars(model.get_layer("inner").get_layer("second"))


def test_bad_arguments_are_refused(target):
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    with pytest.raises(BadInputError, match="no keras.layers.BatchNormalization"):
        adapt_batch_norm(plain, target)
    with pytest.raises(BadInputError, match="at least 2"):
        adapt_batch_norm(small_model(), target[:1])
    with pytest.raises(BadInputError, match="prior_samples"):
        adapt_batch_norm(small_model(), target, prior_samples=-1)

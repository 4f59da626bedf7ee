"""Blending of target images into source images."""

import keras
import numpy as np
import pytest
from adaptation_models import as_array
from keras import ops

from keras_shiftguard import DomainAdaptationModel
from keras_shiftguard.adaptation.domains.mixing import DomainMixing
from keras_shiftguard.errors import BadInputError

pytestmark = pytest.mark.backend


def mixed(source, target, max_share=0.5, strength=1.0, seed=3):
    layer = DomainMixing(max_share)
    layer.seed(seed)
    tensors = (ops.convert_to_tensor(x) for x in (source, target))
    return as_array(layer(*tensors, ops.convert_to_tensor(strength, "float32")))


def test_each_image_has_a_share_of_its_own_of_one_target_image():
    source, target = np.zeros((500, 4, 4, 1), "float32"), np.ones((7, 4, 4, 1), "float32")
    shares = mixed(source, target).reshape(500, -1)
    assert np.ptp(shares, axis=1).max() == 0  # the same in all pixels
    assert 0 <= shares.min() < 0.01 and 0.49 < shares.max() <= 0.5
    assert abs(shares.mean() - 0.25) < 0.03
    # The target images are used in turn if there are fewer of them.
    target = np.arange(7, dtype="float32")[:, None, None, None] * np.ones((1, 4, 4, 1), "float32")
    ratio = mixed(source, target)[:, 0, 0, 0] / np.maximum(shares[:, 0], 1e-9)
    np.testing.assert_allclose(ratio, np.arange(500) % 7, atol=1e-4)


@pytest.mark.parametrize("max_share, strength", [(0.0, 1.0), (0.5, 0.0)])
def test_without_strength_nothing_changes(rng, max_share, strength):
    source = rng.normal(size=(6, 4, 4, 3)).astype("float32")
    target = rng.normal(size=(6, 4, 4, 3)).astype("float32")
    np.testing.assert_array_equal(mixed(source, target, max_share, strength), source)


def test_a_strength_above_one_is_one(rng):
    source, target = (rng.normal(size=(6, 4, 4, 3)).astype("float32") for _ in range(2))
    one, five = (mixed(source, target, strength=s) for s in (1.0, 5.0))
    np.testing.assert_array_equal(one, five)


def test_the_seed_decides(rng):
    source, target = (rng.normal(size=(6, 4, 4, 3)).astype("float32") for _ in range(2))
    np.testing.assert_array_equal(mixed(source, target), mixed(source, target))
    assert np.abs(mixed(source, target) - mixed(source, target, seed=4)).max() > 0.01


def test_vectors_and_tokens_stay_as_they_are(rng):
    vectors = rng.normal(size=(6, 5)).astype("float32")
    np.testing.assert_array_equal(mixed(vectors, vectors[::-1].copy()), vectors)


def test_8_bit_images_stay_8_bit(raw_images):
    layer = DomainMixing(0.5)
    x = ops.convert_to_tensor(raw_images)
    out = layer({"photo": x}, {"photo": ops.flip(x, axis=0)}, strength=1.0)["photo"]
    assert keras.backend.standardize_dtype(out.dtype) == "uint8"
    assert 0 < np.abs(as_array(out) - raw_images).max() <= 128


def network():
    inputs = keras.Input((6, 6, 1))
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dense(4, activation="relu", name="features")(x)
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))


def fitted(rng, **kwargs):
    keras.utils.set_random_seed(0)
    model = DomainAdaptationModel(network(), "features", "mmd", source_first=1.0, **kwargs)
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = rng.normal(size=(32, 6, 6, 1)).astype("float32"), np.arange(32) % 2
    model.fit(x, y, target_data=x[::-1] + 3, batch_size=8, epochs=1, verbose=0)
    loaded = DomainAdaptationModel.from_config(model.get_config())
    assert loaded.mixing == model.mixing
    return np.concatenate([v.numpy().ravel() for v in model.base.trainable_variables]), model


@pytest.mark.thorough
def test_training_sees_the_blend_and_prediction_does_not(capsys):
    with_it, model = fitted(np.random.default_rng(0))
    assert "50%" in capsys.readouterr().out
    again, _ = fitted(np.random.default_rng(0))
    capsys.readouterr()
    without, plain = fitted(np.random.default_rng(0), mixing=0)
    assert "blended" not in capsys.readouterr().out
    np.testing.assert_array_equal(with_it, again)
    assert np.abs(with_it - without).max() > 1e-3
    x = np.ones((3, 6, 6, 1), "float32")
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x, verbose=0))


def test_refuses_a_share_above_a_half():
    with pytest.raises(BadInputError, match=r"0 to 0\.5.*mixing=0\.7"):
        DomainAdaptationModel(network(), "features", mixing=0.7)

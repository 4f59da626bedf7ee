"""`AdaptiveAugmentation`: identity, reproducibility, range, layout, serialization."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_shiftguard.adaptation.augmentation.bank import Bank
from keras_shiftguard.adaptation.augmentation.layer import AdaptiveAugmentation
from keras_shiftguard.adaptation.augmentation.selection import OPERATIONS
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.operations.random_numbers import fixed_seed


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    coarse = rng.random((8, 4, 4, 3))
    smooth = np.kron(coarse, np.ones((1, 4, 4, 1))) * 0.8 + 0.1
    return (smooth + rng.normal(0, 0.02, smooth.shape)).clip(0, 1).astype("float32")


def made(**arguments):
    arguments = {"value_range": (0, 1), "seed": 3, "data_format": "channels_last", **arguments}
    return AdaptiveAugmentation(**arguments)


def augmented(layer, x):
    return ops.convert_to_numpy(layer(ops.convert_to_tensor(x), training=True))


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_zero_strength_is_the_identity_bit_for_bit(images, scale):
    x = images * np.float32(scale) - np.float32(scale / 3)
    layer = made(value_range=(-scale / 3, scale))
    np.testing.assert_array_equal(augmented(layer, x), x)


def test_inference_is_the_identity(images):
    layer = made()
    layer.build(images.shape)
    layer.set_strengths({"noise": 1.0})
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(images, training=False)), images)


@pytest.mark.thorough
def test_every_operation_does_something_and_stays_in_range(images):
    bank = Bank(tuple(OPERATIONS))
    black, white = ops.zeros(3), ops.ones(3)
    pool = ops.convert_to_tensor(1 - images[:4] ** 2)
    for i, name in enumerate(bank.names):
        strengths = ops.convert_to_tensor(0.7 * np.eye(len(bank.names), dtype="float32")[i])
        x = ops.convert_to_tensor(images)
        y = ops.convert_to_numpy(bank.apply(x, strengths, black, white, fixed_seed(3), pool))
        assert np.isfinite(y).all() and y.min() >= 0 and y.max() <= 1, name
        # About half of the images stay unchanged, so only the largest change is checked.
        changed = [float(np.abs(a - b).max()) for a, b in zip(y, images, strict=True)]
        assert len(y) == 8 and max(changed) > 0.01, name


def test_the_same_seed_draws_the_same_and_goes_on(images):
    first, second, other = (made(seed=seed) for seed in (3, 3, 4))
    drawn = []
    for layer in (first, second, other):
        layer.build(images.shape)
        layer.set_strengths({"noise": 0.5, "rotation": 0.5, "darker": 0.3})
        drawn.append([augmented(layer, images) for _ in range(2)])
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.any(drawn[0][0] != drawn[0][1]) and np.any(drawn[0][0] != drawn[2][0])


def test_it_leaves_the_random_numbers_of_the_model_alone(images):
    drawn = []
    for strengths in ({}, {"noise": 0.5, "elastic": 0.5}):
        keras.utils.set_random_seed(1)
        layer = made()
        layer.build(images.shape)
        layer.set_strengths(strengths)
        augmented(layer, images)
        drawn.append(ops.convert_to_numpy(keras.random.normal((4,))))
    np.testing.assert_array_equal(*drawn)


def test_the_range_of_the_images_does_not_matter(images):
    """Raw, unit and standardized images give the same results."""
    strengths = {"noise": 0.3, "darker": 0.3, "blur": 0.5, "rotation": 0.3, "blocking": 0.2}
    outcomes = []
    for scale, offset in ((1.0, 0.0), (255.0, 0.0), (2.0, -1.0), (4.4, -2.1)):
        layer = made(value_range=(offset, scale + offset))
        layer.build(images.shape)
        layer.set_strengths(strengths)
        y = augmented(layer, images * np.float32(scale) + np.float32(offset))
        outcomes.append((y - offset) / scale)
    for other in outcomes[1:]:
        # Rounding in blocks may differ in a few pixels.
        assert np.mean(np.abs(other - outcomes[0]) > 1e-3) < 0.02


def test_both_layouts_give_the_same(images):
    last, first = made(), made(data_format="channels_first")
    turned = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    for layer, x in ((last, images), (first, turned)):
        layer.build(x.shape)
        layer.set_strengths({"shift_left": 0.4, "blur": 0.5, "brighter": 0.3, "erasing": 0.4})
    np.testing.assert_allclose(
        augmented(first, turned).transpose(0, 2, 3, 1), augmented(last, images), atol=1e-5
    )


@pytest.mark.thorough
@pytest.mark.backend
def test_in_a_compiled_step_strengths_change_without_a_new_trace(images):
    """At zero strength the layer returns its input, and equal seeds give equal results."""
    layer = made(operations=["brighter", "zoom_in", "blur", "impulse", "noise"])
    unit = keras.layers.DepthwiseConv2D(1, depthwise_initializer="ones", use_bias=False)
    model = keras.Sequential([keras.Input(images.shape[1:]), layer, unit])
    traced = []
    call = layer.call
    layer.call = lambda *args, **kwargs: (traced.append(1), call(*args, **kwargs))[1]
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=keras.backend.backend() == "jax")

    def loss():
        model.reset_metrics()  # Keras 3.13 returns the mean of all steps since the last reset
        return float(np.max(model.train_on_batch(images, images)))

    assert loss() == 0.0
    before = len(traced)
    drawn = []
    for _ in range(2):
        if keras.backend.backend() == "jax":
            model.jax_state_sync()
        layer.set_strengths({"brighter": 0.8, "zoom_in": 0.5, "impulse": 0.2})
        layer.generator.state.assign(ops.zeros_like(layer.generator.state.value))
        drawn.append([loss(), loss()])
    assert drawn[0][0] > 0.001 and drawn[0][0] != drawn[0][1]
    np.testing.assert_allclose(drawn[0], drawn[1], rtol=1e-6)
    if keras.backend.backend() != "torch":
        assert len(traced) == before


def test_it_is_saved_with_its_strengths(images, tmp_path):
    layer = made(operations=["noise", "flip_horizontal"])
    model = keras.Sequential([keras.Input(images.shape[1:]), layer])
    layer.set_strengths({"noise": 0.25})
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").layers[-1]
    assert loaded.get_strengths() == {"flip_horizontal": 0.0, "noise": 0.25}
    assert loaded.get_config()["value_range"] == (0.0, 1.0)
    np.testing.assert_array_equal(augmented(loaded, images), augmented(layer, images))


def test_a_config_of_version_0_2_is_read():
    config = AdaptiveAugmentation(value_range=(0, 255)).get_config()
    old = AdaptiveAugmentation.from_config({**config, "pool_size": 0})
    assert old.get_config() == config


def test_invalid_arguments_raise():
    with pytest.raises(BadInputError, match="no operation 'blurr'"):
        AdaptiveAugmentation(operations=["blurr"])
    with pytest.raises(BadInputError, match="Received: value_range=5"):
        AdaptiveAugmentation(value_range=5)
    with pytest.raises(BadInputError, match="call it on a batch, before you set them"):
        AdaptiveAugmentation().set_strengths({"noise": 0.1})
    with pytest.raises(BadInputError, match="black < white"):
        AdaptiveAugmentation(value_range=(1, 0))
    with pytest.raises(BadInputError, match="fill_mode"):
        AdaptiveAugmentation(fill_mode="mirror")

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


def made(x, strengths, **arguments):
    """Returns a layer with these strengths that has seen the shape of `x`."""
    arguments = {"value_range": (0, 1), "seed": 3, "data_format": "channels_last", **arguments}
    layer = AdaptiveAugmentation(**arguments)
    layer.build(x.shape)
    layer.set_strengths(strengths)
    return layer


def augmented(layer, x):
    return ops.convert_to_numpy(layer(ops.convert_to_tensor(x), training=True))


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_zero_strength_and_inference_are_the_identity_bit_for_bit(images, scale):
    x = images * np.float32(scale) - np.float32(scale / 3)
    value_range = (-scale / 3, scale)
    np.testing.assert_array_equal(augmented(made(x, {}, value_range=value_range), x), x)
    layer = made(x, {"noise": 1.0}, value_range=value_range)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(x, training=False)), x)


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


def test_the_random_numbers_are_those_of_the_seed_alone(images):
    drawn, of_the_model = [], []
    for seed, strengths in ((3, {"noise": 0.5, "rotation": 0.5}),) * 2 + ((4, {"noise": 0.5}),):
        keras.utils.set_random_seed(1)
        layer = made(images, strengths, seed=seed)
        drawn.append([augmented(layer, images) for _ in range(2)])
        of_the_model.append(ops.convert_to_numpy(keras.random.normal((4,))))
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.any(drawn[0][0] != drawn[0][1]) and np.any(drawn[0][0] != drawn[2][0])
    np.testing.assert_array_equal(of_the_model[0], of_the_model[2])


def test_range_and_layout_of_the_images_do_not_matter(images):
    """Raw, unit and standardized images give the same results, and channels-first images too."""
    strengths = {"noise": 0.3, "darker": 0.3, "blur": 0.5, "shift_left": 0.3, "erasing": 0.4}
    wanted = augmented(made(images, strengths), images)
    for scale, offset in ((255.0, 0.0), (2.0, -1.0), (4.4, -2.1)):
        x = images * np.float32(scale) + np.float32(offset)
        found = augmented(made(x, strengths, value_range=(offset, scale + offset)), x)
        np.testing.assert_allclose((found - offset) / scale, wanted, atol=1e-3)
    del strengths["noise"]  # its random numbers have the order of the axes
    wanted = augmented(made(images, strengths), images)
    turned = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    found = augmented(made(turned, strengths, data_format="channels_first"), turned)
    np.testing.assert_allclose(found.transpose(0, 2, 3, 1), wanted, atol=1e-5)


@pytest.mark.thorough
@pytest.mark.backend
def test_in_a_compiled_step_strengths_change_without_a_new_trace(images):
    """At zero strength the layer returns its input, and equal seeds give equal results."""
    layer = made(images, {}, operations=["brighter", "zoom_in", "blur", "impulse", "noise"])
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


def test_it_is_saved_with_its_strengths_and_reads_configs_of_version_0_2(images, tmp_path):
    layer = made(images, {"noise": 0.25}, operations=["noise", "flip_horizontal"])
    model = keras.Sequential([keras.Input(images.shape[1:]), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").layers[-1]
    assert loaded.get_strengths() == {"flip_horizontal": 0.0, "noise": 0.25}
    np.testing.assert_array_equal(augmented(loaded, images), augmented(layer, images))
    config = layer.get_config()
    old = AdaptiveAugmentation.from_config({**config, "pool_size": 0})
    assert old.get_config() == config and config["value_range"] == (0.0, 1.0)


@pytest.mark.parametrize(
    ("match", "arguments"),
    [
        ("no operation 'blurr'", {"operations": ["blurr"]}),
        ("Received: value_range=5", {"value_range": 5}),
        ("black < white", {"value_range": (1, 0)}),
        ("fill_mode", {"fill_mode": "mirror"}),
    ],
)
def test_invalid_arguments_raise(match, arguments):
    with pytest.raises(BadInputError, match=match):
        AdaptiveAugmentation(**arguments)


def test_invalid_strengths_raise(images):
    with pytest.raises(BadInputError, match="call it on a batch, before you set them"):
        AdaptiveAugmentation().set_strengths({"noise": 0.1})
    with pytest.raises(BadInputError, match="Received: {'noise': 2}"):
        made(images, {"noise": 2})

"""The guard measures the same numbers however the model is built, fed and run."""

import keras
import numpy as np
import pytest
from keras import layers
from left_behind import left_behind

from keras_shiftguard import ShiftGuard

pytestmark = [pytest.mark.backend, pytest.mark.each_backend]
BACKEND = keras.backend.backend()
SIZE = 12


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.random((50, SIZE, SIZE, 3)).astype("float32"), rng.integers(0, 3, 50)


class Subclassed(keras.Model):
    """A model whose input shape Keras does not know before the first batch."""

    def __init__(self):
        super().__init__()
        self.conv = layers.Conv2D(4, 3)
        self.norm = layers.BatchNormalization()
        self.pool = layers.GlobalAveragePooling2D()
        self.dense = layers.Dense(3)

    def call(self, x, training=None):
        if isinstance(x, dict):
            x = x["image"]
        return self.dense(self.pool(self.norm(self.conv(x), training=training)))


class OwnStep(Subclassed):
    """A model that overrides `train_step` and calls `super`, as is common."""

    def train_step(self, *args):
        return super().train_step(*args)


def sequential(size=SIZE, channels=3):
    return keras.Sequential(
        [
            keras.Input((size, size, channels)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )


def functional():
    x = keras.Input((None, None, 3))
    y = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(layers.Conv2D(4, 3)(x)))
    return keras.Model(x, layers.Dense(3)(y))


def compiled(model, optimizer="sgd", **kwargs):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], **kwargs)
    return model


def watched(model, x, y, batch_size=16, **kwargs):
    guard = ShiftGuard(on_mismatch="ignore", verbose=0)
    model.fit(x, y, batch_size=batch_size, callbacks=[guard], verbose=0, **kwargs)
    assert not guard._supervisor.has_failed
    assert not left_behind(model)
    return guard


def assert_measured(profile, x, name="input"):
    summary = profile.inputs[name]
    flat = np.asarray(x, "float64").reshape(-1, x.shape[-1])
    assert summary.num_samples == len(x)
    np.testing.assert_allclose(summary.mean, flat.mean(0), rtol=1e-5)
    np.testing.assert_allclose(summary.std, flat.std(0), rtol=1e-4)
    np.testing.assert_allclose(summary.minimum, flat.min(0), rtol=1e-6)
    np.testing.assert_allclose(summary.maximum, flat.max(0), rtol=1e-6)


@pytest.mark.parametrize(
    "build",
    [functional, pytest.param(OwnStep, marks=pytest.mark.slow_on_tensorflow)],
)
def test_kinds_of_model(build, data):
    x, y = data
    guard = watched(compiled(build()), x, y, epochs=2, validation_data=(x[:20], y[:20]))
    assert_measured(guard.profiles["train"], x)
    assert_measured(guard.profiles["validation"], x[:20])


@pytest.mark.thorough
def test_mixed_precision(data):
    x, y = data
    keras.config.set_dtype_policy("mixed_float16")
    try:
        guard = watched(compiled(sequential()), x, y)
    finally:
        keras.config.set_dtype_policy("float32")
    assert_measured(guard.profiles["train"], x)


@pytest.mark.parametrize(
    "dtype",
    ["uint8", *(pytest.param(each, marks=pytest.mark.thorough) for each in ("float16", "float64"))],
)
def test_dtypes_of_the_input(dtype, data):
    x, y = data
    x = (x * 255).astype(dtype)
    guard = watched(compiled(sequential()), x, y)
    summary = guard.profiles["train"].inputs["input"]
    np.testing.assert_allclose(summary.mean, x.astype("float64").mean((0, 1, 2)), rtol=1e-5)
    # Also of the last batch, which is smaller, each sample counts once.
    assert summary.channels.count.tolist() == [50] * 3 and summary.features.num_samples == 50
    assert guard.profiles["train"].labels.counts[:3].tolist() == np.bincount(y).tolist()


@pytest.mark.thorough
def test_validation_split_and_frequency(data):
    x, y = data
    guard = watched(compiled(sequential()), x, y, epochs=3, validation_split=0.2, validation_freq=2)
    assert_measured(guard.profiles["train"], x[:40])
    assert_measured(guard.profiles["validation"], x[40:])


def test_samples_of_weight_0_are_padding(data):
    x, y = data
    weight = np.linspace(0, 1, len(x)) * (np.arange(len(x)) % 5 > 0)
    padded = np.where(weight[:, None, None, None] > 0, x, 1e6).astype("float32")
    validation = padded[:20], y[:20], weight[:20]
    model = compiled(sequential())
    guard = watched(model, padded, y, sample_weight=weight, validation_data=validation)
    assert_measured(guard.profiles["train"], x[weight > 0])
    assert_measured(guard.profiles["validation"], x[:20][weight[:20] > 0])
    labels = guard.profiles["validation"].labels
    np.testing.assert_array_equal(labels.counts[:3], np.bincount(y[:20][weight[:20] > 0]))
    model.fit(x, y, 16, verbose=0, sample_weight=0 * weight, callbacks=[guard])
    assert not guard._supervisor.has_failed


@pytest.mark.parametrize("structure", ["dict", pytest.param("list", marks=pytest.mark.thorough)])
def test_several_inputs(structure, data):
    x, y = data
    table = np.random.default_rng(1).normal(5, 2, (len(x), 4)).astype("float32")
    image, columns = keras.Input((SIZE, SIZE, 3), name="image"), keras.Input((4,), name="table")
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    outputs = layers.Dense(3)(layers.Concatenate()([pooled, columns]))
    both = {"image": image, "table": columns}
    if structure == "dict":
        model, inputs = keras.Model(both, outputs), {"image": x, "table": table}
    else:
        model, inputs = keras.Model(list(both.values()), outputs), [x, table]
    guard = watched(compiled(model), inputs, y)
    assert_measured(guard.profiles["train"], x, "image")
    assert_measured(guard.profiles["train"], table, "table")


@pytest.mark.thorough
def test_channels_first(data):
    x, y = np.ascontiguousarray(np.moveaxis(data[0], -1, 1)), data[1]
    keras.config.set_image_data_format("channels_first")
    try:
        # TensorFlow has no channels-first convolution on the CPU.
        conv = [] if BACKEND == "tensorflow" else [layers.Conv2D(4, 3)]
        inputs = [keras.Input((3, SIZE, SIZE))]
        model = keras.Sequential([*inputs, *conv, layers.Flatten(), layers.Dense(3)])
        guard = watched(compiled(model), x, y)
    finally:
        keras.config.set_image_data_format("channels_last")
    summary = guard.profiles["train"].inputs["input"]
    assert summary.layout == "channels_first"
    np.testing.assert_allclose(summary.mean, data[0].mean((0, 1, 2)), rtol=1e-5)


def test_evaluate_alone(data):
    x, y = data
    model = compiled(sequential())
    guard = ShiftGuard(on_mismatch="ignore", verbose=0)
    plain = model.evaluate(x, y, verbose=0)
    assert model.evaluate(x, y, verbose=0, callbacks=[guard]) == plain
    assert_measured(guard.profiles["validation"], x)
    assert not left_behind(model)


@pytest.mark.slow_on_tensorflow
def test_a_users_own_metric_is_measured_the_same_way(data):
    class MeanOfX(keras.metrics.Mean):
        def update_state(self, x):
            return super().update_state(x)

    x, y = data
    guard = ShiftGuard(on_mismatch="ignore", verbose=0, statistics=[MeanOfX(name="mean_of_x")])
    model = compiled(sequential())
    model.fit(x, y, epochs=2, validation_data=(x[:7], y[:7]), callbacks=[guard], verbose=0)
    for name, part in (("train", x), ("validation", x[:7])):
        assert guard.profiles[name].features["mean_of_x"] == pytest.approx(part.mean(), rel=1e-5)

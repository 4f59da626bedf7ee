"""`ShiftGuard(adapt=...)` in real fits: it repairs a shift, and changes nothing without one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import keras_shiftguard as sg

pytestmark = pytest.mark.backend
BACKEND = keras.backend.backend()


@pytest.fixture(scope="module")
def data():
    return pictures()


def pictures():
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.random((192, 4, 4, 1)), np.ones((1, 4, 4, 1)))
    images = 0.3 + 0.4 * coarse + rng.normal(0, 0.02, (192, 16, 16, 1))
    return images.astype("float32"), rng.integers(0, 2, 192)


def fitted(data, guard=None, epochs=2, dropout=0.3, compiled=None, more_callbacks=(), **kwargs):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(4, 3, strides=2),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(dropout),
            layers.Dense(2),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, **(compiled or {}))
    callbacks = [*([] if guard is None else [guard]), *more_callbacks]
    history = model.fit(
        *data, batch_size=64, epochs=epochs, verbose=0, callbacks=callbacks, **kwargs
    )
    return model, history.history


def guarded(target, **kwargs):
    kwargs = {"adapt": True, "on_shift": "ignore", "verbose": 0, **kwargs}
    return sg.ShiftGuard(target_data=target, **kwargs)


@pytest.mark.thorough
def test_a_target_that_can_be_read_only_once(data):
    parts = (data[0][start : start + 64] - np.float32(0.25) for start in (0, 64, 128))
    guard = guarded(parts, adapt=("augmentation", "batch_norm"))
    fitted(data, guard, compiled={"run_eagerly": True})
    assert guard.profiles["target"].num_samples == 192
    assert guard.augmentation.strengths["darker"] > 0 and guard.batch_norm is not None


@pytest.mark.thorough
@pytest.mark.to_the_bit
def test_without_shift_training_is_bit_for_bit_the_same(data):
    plain, _ = fitted(data)
    guard = guarded(data[0][::-1])
    watched, _ = fitted(data, guard)
    for a, b in zip(plain.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not any(guard.augmentation.strengths.values())
    assert guard.batch_norm is None and len(watched.metrics) == len(plain.metrics)


@pytest.mark.thorough
def test_a_dark_target_darkens_training_and_not_validation(data, tmp_path, capsys):
    target = data[0] - np.float32(0.25)
    guard = guarded(target, adapt=("augmentation", "batch_norm"), log_dir=tmp_path, verbose=1)
    model, history = fitted(data, guard, validation_data=data)
    used = {name for name, value in guard.augmentation.strengths.items() if value}
    assert used == {"darker"} and abs(guard.augmentation.gaps["brightness"]) < 1
    said = capsys.readouterr().out
    assert "augmentation darker raised to" in said and "batch-norm layers have the means" in said
    likely = "ShiftGuard: Adaptation is likely to help: target images are much darker than training"
    assert said.count(likely) == 1 and said.index(likely) < said.index("darker raised to")
    # Validation was not augmented: evaluating the final weights gives the same loss.
    guard.batch_norm.restore()
    assert model.evaluate(*data, batch_size=64, verbose=0) == pytest.approx(
        history["val_loss"][-1], rel=1e-4
    )
    np.testing.assert_allclose(
        guard.profiles["train"].inputs["input"].mean, data[0].mean(), rtol=1e-4
    )
    state = json.loads((tmp_path / "adaptation.json").read_text())
    assert max(state["inputs"]["input"]["strengths"]) > 0.2
    # The Scalars tab has a card for each operation that is used, but no cards for attributes.
    cards = EventAccumulator(str(tmp_path / "shiftguard")).Reload().Tags()["tensors"]
    cards = {tag for tag in cards if tag.startswith("shiftguard/adaptation/")}
    assert cards == {"shiftguard/adaptation/strength/darker"}


@pytest.fixture
def policy():
    before = keras.config.dtype_policy().name
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


@pytest.mark.thorough
def test_it_works_compiled_by_xla_in_mixed_precision_and_in_packs_of_steps(data, policy):
    if BACKEND == "torch":
        pytest.skip("Keras refuses steps_per_execution on torch; torch.compile takes minutes")
    policy("mixed_float16")
    guard = guarded(data[0] - np.float32(0.25))
    packed = {"jit_compile": True, "steps_per_execution": 2}
    model, history = fitted(data, guard, epochs=3, compiled=packed)
    assert guard.augmentation.strengths["darker"] > 0.2
    assert np.isfinite(history["loss"]).all()


@pytest.mark.thorough
def test_a_fit_that_was_interrupted_goes_on_exactly(data, tmp_path):
    images = data[0] * 255, data[1]  # so that the range of the input must be restored as well
    target = images[0] - np.float32(60)
    kept, logs, interrupted = tmp_path / "model.keras", tmp_path / "whole", tmp_path / "logs"

    class Keep(keras.callbacks.Callback):
        """Saves the model and the log as they are when a fit is interrupted after two epochs."""

        def on_epoch_end(self, epoch, logs_=None):
            if epoch == 1:
                self.model.save(kept)
                shutil.copytree(logs, interrupted)

    guard = guarded(target, log_dir=logs)
    whole, _ = fitted(images, guard, epochs=4, dropout=0.0, shuffle=False, more_callbacks=[Keep()])
    state = json.loads((interrupted / "adaptation.json").read_text())
    assert max(state["inputs"]["input"]["strengths"]) > 0.2
    resumed, goes_on = keras.models.load_model(kept), guarded(target, log_dir=interrupted)
    resumed.fit(*images, 64, 4, initial_epoch=2, shuffle=False, verbose=0, callbacks=[goes_on])
    assert goes_on.augmentation.strengths["darker"] > 0.2
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


REPLICAS = """
import numpy as np, tensorflow as tf, test_adapt
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
data = test_adapt.pictures()
target = data[0] - np.float32(0.25)
guard = test_adapt.guarded(target)
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    model, history = test_adapt.fitted(data, guard, compiled={"jit_compile": False})
assert guard.augmentation.strengths["darker"] > 0.2, guard.augmentation.strengths
strengths = guard.augmentation.inputs["input"].strengths.value
assert isinstance(strengths, tf.Variable) and not hasattr(strengths, "values")  # of all replicas
"""


@pytest.mark.thorough
def test_replicas_are_augmented_alike():
    if BACKEND != "tensorflow":
        pytest.skip("tf.distribute is TensorFlow's")
    paths = os.pathsep.join(map(str, Path(__file__).parents[:3]))
    subprocess.run(
        [sys.executable, "-c", REPLICAS], check=True, env={**os.environ, "PYTHONPATH": paths}
    )


@pytest.mark.parametrize("guard_is_last", [False, True])
def test_a_callback_after_the_guard_that_undoes_batch_norm_is_told(data, guard_is_last, recwarn):
    guard = guarded(data[0] - np.float32(0.25), adapt="batch_norm")
    stop = keras.callbacks.EarlyStopping("loss", restore_best_weights=True)
    callbacks = [stop, guard] if guard_is_last else [guard, stop]
    compiled = {"run_eagerly": True}
    fitted(data, epochs=1, compiled=compiled, more_callbacks=callbacks)
    told = [w for w in recwarn if "Put ShiftGuard last" in str(w.message)]
    assert bool(told) != guard_is_last

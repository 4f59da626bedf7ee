"""The merged measurements of several TensorFlow replicas equal those of one device."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

pytestmark = pytest.mark.thorough

DEVICES = """
import keras, numpy as np, tensorflow as tf, keras_shiftguard as sg, test_probe
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
x, y = np.random.default_rng(0).random((49, 12, 12, 3)).astype("float32"), np.zeros(49, int)
with strategy.scope():
    model = test_probe.compiled(test_probe.sequential(), jit_compile=False)
"""
# With batches of 16, the last one holds only the 49th sample, so one replica gets an empty batch.
# (Keras's own convolution fails on an empty batch.)
REPLICAS = """
with strategy.scope():
    layers = [keras.Input((12, 12, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]
    model = test_probe.compiled(keras.Sequential(layers), jit_compile=False)
guard = test_probe.watched(model, x, y, epochs=2, validation_data=(x[:21], y[:21]))
test_probe.assert_measured(guard.profiles["train"], x)
test_probe.assert_measured(guard.profiles["validation"], x[:21])
"""
# Outside of a step, a model with two replicas predicts each sample once.
PREDICTED = """
guard = sg.ShiftGuard(target_data=x[:37], on_mismatch="ignore", on_shift="ignore", verbose=0)
with strategy.scope():
    model.fit(x[:32], y[:32], 16, validation_data=(x[:20], y[:20]), callbacks=[guard], verbose=0)
    inside = sg.profile((x[:21], y[:21]), model=model)
assert guard.profiles["target"].num_samples == 37
assert guard.profiles["target"].outputs.num_samples == 37
assert guard.profiles["target"].outputs.predicted.sum() == 37
assert guard.profiles["validation"].outputs.confusion.sum() == 20
for profile in (inside, sg.profile((x[:21], y[:21]), model=model)):
    test_probe.assert_measured(profile, x[:21])
    assert profile.labels.num_samples == profile.outputs.confusion.sum() == 21
    predicted = model.predict(x[:20], verbose=0).argmax(1)
    np.testing.assert_array_equal(
        sg.profile(x[:20], model=model).outputs.predicted, np.bincount(predicted, minlength=3)
    )
"""
# A corrected batch is divided among the replicas again.
CORRECTED = """
with strategy.scope():
    layers = [keras.Input((12, 12, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]
    model = test_probe.compiled(keras.Sequential(layers), jit_compile=False)
guard = sg.ShiftGuard(on_mismatch="fix", verbose=0)
class SwitchOn(keras.callbacks.Callback):
    def on_test_batch_begin(self, batch, logs=None):
        for correction in guard._run.stream("validation").corrections.values():
            correction.switch_on(None, (2.0,) * 3, (1.0,) * 3)
fixed = model.evaluate(x, y, 16, callbacks=[SwitchOn(), guard], verbose=0)
np.testing.assert_allclose(fixed, model.evaluate(x * 2 + 1, y, 16, verbose=0), rtol=1e-5)
test_probe.assert_measured(guard.profiles["validation"], x)
"""


@pytest.mark.backend
@pytest.mark.parametrize(
    "script", [REPLICAS, PREDICTED, CORRECTED], ids=["measured", "outside_the_step", "corrected"]
)
def test_replicas_are_merged(script):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.distribute is TensorFlow's")
    paths = os.pathsep.join(map(str, Path(__file__).parents[:3]))
    subprocess.run(
        [sys.executable, "-c", DEVICES + script],
        check=True,
        env={**os.environ, "PYTHONPATH": paths},
        timeout=300,
    )

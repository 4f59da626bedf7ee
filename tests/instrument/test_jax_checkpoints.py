"""On JAX, a guard changes neither Orbax checkpoints nor fits with Flax NNX."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from instrument.test_probe import compiled, sequential

import keras_shiftguard as sg

pytestmark = [
    pytest.mark.backend,
    pytest.mark.skipif(keras.backend.backend() != "jax", reason="Orbax and NNX are JAX's"),
]


class Interrupt(keras.callbacks.Callback):
    """A callback that interrupts the fit as Ctrl-C does, in the middle of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch, self.now = epoch, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.epoch and batch == 2:
            raise KeyboardInterrupt


def interrupted_and_resumed(directory, guards):
    """Returns the model after a fit that was interrupted, restored by Orbax, and continued."""
    pytest.importorskip("orbax.checkpoint")
    rng = np.random.default_rng(0)
    x, y = rng.random((64, 8, 8, 3)).astype("float32"), rng.integers(0, 3, 64)
    data = {"batch_size": 16, "shuffle": False, "verbose": 0, "validation_data": (x[:32], y[:32])}
    keras.utils.set_random_seed(3)
    model = compiled(sequential(8), "adam")
    save = keras.callbacks.OrbaxCheckpoint(str(directory), save_on_background=False)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=4, callbacks=[save, Interrupt(2), *guards], **data)
    model.get_state_tree()  # after Ctrl-C, variables of a guard would raise an error here
    restored = keras.saving.load_model(str(directory))
    restored.fit(x, y, initial_epoch=2, epochs=4, callbacks=list(guards), **data)
    return restored


@pytest.mark.filterwarnings("ignore:Sharding info not provided:UserWarning")
def test_a_guarded_fit_is_saved_interrupted_restored_and_continued(tmp_path):
    guard = sg.ShiftGuard(verbose=0, on_mismatch="ignore")
    guarded = interrupted_and_resumed(tmp_path / "guarded", [guard])
    assert guard.profiles["train"].num_samples == 64
    plain = interrupted_and_resumed(tmp_path / "plain", [])
    for ours, theirs in zip(guarded.variables, plain.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    names = [str(path) for path in Path(tmp_path / "guarded").rglob("*")]
    assert names and not any("shiftguard" in name for name in names)


NNX = """
import keras, numpy as np
import keras_shiftguard as sg
assert keras.config.is_nnx_enabled()

def trained(callbacks):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    x, y = rng.random((48, 8, 8, 3)).astype("float32"), rng.integers(0, 3, 48)
    data = {"batch_size": 16, "epochs": 2, "validation_data": (x[:32], y[:32]), "verbose": 0}
    model.fit(x, y, callbacks=callbacks, **data)
    return [weight.numpy() for weight in model.weights]

guard = sg.ShiftGuard(verbose=0, on_mismatch="ignore")
for one, other in zip(trained([guard]), trained([]), strict=True):
    np.testing.assert_array_equal(one, other)
print(guard.profiles["train"].num_samples, guard.profiles["validation"].num_samples)
"""


def test_fits_with_flax_nnx_are_measured_and_not_changed():
    pytest.importorskip("flax")
    env = {**os.environ, "KERAS_NNX_ENABLED": "true", "KERAS_BACKEND": "jax"}
    command = [sys.executable, "-W", "ignore", "-c", NNX]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["48", "32"]

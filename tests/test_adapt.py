"""`ShiftGuard(adapt=...)` in real fits: the repair, and that it harms nothing."""

import json

import keras
import numpy as np
import pytest
from keras import layers

import keras_shiftguard as sg

pytestmark = pytest.mark.backend


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.random((192, 4, 4, 1)), np.ones((1, 4, 4, 1)))
    images = 0.3 + 0.4 * coarse + rng.normal(0, 0.02, (192, 16, 16, 1))
    return images.astype("float32"), rng.integers(0, 2, 192)


def fitted(data, guard=None, epochs=2, **kwargs):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(4, 3, strides=2),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(2),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    callbacks = [] if guard is None else [guard]
    history = model.fit(
        *data, batch_size=64, epochs=epochs, verbose=0, callbacks=callbacks, **kwargs
    )
    return model, history.history


def guarded(target, **kwargs):
    kwargs = {"adapt": True, "on_shift": "ignore", "verbose": 0, **kwargs}
    return sg.ShiftGuard(target_data=target, **kwargs)


def test_without_shift_training_is_bit_for_bit_the_same(data):
    plain, _ = fitted(data)
    guard = guarded(data[0][::-1])
    watched, _ = fitted(data, guard)
    for a, b in zip(plain.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not any(guard.augmentation.strengths.values())
    assert guard.batch_norm is None and len(watched.metrics) == len(plain.metrics)


def test_a_dark_target_darkens_training_and_not_validation(data, tmp_path, capsys):
    target = data[0] - np.float32(0.25)
    guard = guarded(target, adapt=("augmentation", "batch_norm"), log_dir=tmp_path, verbose=1)
    model, history = fitted(data, guard, validation_data=data)
    used = {name for name, value in guard.augmentation.strengths.items() if value}
    assert used == {"darker"} and abs(guard.augmentation.gaps["brightness"]) < 1
    said = capsys.readouterr().out
    assert "darker widened from 0 to" in said and "Batch norm now has the statistics" in said
    # Validation saw the images as they are: the weights of the last epoch say the same.
    guard.batch_norm.restore()
    assert model.evaluate(*data, batch_size=64, verbose=0) == pytest.approx(
        history["val_loss"][-1], rel=1e-4
    )
    np.testing.assert_allclose(
        guard.profiles["train"].inputs["input"].mean, data[0].mean(), rtol=1e-4
    )
    state = json.loads((tmp_path / "adaptation.json").read_text())
    assert max(state["inputs"]["input"]["strengths"]) > 0.2
    # Another run that goes on where this one ended takes its strengths along.
    goes_on = guarded(target, log_dir=tmp_path)
    fitted(data, goes_on, epochs=3, initial_epoch=2)
    assert goes_on.augmentation.strengths["darker"] > 0.2

"""`Repair`: the layer that does to a batch what an experiment did."""

import keras
import numpy as np
import pytest

from keras_shiftguard.operations.repair import Repair


@pytest.mark.backend
def test_a_model_with_its_repair_is_saved_and_loaded(tmp_path):
    repair = Repair([["flip_horizontal", 1.0], ["gain", 2.0]], low=0.0, high=255.0)
    model = keras.Sequential([keras.Input((4, 6, 3)), repair, keras.layers.Flatten()])
    x = np.random.default_rng(0).uniform(0, 120, (5, 4, 6, 3)).astype("float32")
    wanted = (2 * x[:, :, ::-1]).reshape(5, -1)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for each in (model, again):
        np.testing.assert_allclose(each.predict(x, verbose=0), wanted, rtol=1e-5)


@pytest.mark.backend
def test_channels_first_and_columns():
    x = np.random.default_rng(0).random((3, 2, 8, 8)).astype("float32")
    units = [[2.0, 0.5], [0.0, -1.0]]  # factors and offsets of the two channels
    repair = Repair([["flip_vertical", 1.0], ["units", units]], 0.0, 1.0, channels_first=True)
    found = keras.ops.convert_to_numpy(repair(x))
    wanted = np.stack([2 * x[:, 0, ::-1], 0.5 * x[:, 1, ::-1] - 1], axis=1)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    rows = np.arange(12, dtype="float32").reshape(4, 3)
    columns = Repair([["exchange", [0, 2]], ["unit", [1, 10.0, 1.0]]])
    wanted = np.stack([rows[:, 2], 10 * rows[:, 1] + 1, rows[:, 0]], axis=1)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(columns(rows)), wanted)


def test_an_unknown_operation_is_named():
    with pytest.raises(ValueError, match="no operation 'flip'.*flip_horizontal"):
        Repair([["flip", 1.0]], 0.0, 1.0)

"""The table of operations: every row does what it says, on every backend."""

import keras
import numpy as np
import pytest

from keras_shiftguard.operations import columns, series
from keras_shiftguard.operations.operation import Operation
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.operations.table import OPERATIONS

TRIED = [(name, s) for name, row in OPERATIONS.items() if row.apply for s in row.strengths]


@pytest.fixture(scope="module")
def images():
    """Eight pictures with coarse and fine detail in [0, 1], `(8, 32, 32, 3)`."""
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.random((8, 4, 4, 3)), np.ones((1, 8, 8, 1)))
    return (0.8 * coarse + 0.2 * rng.random((8, 32, 32, 3))).astype("float32")


def applied(operation: Operation, x, strength):
    assert operation.apply is not None
    return keras.ops.convert_to_numpy(operation.apply(keras.ops.convert_to_tensor(x), strength))


@pytest.mark.backend
@pytest.mark.parametrize(("name", "strength"), TRIED)
def test_each_strength_changes_images_and_keeps_their_shape(images, name, strength):
    y = applied(OPERATIONS[name], images, strength)
    assert y.shape == images.shape and y.dtype == "float32" and np.isfinite(y).all()
    assert np.abs(y - images).max() > 1e-3
    again = applied(OPERATIONS[name], images, strength)
    np.testing.assert_array_equal(y, again)  # random numbers depend on nothing but the operation


@pytest.mark.parametrize(
    ("name", "strength", "opposite", "back"),
    [
        *((n, 1.0, n, 1.0) for n in ("flip_horizontal", "flip_vertical", "transpose")),
        *((n, 1.0, n, 1.0) for n in ("invert", "swap_channels")),
        ("scale", 1 / 255, "scale", 255.0),
        ("to_symmetric", 1.0, "from_symmetric", 1.0),
        ("rotation", 90.0, "rotation", -90.0),
        ("rotation", 180.0, "rotation", 180.0),
    ],
)
def test_what_loses_nothing_can_be_undone(images, name, strength, opposite, back):
    y = applied(OPERATIONS[name], images, strength)
    np.testing.assert_allclose(applied(OPERATIONS[opposite], y, back), images, atol=1e-4)


@pytest.mark.parametrize(("direction", "axis", "step"), [("left", 2, -1), ("up", 1, -1)])
def test_a_move_is_one_in_the_direction_of_its_name(images, direction, axis, step):
    y = applied(OPERATIONS[f"shift_{direction}"], images, 2 / 32)
    inner = tuple(slice(8, 24) for _ in range(2))
    wanted = np.roll(images, 2 * step, axis)
    np.testing.assert_allclose(y[:, *inner], wanted[:, *inner], atol=1e-4)


@pytest.mark.parametrize("channels_first", [False, True])
def test_a_scale_maps_to_black_and_white_and_back(images, channels_first):
    x = 200 * images - 30
    x = x.transpose(0, 3, 1, 2) if channels_first else x
    scale = Scale.of(x, channels_first)
    unit = scale.to_unit(x)
    values = keras.ops.convert_to_numpy(unit)
    assert values.shape == images.shape
    assert values.min() == pytest.approx(0, abs=1e-6) and values.max() == pytest.approx(1)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(scale.from_unit(unit)), x, atol=1e-3)
    flat = np.full((2, 8, 8, 1), 3.0, "float32")  # images of one value have a scale as well
    assert np.isfinite(keras.ops.convert_to_numpy(Scale.of(flat).to_unit(flat))).all()


@pytest.mark.backend
def test_operations_on_columns_and_series():
    rng = np.random.default_rng(0)
    rows = rng.random((5, 4)).astype("float32")
    by_name = {row.name: row for row in (*columns.OPERATIONS, *series.OPERATIONS)}
    np.testing.assert_array_equal(applied(by_name["exchange"], rows, (0, 2)), rows[:, [2, 1, 0, 3]])
    np.testing.assert_array_equal(applied(by_name["reverse"], rows, 1), rows[:, ::-1])
    scaled = applied(by_name["unit"], rows, (1, 25.4, 3.0))
    np.testing.assert_allclose(scaled[:, 1], 25.4 * rows[:, 1] + 3, rtol=1e-6)
    np.testing.assert_array_equal(np.delete(scaled, 1, 1), np.delete(rows, 1, 1))
    codes = np.array([[1, 1], [2, 2], [np.nan, 1]], "float32")
    recoded = applied(by_name["recode"], codes, (0, (1.0, 2.0), (5.0, 1.0)))
    np.testing.assert_array_equal(recoded, [[5, 1], [1, 2], [np.nan, 1]])
    filled = applied(by_name["refills"], codes, ((0, None, 0.0), (1, 1.0, None)))
    np.testing.assert_array_equal(filled, [[1, np.nan], [2, 2], [0, np.nan]])
    waves = rng.random((3, 20, 2)).astype("float32")
    late = applied(by_name["delay"], waves, 0.1)
    np.testing.assert_array_equal(late[:, 2:], waves[:, :-2])
    np.testing.assert_array_equal(applied(by_name["backwards"], waves, 1.0), waves[:, ::-1])
    slow = applied(by_name["rate"], waves, 0.5)
    np.testing.assert_allclose(slow[:, ::2], waves[:, :10], rtol=1e-5)  # from the first value on
    spectra = np.repeat(waves[:, :, :1], 8, axis=2) * np.arange(8, dtype="float32")
    np.testing.assert_allclose(applied(by_name["pitch"], spectra, 0.5), 0.5 * spectra, rtol=1e-5)

"""Class ids and probabilities are read by the same rules on the device and on the host."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_shiftguard.statistics.classes import (
    class_ids,
    host_class_ids,
    host_probabilities,
    probabilities,
    width_of,
)

pytestmark = [pytest.mark.backend, pytest.mark.each_backend]


def in_the_step(outputs):
    return ops.convert_to_numpy(probabilities(ops.convert_to_tensor(np.float32(outputs))))


@pytest.mark.parametrize(
    ("outputs", "wanted"),
    [
        # In [0, 1], but the sum is .005 short of 1, so these are logits.
        ([[0.995, 0.0, 0.0]], [[0.575, 0.2125, 0.2125]]),
        ([[0.9995, 0.0, 0.0]], [[0.9995, 0.0, 0.0]]),
        ([[0.2, 0.8], [1.0, 0.0]], [[0.2, 0.8], [1.0, 0.0]]),
        ([[0.3], [0.9]], [[0.7, 0.3], [0.1, 0.9]]),
        ([[0.0], [-800.0], [800.0]], [[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]),
        ([[1e4, 0.0, -1e4]], [[1.0, 0.0, 0.0]]),
        ([[4.0, 1.0, 0.0]], [[0.9362, 0.0466, 0.0171]]),
    ],
)
def test_outputs_are_read_alike_everywhere(outputs, wanted):
    for read in (in_the_step, host_probabilities):
        np.testing.assert_allclose(read(outputs), wanted, atol=5e-4)


def test_a_row_that_is_not_finite_does_not_change_how_the_others_are_read():
    outputs = [[0.2, 0.8], [np.nan, 0.5], [np.inf, 0.0]]
    for read in (in_the_step, host_probabilities):
        np.testing.assert_allclose(read(outputs)[0], [0.2, 0.8], atol=1e-6)
        assert np.isnan(read(outputs)[1]).any()


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ([0, 3, 2], [0, 3, 2]),
        ([0.0, 3.0, 2.0], [0, 3, 2]),
        ([[0], [3]], [0, 3]),
        ([[0.0, 1.0], [1.0, 0.0]], [1, 0]),
        ([[0.05, 0.95], [0.6, 0.4]], [1, 0]),  # smoothed, mixed
        ([0.5, 1.0], None),
        ([[0.2, 0.2], [1.0, 0.0]], None),
        ([[2.0, -1.0]], None),
        ([True, False], [1, 0]),
        ([2**24 - 1, 1], [2**24 - 1, 1]),
        ([2**24, 1], None),
    ],
)
def test_labels_are_read_alike_in_the_step_and_on_the_host(labels, wanted):
    y = np.asarray(labels)
    y = y.astype("float32") if y.dtype.kind == "f" else y
    found = host_class_ids(y)
    assert found is None if wanted is None else found.tolist() == wanted
    ids, valid = (ops.convert_to_numpy(v) for v in class_ids(ops.convert_to_tensor(y), width_of(y)))
    assert (valid == 1).all() == (wanted is not None)
    if wanted is not None:
        assert ids.tolist() == wanted


def test_negative_numbers_are_no_classes_but_the_host_returns_them():
    y = np.array([-1, 0, 1])
    ids, valid = (ops.convert_to_numpy(v) for v in class_ids(ops.convert_to_tensor(y), 1))
    assert valid.tolist() == [0, 1, 1] and ids.tolist() == [0, 0, 1]
    assert host_class_ids(y).tolist() == [-1, 0, 1]
    assert host_class_ids(np.array(["cat", "dog"])) is None


def test_large_ids_are_no_other_classes():
    """Cut to 32 bits, 2 ** 32 + 3 would be class 3. JAX has no int64 by default."""
    if keras.backend.backend() == "jax":
        pytest.skip("cuts the labels before they come to us")
    y = ops.convert_to_tensor(np.array([2**32 + 3, 2**31, 3 - 2**32, 2**24, 3, 2**24 - 1]))
    ids, valid = (ops.convert_to_numpy(part) for part in class_ids(y, 1))
    np.testing.assert_array_equal(valid, [0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(ids[4:], [3, 2**24 - 1])

"""Operations on rows of token ids."""

import numpy as np
import pytest

from keras_shiftguard.operations.tokens import OPERATIONS

BY_NAME = {operation.name: operation for operation in OPERATIONS}
AFTER = np.array([[4, 5, 6, 0, 0], [7, 8, 0, 0, 0], [1, 2, 3, 4, 5], [0, 0, 0, 0, 0]], "int64")
BEFORE = np.array([[0, 0, 4, 5, 6], [0, 0, 0, 7, 8], [1, 2, 3, 4, 5], [0, 0, 0, 0, 0]], "int64")


def test_padding_moves_to_the_other_side():
    np.testing.assert_array_equal(BY_NAME["pad_before"].apply(AFTER, 1.0), BEFORE)
    np.testing.assert_array_equal(BY_NAME["pad_after"].apply(BEFORE, 1.0), AFTER)
    np.testing.assert_array_equal(BY_NAME["pad_before"].apply(BEFORE, 1.0), BEFORE)


def test_other_numbers_leave_the_padding():
    moved = BY_NAME["renumber"].apply(AFTER, 3)
    np.testing.assert_array_equal(moved[0], [7, 8, 9, 0, 0])
    np.testing.assert_array_equal(BY_NAME["renumber"].apply(moved, -3), AFTER)
    assert BY_NAME["renumber"].apply(AFTER, -3)[1].tolist() == [4, 5, 0, 0, 0]
    assert BY_NAME["renumber"].apply(np.array([[2]]), -3).tolist() == [[1]]  # not padding


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_ids_stay_whole_numbers(operation):
    for strength in operation.strengths:
        found = operation.apply(AFTER.astype("int32"), strength)
        assert found.dtype == "int32" and found.shape == AFTER.shape and (found >= 0).all()

"""`LabelRepair`: labels repaired, in each form that they have."""

import keras
import numpy as np
import pytest

from keras_shiftguard.operations.label_repair import LabelRepair

pytestmark = pytest.mark.backend


def test_ids_and_one_hot_rows_are_renamed_alike():
    repair = LabelRepair(ids=[[0, 2], [2, 1], [1, 0]])
    y = np.array([0, 1, 2, 2])
    assert repair(y).tolist() == [2, 0, 1, 1]
    assert repair(np.eye(3)[y]).argmax(axis=1).tolist() == [2, 0, 1, 1]


def test_numbers_are_mapped_and_the_repair_can_be_saved():
    repair = LabelRepair(factor=2.0, offset=1.0, name="log")
    assert repair(np.array([1.0, np.e])).tolist() == [1.0, 3.0]
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(repair))
    assert again.get_config() == repair.get_config()

"""Samples for a measurement: their order, and predictions that are made once."""

import keras
import numpy as np
import pytest

from keras_shiftguard.account.labelled import labelled, remembering
from keras_shiftguard.statistics.batch import spec_for
from keras_shiftguard.statistics.stream import Stream


@pytest.mark.backend
def test_the_order_of_a_pass_makes_no_difference():
    rng = np.random.default_rng(0)
    rows, ids = rng.normal(size=(50, 3)).astype("float32"), np.arange(50)
    found = []
    for order in (np.arange(50), rng.permutation(50)):
        stream = Stream("train")
        stream.build([spec_for("input", (None, 3), "channels_last")])
        x, y = (keras.ops.convert_to_tensor(each[order]) for each in (rows, ids))
        stream.update({"input": x}, x, y)
        found.append(labelled(stream))
    np.testing.assert_array_equal(found[0].images, found[1].images)
    np.testing.assert_array_equal(rows[found[0].labels], found[0].images)


def test_only_the_named_arrays_are_remembered():
    calls = []

    def predict(x):
        calls.append(x)
        return x[:, 0]

    images, others, flipped = (np.full((3, 1), k) for k in range(3))
    unchanged = [images]
    once = remembering(predict, unchanged)
    unchanged.append(others)
    for _ in range(2):
        np.testing.assert_array_equal(once(images), [0, 0, 0])
        np.testing.assert_array_equal(once(others), [1, 1, 1])
        once(flipped)
        once(images[:2])
    assert len(calls) == 2 + 4

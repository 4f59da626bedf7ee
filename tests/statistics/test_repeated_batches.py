"""Batches that came twice in a pass, and batches that only look alike at their borders."""

import keras
import pytest

from keras_shiftguard.statistics.repeated_batches import RepeatedBatches

pytestmark = pytest.mark.backend


def share(batches):
    repeated = RepeatedBatches()
    for batch in batches:
        repeated.add(keras.ops.convert_to_tensor(batch))
    return repeated.share


@pytest.mark.each_backend
def test_the_share_of_samples_in_repeated_batches(rng):
    first, second = rng.random((6, 8, 8, 1)), rng.random((2, 8, 8, 1))
    assert share([first, second]) == 0
    assert share([first, second, first]) == 6 / 14

"""Batches that came twice in a pass, and batches that only look alike at their borders."""

import keras
import numpy as np
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


@pytest.mark.parametrize("side", [8, 16, 28, 32])
def test_images_with_black_borders_are_not_the_same(rng, side):
    images = rng.random((96, side, side, 1)).astype("float32")
    images[:, :, [0, 1, -2, -1]] = 0
    assert share(np.split(images, 3)) == 0

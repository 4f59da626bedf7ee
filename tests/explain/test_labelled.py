"""`remembering`: predictions for unchanged images are made once."""

import numpy as np

from keras_shiftguard.explain.labelled import remembering


def test_only_the_named_arrays_are_remembered():
    calls = []

    def predict(chunks):
        calls.append(chunks)
        return np.concatenate([chunk[:, 0] for chunk in chunks])

    images, others, flipped = (np.full((3, 1), k) for k in range(3))
    unchanged = [images]
    once = remembering(predict, unchanged)
    unchanged.append(others)
    for _ in range(2):
        np.testing.assert_array_equal(once([images]), [0, 0, 0])
        np.testing.assert_array_equal(once([others]), [1, 1, 1])
    assert len(calls) == 2
    for _ in range(2):
        once([flipped])
        once([images, others])
    assert len(calls) == 6

"""Images that a stream has several times count once."""

import numpy as np
import pytest

from keras_shiftguard.detection.causes.copies import share_without_copies


@pytest.mark.parametrize("different", [100, 400, 5000])
def test_the_error_of_a_mean_is_that_of_so_many_images(different):
    rng = np.random.default_rng(0)
    means = []
    for _ in range(400):  # draws of 1,000 samples from so many different images
        values = rng.normal(size=different)
        means.append(values[rng.integers(0, different, 1000)].mean())
    drawn = rng.normal(size=(different, 4, 4, 1))[rng.integers(0, different, 1000)]
    expected = 1 / np.var(means) / 1000
    assert share_without_copies(drawn, 1000) == pytest.approx(expected, rel=0.2)
    # Of a longer stream, only some images are kept.
    few = share_without_copies(drawn[:600], 1000)
    assert few == pytest.approx(expected, rel=0.4)


def test_what_are_no_copies():
    x = np.random.default_rng(0).normal(size=(500, 4, 4, 1))
    assert share_without_copies(x, 500) == 1.0
    x[:200] = 0.5  # broken images: all pixels are the same
    assert share_without_copies(x, 500) == 1.0
    x[200:300] = x[200]  # a picture in place of missing images
    assert share_without_copies(x, 500) == 1.0
    x[400:405] = x[410:415]  # a few, by chance
    assert share_without_copies(x, 500) == 1.0
    assert share_without_copies(x[:0], 0) == 1.0

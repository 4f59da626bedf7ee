"""Samples that come in clusters, such as the rows of one subject, by their distances."""

import numpy as np
import pytest
from one_pass import stream_of

from keras_shiftguard.callback.subjects import come_in_clusters


def subjects(rng, number, rows, size=20):
    """Returns shuffled rows of subjects, each with values around those of the subject."""
    means = rng.normal(size=(number, size))
    x = means[:, None] + 0.4 * rng.normal(size=(number, rows, size))
    x = x.reshape(-1, size)[rng.permutation(number * rows)].astype("float32")
    return x, np.arange(len(x)) % 2


@pytest.mark.backend
def test_rows_of_other_subjects_in_both_streams():
    rng = np.random.default_rng(0)
    train, other = (stream_of(*subjects(rng, number, 10)) for number in (100, 40))
    apart = stream_of(*subjects(rng, 500, 1))
    assert come_in_clusters(train, other)
    assert not come_in_clusters(apart, apart) and not come_in_clusters(train, train)


@pytest.mark.parametrize(
    "change",
    [
        lambda x, noise: x[:, ::-1].copy(),
        lambda x, noise: x * np.where(np.arange(20) < 3, -1, 1).astype("float32"),
        lambda x, noise: x + 2 * noise(size=x.shape).astype("float32"),
    ],
    ids=["columns exchanged", "signs", "noise"],
)
def test_a_shift_of_a_table_makes_no_clusters(change):
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(5, 20))
    x = (rng.normal(size=(1200, 5)) @ factors + 0.3 * rng.normal(size=(1200, 20))).astype("float32")
    y = np.arange(1200) % 2
    other = change(x[600:], rng.normal)
    assert not come_in_clusters(stream_of(x[:600], y[:600]), stream_of(other, y[600:]))

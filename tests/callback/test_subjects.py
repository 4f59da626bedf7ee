"""Samples that come in clusters, such as the rows of one subject, by their distances."""

import keras
import numpy as np
import pytest
from keras import layers
from one_pass import stream_of
from sklearn.datasets import load_wine
from small_fits import compiled, watched

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


def of_subjects(seed, change=lambda x: x):
    """Returns the guard of a fit on wines of 30 subjects, ten of them for validation, in order."""
    rng = np.random.default_rng(seed)
    x, y = load_wine(return_X_y=True)
    order, subject = rng.permutation(len(x)), np.sort(rng.integers(0, 30, len(x)))
    x, y = ((x - x.mean(axis=0)) / x.std(axis=0))[order], y[order]
    x = (x + rng.normal(size=(30, 13))[subject]).astype("float32")
    keras.utils.set_random_seed(seed)
    model = compiled((13,), layers.Dense(32, "relu"), layers.Dense(3, "softmax"), rate=3e-3)
    train, other = subject < 20, subject >= 20
    return watched(model, (x[train], y[train]), (change(x[other]), y[other]), 8)


@pytest.mark.backend
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_other_subjects_whose_rows_stand_together_are_fine(seed):
    """The unit is the subject, also in training, where it is shuffled."""
    guard = of_subjects(seed)
    assert guard.verdict.state == "fine" and not guard.report.findings
    shares = [guard.profiles[name].distinct_share for name in ("train", "validation")]
    assert max(shares) < 0.5 and shares[0] == pytest.approx(shares[1], rel=0.1)
    assert "samples of training" not in str(guard.report)  # training shows no neighbours


@pytest.mark.backend
def test_another_unit_of_other_subjects_is_told():
    guard = of_subjects(0, lambda x: 100 * x)
    assert guard.verdict.state != "fine" and guard.report.findings

"""Samples that belong together, such as the rows of one subject, by their distances."""

import numpy as np
import pytest
from one_pass import stream_of
from sklearn.datasets import load_breast_cancer, load_digits

from keras_shiftguard.callback.subjects import belong_together


def subjects(rng, number, rows, size=20):
    """Returns shuffled rows of subjects, each with values around those of the subject."""
    means = rng.normal(size=(number, size))
    x = means[:, None] + 0.4 * rng.normal(size=(number, rows, size))
    x = x.reshape(-1, size)[rng.permutation(number * rows)].astype("float32")
    return x, np.arange(len(x)) % 2


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return (x[order] / 16).reshape(-1, 8, 8, 1).astype("float32"), y[order].astype("int32")


@pytest.mark.backend
def test_rows_of_the_same_subjects_are_versions_of_one_sample():
    rng = np.random.default_rng(0)
    train, apart = stream_of(*subjects(rng, 100, 10)), stream_of(*subjects(rng, 500, 1))
    assert belong_together(train, apart)
    assert not belong_together(train, apart, "little")
    assert not belong_together(apart, apart) and not belong_together(train, train)


def test_rows_of_other_subjects_in_both_streams():
    """The columns move a little with the subjects; a column that moved far is a shift."""
    rng = np.random.default_rng(0)
    both = [stream_of(*subjects(rng, number, 10)) for number in (100, 40)]
    assert belong_together(*both, "little")
    assert not belong_together(*both, "far") and not belong_together(*both)


def windows(rng, recordings, stride=4):
    walks = rng.normal(size=(recordings, 200, 2)).cumsum(axis=1)
    levels = rng.normal(size=(recordings, 1, 2))  # of each recording
    walks = levels + np.sin(0.1 * walks) + 0.1 * rng.normal(size=walks.shape)
    at = np.arange(0, 168, stride)[:, None] + np.arange(32)
    x = walks[:, at].reshape(-1, 32, 2).astype("float32")
    return x[rng.permutation(len(x))]


def test_a_table_of_few_different_rows_has_no_subjects():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (1200, 4)).astype("float32")
    x[600:, 0] = np.maximum(x[600:, 0], x[600:, 1])
    both = (stream_of(part, np.arange(600) % 2) for part in np.split(x, 2))
    assert not belong_together(*both, "little")


@pytest.mark.backend
def test_windows_that_belong_together_in_both_streams():
    """Neither stream is nearer within itself, but both are far from each other."""
    rng = np.random.default_rng(0)
    both = [windows(rng, number) for number in (30, 25)]
    assert belong_together(*(stream_of(x, np.arange(len(x)) % 2) for x in both))
    apart = [windows(rng, number, stride=168) for number in (600, 500)]
    noisy = apart[1] + 0.5 * rng.normal(size=apart[1].shape).astype("float32")
    streams = [stream_of(x, np.arange(len(x)) % 2) for x in (*apart, noisy)]
    assert not belong_together(*streams[:2]) and not belong_together(streams[0], streams[2])


@pytest.mark.parametrize("change", ["columns exchanged", "signs", "noise"])
def test_a_shift_of_a_table_makes_no_versions(change):
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(5, 20))
    x = (rng.normal(size=(1200, 5)) @ factors + 0.3 * rng.normal(size=(1200, 20))).astype("float32")
    y = np.arange(1200) % 2
    other = x[600:].copy()
    if change == "columns exchanged":
        other = other[:, ::-1].copy()
    elif change == "signs":
        other[:, :3] *= -1
    else:
        other += 2 * rng.normal(size=other.shape).astype("float32")
    both = stream_of(x[:600], y[:600]), stream_of(other, y[600:])
    assert not belong_together(*both, "little" if change == "noise" else "not")


def test_images_of_the_same_clips_are_versions_of_one_sample(digits):
    x, y = digits
    rng = np.random.default_rng(0)
    frames = x[:80].repeat(10, axis=0) + 0.05 * rng.normal(size=(800, 8, 8, 1))
    order = rng.permutation(800)
    clips = stream_of(frames[order].astype("float32"), y[:80].repeat(10)[order])
    assert belong_together(clips, stream_of(x[800:], y[800:]))


@pytest.mark.parametrize("change", ["none", "noise", "strong noise", "darker", "moved"])
def test_a_shift_of_validation_makes_no_versions(digits, change):
    x, y = digits
    rng = np.random.default_rng(0)
    other = {
        "none": x[900:],
        "noise": np.clip(x[900:] + 0.15 * rng.normal(size=x[900:].shape), 0, 1).astype("float32"),
        "strong noise": (x[900:] + 0.5 * rng.normal(size=x[900:].shape)).astype("float32"),
        "darker": 0.4 * x[900:],
        "moved": np.roll(x[900:], 1, axis=2),
    }[change]
    assert not belong_together(stream_of(x[:900], y[:900]), stream_of(other, y[900:]))


def test_two_halves_of_a_table_make_no_versions():
    x, y = load_breast_cancer(return_X_y=True)
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(x))
        halves = [stream_of(x[rows].astype("float32"), y[rows]) for rows in np.split(order[:-1], 2)]
        assert not belong_together(*halves)

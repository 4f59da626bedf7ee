"""How the model has seen the training samples: in versions of one sample, or changed each time."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from keras_shiftguard.callback.visits import are_redrawn, contents, repeats_samples
from keras_shiftguard.statistics.batch import spec_for
from keras_shiftguard.statistics.stream import Stream

BATCH = 32


def stream_of(x, y):
    """Returns a stream after one pass over the samples."""
    stream = Stream("train")
    stream.build([spec_for("input", (None, *x.shape[1:]), "channels_last")])
    for start in range(0, len(x) // BATCH * BATCH, BATCH):
        rows = slice(start, start + BATCH)
        tensors = keras.ops.convert_to_tensor(x[rows]), keras.ops.convert_to_tensor(y[rows])
        stream.update({"input": tensors[0]}, *tensors)
    return stream


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
    assert repeats_samples(train, apart)
    assert not repeats_samples(apart, apart) and not repeats_samples(train, train)


@pytest.mark.backend
def test_rows_and_windows_that_belong_together_in_both_streams():
    """Neither stream is nearer within itself, but both are far from each other."""
    rng = np.random.default_rng(0)
    both = [stream_of(*subjects(rng, number, 40)) for number in (30, 25)]
    assert repeats_samples(*both)

    def windows(recordings):
        walks = rng.normal(size=(recordings, 200, 2)).cumsum(axis=1)
        walks = np.sin(0.1 * walks) + 0.1 * rng.normal(size=walks.shape)
        at = np.arange(0, 168, 4)[:, None] + np.arange(32)
        x = walks[:, at].reshape(-1, 32, 2).astype("float32")
        return stream_of(x[rng.permutation(len(x))], np.arange(len(x)) % 2)

    assert repeats_samples(windows(30), windows(25))


def test_images_of_the_same_clips_are_versions_of_one_sample(digits):
    x, y = digits
    rng = np.random.default_rng(0)
    frames = x[:80].repeat(10, axis=0) + 0.05 * rng.normal(size=(800, 8, 8, 1))
    order = rng.permutation(800)
    clips = stream_of(frames[order].astype("float32"), y[:80].repeat(10)[order])
    assert repeats_samples(clips, stream_of(x[800:], y[800:]))


@pytest.mark.parametrize("change", ["none", "noise", "darker", "moved"])
def test_a_shift_of_validation_makes_no_versions(digits, change):
    x, y = digits
    rng = np.random.default_rng(0)
    other = {
        "none": x[900:],
        "noise": np.clip(x[900:] + 0.15 * rng.normal(size=x[900:].shape), 0, 1).astype("float32"),
        "darker": 0.4 * x[900:],
        "moved": np.roll(x[900:], 1, axis=2),
    }[change]
    assert not repeats_samples(stream_of(x[:900], y[:900]), stream_of(other, y[900:]))


def test_two_halves_of_a_table_make_no_versions():
    x, y = load_breast_cancer(return_X_y=True)
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(x))
        halves = [stream_of(x[rows].astype("float32"), y[rows]) for rows in np.split(order[:-1], 2)]
        assert not repeats_samples(*halves)


def test_redrawn_samples_are_told_from_those_in_another_order(digits):
    x, y = digits
    rng = np.random.default_rng(0)
    orders = [rng.permutation(len(x)) for _ in range(2)]
    first, again = (contents(stream_of(x[order], y[order])) for order in orders)
    noisy = x + 0.1 * rng.random(x.shape).astype("float32")
    changed = contents(stream_of(noisy[orders[1]], y[orders[1]]))
    assert are_redrawn(first, changed, len(x)) and not are_redrawn(first, again, len(x))
    # Of a large training set, two epochs keep hardly any sample in common.
    assert not are_redrawn(first, changed, 10**6)

"""Frames of one video clip count as fewer samples; samples sorted by class count in full."""

import numpy as np
import pytest

from keras_shiftguard.detection.causes.near_duplicates import independent_share


def scenes(rng, n):
    """Returns images that differ from each other: coarse random patterns."""
    return rng.normal(size=(n, 8, 8, 3)).repeat(2, axis=1).repeat(2, axis=2)


@pytest.mark.parametrize("length", [3, 10])
def test_frames_of_a_clip_count_less(length):
    rng = np.random.default_rng(0)
    clips = scenes(rng, 360 // length).repeat(length, axis=0)
    frames = clips + 0.2 * rng.normal(size=clips.shape)
    share = independent_share(frames, None)
    assert 0.3 / length < share < 1.3 / length
    first = np.moveaxis(frames, -1, 1)
    assert np.isclose(independent_share(first, None, first=True), share)
    shuffled = frames[rng.permutation(len(frames))]
    assert independent_share(shuffled, None) == 1.0


def test_an_order_by_class_is_no_dependence():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 100)
    x = scenes(rng, 4)[labels] + scenes(rng, 400)
    assert independent_share(x, labels) == 1.0
    assert independent_share(x, None) < 1.0  # without labels, a class looks like a clip


def test_overlapping_windows_count_less_and_rows_of_a_table_do_not():
    rng = np.random.default_rng(0)
    series = rng.normal(size=600)
    for i in range(1, len(series)):
        series[i] += 0.9 * series[i - 1]
    windows = np.stack([series[i : i + 24] for i in range(500)])
    assert independent_share(windows, None) < 0.2
    assert independent_share(windows[:, :, None], None) < 0.2  # the same windows as sequences
    assert independent_share(windows, None, positions=3 * np.arange(500)) == 1.0  # no neighbors
    rows = rng.normal(size=(500, 3)) * [1, 1000, 1e-3]
    assert independent_share(rows, None) == 1.0
    assert independent_share(np.arange(500)[:, None].repeat(3, axis=1), None) == 1.0  # row numbers


def test_overlapping_windows_of_noise_count_less():
    """Neighbours have other values at each place, but nearly the same mean and spread."""
    rng = np.random.default_rng(0)
    series = rng.normal(size=2100)
    windows = np.lib.stride_tricks.sliding_window_view(series, 48)[..., None]
    assert 0.3 / 48 < independent_share(windows, None) < 1.3 / 48
    assert independent_share(rng.permutation(windows), None) == 1.0
    assert independent_share(windows[::48], None) == 1.0  # they do not overlap


@pytest.mark.parametrize("size", [3, 25])
@pytest.mark.parametrize("alike", [0.36, 0.9])
def test_rows_of_subjects_count_by_their_design_effect(size, alike):
    """Kish: `1 + (size - 1) * alike`, where `alike` is the correlation of two rows of a subject."""
    shares = []
    for seed in range(9):
        rng = np.random.default_rng(seed)
        own = rng.normal(0, np.sqrt(alike / (1 - alike)), (600 // size, 6)).repeat(size, axis=0)
        shares.append(independent_share(own + rng.normal(size=own.shape), None))
    assert np.median(shares) == pytest.approx(1 / (1 + (size - 1) * alike), rel=0.35)


@pytest.mark.parametrize("columns", [3, 50])
def test_independent_rows_count_in_full(columns):
    rows = [np.random.default_rng(seed).normal(size=(200, columns)) for seed in range(30)]
    assert sum(independent_share(x, None) < 1 for x in rows) <= 1


def test_rows_of_subjects_with_many_classes_count_less():
    """Neighbours are mostly of other classes, so the means of the classes are taken off."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 30, 300)
    own = rng.normal(size=(30, 6)).repeat(10, axis=0)
    rows = own + rng.normal(size=(300, 6)) + 3 * rng.normal(size=(30, 6))[labels]
    assert independent_share(rows, labels) < 0.4
    assert independent_share(rows - own, labels) == 1.0

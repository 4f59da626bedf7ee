"""Detection of classes that changed in another way than the others."""

from functools import cache

import numpy as np
import pytest
from numpy_reference import labels
from sklearn.datasets import load_digits

from keras_shiftguard.detection.labels.concept import find_changed_classes
from keras_shiftguard.profiles import LabelSummary


@cache
def digits(seed):
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    return (x[order[:900]], y[order[:900]]), (x[order[900:]], y[order[900:]])


def swapped(y, a, b):
    return np.where(y == a, b, np.where(y == b, a, y))


def flipped(x, y, c):
    upside_down = x.reshape(-1, 8, 8)[:, ::-1].reshape(len(x), -1)
    return np.where((y == c)[:, None], upside_down, x)


def fewer_threes(y):
    return (y != 3) | (np.arange(len(y)) % 3 == 0)


@pytest.mark.parametrize(
    ("change", "ids"),
    [
        (lambda x, y: (x, swapped(y, 2, 7)), {2, 7}),
        (lambda x, y: (x * 0.7, swapped(y, 3, 8)), {3, 8}),
        (lambda x, y: (flipped(x, y, 4), y), {4}),
    ],
    ids=["swapped", "swapped and dark", "one flipped"],
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_classes_that_changed_are_named(change, ids, seed):
    reference, current = digits(seed)
    found = find_changed_classes(labels(*reference), labels(*change(*current)), 0.05)
    assert {shift.class_id for shift in found} == ids
    for shift in found:
        assert 0 < shift.p_value < 0.01
        assert shift.interval[0] <= shift.effect_size <= shift.interval[1]
        assert shift.effect_size > 0.3


@pytest.mark.parametrize(
    "change",
    [
        lambda x, y: (x, y),
        lambda x, y: (x * 0.5, y),
        lambda x, y: (x + 5, y),
        lambda x, y: (16 - x, y),
        lambda x, y: (x.reshape(-1, 8, 8)[:, ::-1].reshape(len(x), -1), y),
        lambda x, y: (x[fewer_threes(y)], y[fewer_threes(y)]),
    ],
    ids=["nothing", "flat", "bright", "negative", "all flipped", "fewer threes"],
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_happens_to_all_classes_is_not_concept_shift(change, seed):
    reference, current = digits(seed)
    assert find_changed_classes(labels(*reference), labels(*change(*current)), 0.05) == []


@pytest.mark.parametrize("kind", ["standard_normal", "standard_exponential"])
def test_false_alarms_stay_below_the_level(kind):
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(100):
        streams = []
        for n in (500, 300):
            y = rng.integers(0, 8, n)
            streams.append(labels(getattr(rng, kind)((n, 6)) + y[:, None], y))
        alarms += bool(find_changed_classes(*streams, level=0.2))
    assert alarms <= 28  # the 97.5 % quantile for 100 draws at a rate of 20 %


def test_nothing_is_found_in_too_few_samples_classes_or_labels():
    reference, (x, y) = digits(0)
    x, y = x[:60], swapped(y[:60], 2, 7)  # six of each class
    assert find_changed_classes(labels(*reference), labels(x, y), 0.05) == []
    two = [(x[y < 2], y[y < 2]) for x, y in digits(0)]
    assert find_changed_classes(labels(*two[0]), labels(two[1][0], 1 - two[1][1]), 0.05) == []
    assert find_changed_classes(LabelSummary(), LabelSummary(), 0.05) == []


def test_copies_are_no_evidence():
    reference, (x, y) = digits(0)
    x = flipped(x, y, 4)
    once = find_changed_classes(labels(*reference), labels(x, y), 0.05)
    tenfold = labels(np.tile(x, (10, 1)), np.tile(y, 10))
    fooled = find_changed_classes(labels(*reference), tenfold, 0.05)
    honest = find_changed_classes(labels(*reference), tenfold, 0.05, shares=(1.0, 0.1))
    assert honest[0].p_value == pytest.approx(once[0].p_value, rel=0.1, abs=0)
    assert fooled[0].p_value < 0.1 * honest[0].p_value
    assert honest[0].num_samples == once[0].num_samples

"""Training with as many samples of each class, as resampling makes it, and other class mixes."""

import numpy as np
import pytest

from keras_shiftguard.callback.questions import is_resampled
from keras_shiftguard.profiles.labels import MAX_CLASSES, LabelSummary

NATURAL = (300, 80, 20)


def labels(*counts, are_classes=True):
    padded = np.zeros(MAX_CLASSES, "int64")
    padded[: len(counts)] = counts
    total = sum(counts)
    return LabelSummary(num_samples=total, num_ids=total if are_classes else 0, counts=padded)


@pytest.mark.parametrize(
    ("training", "validation", "expected"),
    [
        ((100, 100, 100), NATURAL, True),
        ((100, 101, 100), NATURAL, True),  # the last batch was dropped
        ((100, 110, 95), NATURAL, False),  # equal by chance
        ((100, 100, 100), (50, 50, 50), False),
        ((19, 19, 19), NATURAL, False),
        ((100,), NATURAL, False),
        (NATURAL, (100, 100, 100), False),
    ],
)
def test_equal_numbers_of_each_class(training, validation, expected):
    assert is_resampled(labels(*training), labels(*validation)) == expected


def test_numbers_of_a_regression_are_no_classes():
    equal = labels(100, 100, are_classes=False)
    assert not is_resampled(equal, labels(*NATURAL))
    assert not is_resampled(LabelSummary(), LabelSummary())

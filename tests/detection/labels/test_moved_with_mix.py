"""Whether the samples moved as a new class mix predicts."""

import numpy as np

from keras_shiftguard.detection.labels.moved_with_mix import moved_as_mix
from keras_shiftguard.profiles import LabelSummary, Moments


def test_copies_of_samples_are_no_evidence_against_the_mix():
    by_class = LabelSummary().by_class
    for moments in (by_class.count, by_class.m2):
        moments[:2] = 500
    by_class.mean[:2] = [[-1.0], [1.0]]
    reference = LabelSummary(1000, 1000, by_class=by_class)
    every = np.ones(by_class.mean.shape[1])
    current = Moments(1000 * every, 0.3 * every, 2000 * every)
    even, errors = np.full(2, 0.5), np.zeros(2)
    assert not moved_as_mix(current, reference, even, errors)
    assert moved_as_mix(current, reference, even, errors, (0.1, 0.1))

"""Whether the training samples are changed in each pass."""

import numpy as np
import pytest
from one_pass import stream_of
from sklearn.datasets import load_digits

from keras_shiftguard.callback.visits import are_redrawn, contents
from keras_shiftguard.detection.causes.same_samples import have_same_labels
from keras_shiftguard.profiles.labels import LabelSummary


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return (x[order] / 16).reshape(-1, 8, 8, 1).astype("float32"), y[order].astype("int32")


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


@pytest.mark.parametrize(("classes", "number"), [(2, 2000), (2, 10_000), (10, 4000)])
def test_other_samples_have_other_class_counts(classes, number):
    shares = []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        labels = [
            LabelSummary(number, number, rng.multinomial(number, [1 / classes] * classes))
            for _ in range(2)
        ]
        shares.append(have_same_labels(*labels))
    assert np.mean(shares) <= 0.04  # the counts of two classes may be the same by chance


def test_a_pass_that_leaves_out_its_last_batch_has_the_same_labels():
    labels = np.arange(1397) % 10
    for seed in range(20):
        rng = np.random.default_rng(seed)
        passes = [np.bincount(rng.permutation(labels)[:1344], minlength=10) for _ in range(2)]
        assert have_same_labels(*(LabelSummary(1344, 1344, counts) for counts in passes))

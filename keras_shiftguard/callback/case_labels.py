"""Labels of kept samples: whether they stand for their stream, and as a likelihood takes them."""

from typing import Any

import keras
import numpy as np

from keras_shiftguard.account.likelihoods import Likelihood, Numbers, SeveralLabels
from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies
from keras_shiftguard.profiles import LabelSummary

# With a smaller p-value, the kept samples count as having another class mix than their stream. A
# convention.
MIN_P_OF_MIX = 1e-3
# If a class has a larger share of validation, accuracy hardly moves whatever happens, so the
# compiled loss is judged. A convention.
MAX_COMMONEST = 0.95


def represents(ids: np.ndarray, labels: LabelSummary) -> bool:
    """Whether samples with these class ids have the class mix of the whole stream."""
    if not labels.are_classes:
        return True
    counts = np.bincount(ids % len(labels.counts), minlength=len(labels.counts))
    return compare_frequencies(counts, labels.counts).p_value > MIN_P_OF_MIX


def is_rare(labels: LabelSummary) -> bool:
    """Whether nearly all labels are of one class."""
    counts = labels.counts
    return bool(labels.are_classes and counts.max() > MAX_COMMONEST * counts.sum())


def as_judged(likelihood: Likelihood, labels: Any) -> Any:
    """Returns labels as the likelihood takes them: arrays, or `Rows` for any loss."""
    if isinstance(likelihood, Numbers | SeveralLabels):
        y = np.asarray(keras.tree.flatten(labels.tree)[0], "float64")
        return y.reshape(len(y), -1)
    return labels

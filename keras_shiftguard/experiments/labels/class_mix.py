"""What another class mix costs, by weighting the samples as if their classes were as frequent."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_shiftguard.detection.cost import MIN_SAMPLES, SIGMAS, Cost
from keras_shiftguard.statistics.classes import host_class_ids
from keras_shiftguard.statistics.rows import Rows

# Smallest accuracy at which another class mix has a cost. On this scale, 0 is the accuracy of
# always predicting the commonest class, and 1 is perfect: a model that has learned nothing yet
# prefers some class. If 99 % of the samples are of one class, the mean accuracy of the classes can
# show earlier that the model has learned. A convention.
MIN_LEARNT = 0.3
NUM_BINS = 10  # classes of numbers to predict. A convention.
# With more classes, whole numbers are numbers to predict. A convention.
MAX_CLASSES = 100


def has_learnt(right: np.ndarray, labels: np.ndarray) -> bool:
    """Whether the accuracy, or its mean over the classes, is well above that of a constant."""
    counts = np.bincount(labels)
    of_classes = np.bincount(labels, right)[counts > 0] / counts[counts > 0]
    rates = (right.mean(), counts.max() / len(labels)), (of_classes.mean(), 1 / len(of_classes))
    return any(bool(rate >= least + MIN_LEARNT * (1 - least)) for rate, least in rates)


def cost_of_target_mix(
    worth: np.ndarray, targets: np.ndarray, before: np.ndarray, unit: float, metric: str
) -> Cost | None:
    """Returns the cost of numbers to predict that are distributed as in no reference.

    The numbers are put into ten classes, which are as frequent in the reference, `before`. The
    result is None if there are too few samples, or if the samples lack a class.
    """
    ids, known = _binned(targets, before)
    counts = [np.bincount(each, minlength=NUM_BINS) for each in (known, ids)]
    found = cost_of_mix(worth / unit, ids, *counts)
    return None if found is None else replace(found, metric=metric)


def _binned(targets: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the classes of two sets of numbers, which are as frequent in the second one."""
    edges = np.unique(np.quantile(before, np.linspace(0, 1, NUM_BINS + 1)[1:-1]))
    return np.searchsorted(edges, targets), np.searchsorted(edges, before)


def rows_of_like_labels(labels: Any, others: Any) -> np.ndarray:
    """Returns rows of other samples whose labels are distributed as those of some samples.

    There are as many as the weighted samples are worth; some come several times. All rows are
    returned if the labels are no classes and no single numbers, or have none in common.
    """
    here, there = map(column_of, (labels, others))
    every = np.arange(len(others))
    if here is None or there is None:
        return every
    ids, known = map(host_class_ids, (here, there))
    if ids is None or known is None or len(np.unique(known)) > MAX_CLASSES:
        ids, known = _binned(here, there)
    classes, both = np.unique(np.concatenate([ids, known]), return_inverse=True)
    ids, known = np.split(both, [len(ids)])
    have, want = (np.bincount(each, minlength=len(classes)) for each in (known, ids))
    weights = (want / np.maximum(have, 1))[known]
    if not weights.any():
        return every
    weights = weights / weights.sum()
    size = int(np.ceil(1 / np.square(weights).sum() - 1e-9))  # effective number of samples
    places = np.searchsorted(np.cumsum(weights), (np.arange(size) + 0.5) / size)
    return np.minimum(places, len(every) - 1)


def column_of(labels: Any) -> np.ndarray | None:
    """Returns labels as one column of finite numbers; None if they are something else."""
    leaves = keras.tree.flatten(labels.tree if isinstance(labels, Rows) else labels)
    if len(leaves) != 1 or np.asarray(leaves[0]).size != len(leaves[0]):
        return None
    column = np.asarray(leaves[0]).reshape(-1)
    is_number = column.dtype.kind in "biuf" and np.isfinite(column).all()
    return column if is_number and len(column) else None


def cost_of_unseen(
    right: np.ndarray,
    labels: np.ndarray,
    before: np.ndarray,
    now: np.ndarray,
    on_training: np.ndarray,
) -> Cost | None:
    """Returns the cost of classes that the reference lacks: a model cannot have learned them.

    The cost is how much the accuracy would grow if samples of these classes were predicted as well
    as those of all other classes. It is None if there are too few samples, or no such classes.

    Args:
        right: Whether each prediction is right, `(samples,)`.
        labels: Class ids, `(samples,)`, taken modulo the number of classes.
        before: Counts of the classes in the reference, `(classes,)`.
        now: Counts of the classes in the stream of the samples, `(classes,)`.
        on_training: Whether each prediction for some samples of the reference is right, which
            counts if few samples are of the other classes.
    """
    width = max(len(before), len(now))
    is_unseen = np.pad(before, (0, width - len(before)))[labels % width] == 0
    usual = right[~is_unseen] if (~is_unseen).sum() >= MIN_SAMPLES else on_training
    if len(labels) < MIN_SAMPLES or not is_unseen.any() or not len(usual):
        return None
    return _mean_of(np.where(is_unseen, usual.mean() - right, 0.0))


def cost_of_mix(
    right: np.ndarray, labels: np.ndarray, before: np.ndarray, now: np.ndarray
) -> Cost | None:
    """Returns the cost of class frequencies that differ from those of the reference.

    The cost is the accuracy with the class frequencies of the reference, minus the accuracy with
    the class frequencies of the samples. It is None if there are too few samples, or if the stream
    lacks a class that the reference has. The arguments are those of `cost_of_unseen`.
    """
    width = max(len(before), len(now))
    there, here = (np.pad(c, (0, width - len(c))) / max(c.sum(), 1) for c in (before, now))
    if len(labels) < MIN_SAMPLES or np.any((there > 0) & (here == 0)):
        return None
    weights = np.where(here > 0, there / np.where(here > 0, here, 1), 0)[labels % width]
    weights = weights / max(weights.mean(), 1e-12)
    # The weights have a mean of 1, so a constant taken off `right` changes the error alone.
    return _mean_of((weights - 1) * (right - (weights * right).mean()))


def _mean_of(gains: np.ndarray) -> Cost:
    value, error = float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))
    return Cost(value, (value - SIGMAS * error, value + SIGMAS * error), len(gains))

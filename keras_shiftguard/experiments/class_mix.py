"""What another class mix costs, by weighting the samples as if their classes were as frequent."""

from dataclasses import replace

import numpy as np

from keras_shiftguard.detection.cost import MIN_SAMPLES, SIGMAS, Cost

# Smallest accuracy at which another class mix has a cost. On this scale, 0 is the accuracy of
# always predicting the commonest class, and 1 is perfect: a model that has learned nothing yet
# prefers some class. If 99 % of the samples are of one class, the mean accuracy of the classes can
# show earlier that the model has learned. A convention.
MIN_LEARNT = 0.3
NUM_BINS = 10  # classes of numbers to predict. A convention.


def has_learnt(right: np.ndarray, labels: np.ndarray) -> bool:
    """Whether the accuracy, or the mean accuracy of the classes, is well above that of a constant.

    Args:
        right: Whether each prediction is right, `(samples,)`.
        labels: Class ids, `(samples,)`.
    """
    counts = np.bincount(labels)
    of_classes = np.bincount(labels, right)[counts > 0] / counts[counts > 0]
    rates = (right.mean(), counts.max() / len(labels)), (of_classes.mean(), 1 / len(of_classes))
    return any(bool(rate >= least + MIN_LEARNT * (1 - least)) for rate, least in rates)


def cost_of_target_mix(
    worth: np.ndarray, targets: np.ndarray, before: np.ndarray, unit: float, metric: str
) -> Cost | None:
    """Returns the cost of numbers to predict that are distributed as in no reference.

    The numbers are put into ten classes, which are as frequent in the reference.

    Args:
        worth: Worth of each prediction, `(samples,)`, see `Judge.worth`.
        targets: The numbers to predict, `(samples,)`.
        before: The numbers of the reference, `(reference samples,)`.
        unit: The gain that counts as 1.
        metric: Name of what is gained.

    Returns:
        The cost; None if there are too few samples, or if the samples lack a class.
    """
    edges = np.unique(np.quantile(before, np.linspace(0, 1, NUM_BINS + 1)[1:-1]))
    ids, known = np.searchsorted(edges, targets), np.searchsorted(edges, before)
    counts = [np.bincount(each, minlength=len(edges) + 1) for each in (known, ids)]
    found = cost_of_mix(worth / unit, ids, *counts)
    return None if found is None else replace(found, metric=metric)


def cost_of_mix(
    right: np.ndarray, labels: np.ndarray, before: np.ndarray, now: np.ndarray
) -> Cost | None:
    """Returns the cost of class frequencies that differ from those of the reference.

    The cost is the accuracy with the class frequencies of the reference, minus the accuracy with
    the class frequencies of the samples.

    Args:
        right: Whether each prediction is right, `(samples,)`.
        labels: Class ids, `(samples,)`, taken modulo the number of classes.
        before: Counts of the classes in the reference, `(classes,)`.
        now: Counts of the classes in the stream of the samples, `(classes,)`.

    Returns:
        The cost; None if there are too few samples, or if the stream lacks a class that the
        reference has.
    """
    width = max(len(before), len(now))
    there, here = (np.pad(c, (0, width - len(c))) / max(c.sum(), 1) for c in (before, now))
    if len(labels) < MIN_SAMPLES or np.any((there > 0) & (here == 0)):
        return None
    weights = np.where(here > 0, there / np.where(here > 0, here, 1), 0)[labels % width]
    weights = weights / max(weights.mean(), 1e-12)
    # The weights have a mean of 1, so a constant taken off `right` changes the error alone.
    gains = (weights - 1) * (right - (weights * right).mean())
    error = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    value = float(gains.mean())
    return Cost(value, (value - SIGMAS * error, value + SIGMAS * error), len(gains))

"""Hints from labels: checks whether the labels use the class numbers of the model.

Three problems are checked, with NumPy only: the labels lie outside of the model's classes, they
are shifted by one (a background class, or counting from one), or the classes
are in another order. A bad model and wrongly preprocessed input also cause a low accuracy, so each
check needs more evidence than a low accuracy.
"""

from math import exp, lgamma, log

import numpy as np

from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.statistics.classes import host_class_ids

# Largest p-value for which another order is reported; the limit for a shift is 20 times as large.
# The limit is small because a false alarm is worse than a missed problem. A convention.
MAX_P_VALUE = 1e-3
MIN_CONFIDENCE = 0.5  # below this mean confidence, another order is never reported. A convention.
MIN_CLASSES = 6  # so many must be predicted for another order. A convention.


def check_labels(probabilities: np.ndarray, labels: np.ndarray) -> Hint | None:
    """Returns the first problem that is found in the labels; None if no problem is found.

    A low accuracy alone is not a problem of the labels. Check the preprocessing before you check
    the labels, because wrong input lowers the accuracy as well.

    Args:
        probabilities: `(n, classes)`, see `statistics.classes.host_probabilities`.
        labels: Class ids, `(n,)` or `(n, 1)`, or one-hot rows with any number of
            classes.

    Returns:
        A hint with the name `"labels_out_of_range"`, `"labels_shifted"` or `"labels_other_order"`.
    """
    p = np.asarray(probabilities, "float64")
    ids = host_class_ids(labels)
    if ids is None or p.ndim != 2 or len(ids) != len(p) or p.shape[1] < 2:
        return None
    finite = np.isfinite(p).all(axis=1)
    p, ids = p[finite], ids[finite]
    if not len(ids):
        return None
    predicted = p.argmax(axis=1)
    return (
        _out_of_range(ids, predicted, p.shape[1])
        or _shifted(ids, predicted)
        or _other_order(ids, predicted, p)
    )


def _out_of_range(ids: np.ndarray, predicted: np.ndarray, classes: int) -> Hint | None:
    outside = (ids < 0) | (ids >= classes)
    if not outside.any():
        return None
    text = (
        f"{outside.sum()} of {len(ids)} labels lie outside of the model's {classes} classes "
        f"(0 to {classes - 1}); the labels run from {ids.min()} to {ids.max()}."
    )
    repaired = np.mean(predicted == ids - 1)
    if ids.min() >= 1 and ids.max() == classes and repaired >= np.mean(predicted == ids):
        text += f" They seem to count from 1: with `y - 1`, {repaired:.0%} are right."
    return Hint("labels_out_of_range", text, 1.0)


def _shifted(ids: np.ndarray, predicted: np.ndarray) -> Hint | None:
    """Finds labels that equal the prediction plus or minus one in most classes.

    The test counts classes and not samples: a model that takes every tench for
    a goldfish makes one mistake, however many photos show a tench.
    """
    right = predicted == ids
    accuracy = right.mean()
    seen, class_index = np.unique(ids, return_inverse=True)
    for offset, sign, reason in (
        (1, "+", "The model seems to have a background class in front"),
        (-1, "-", "The labels seem to count from 1"),
    ):
        # Neighboring classes (ages, ratings) are confused in both directions, but a shift
        # has one direction.
        moved, opposite = predicted == ids + offset, predicted == ids - offset
        # For each class: samples for the shift, minus samples against it.
        lead = np.bincount(class_index, moved.astype(float) - (right | opposite), len(seen))
        for_it, against = int((lead > 0).sum()), int((lead < 0).sum())
        p_value = 2 * _binomial_tail(for_it, for_it + against, 0.5)  # two offsets are tried
        is_better = moved.mean() >= max(0.3, 3 * max(accuracy, opposite.mean()))
        if is_better and p_value < 20 * MAX_P_VALUE:  # seven of seven classes pass this test
            text = (
                f"The labels look shifted by one: {accuracy:.0%} of {len(ids)} predictions equal "
                f"the label, {moved.mean():.0%} the label {sign} 1, in {for_it} of {len(seen)} "
                f"classes. {reason}: try `y {sign} 1`."
            )
            return Hint("labels_shifted", text, _certainty(p_value))
    return None


def _other_order(ids: np.ndarray, predicted: np.ndarray, p: np.ndarray) -> Hint | None:
    """Finds labels whose classes are in another order than those of the model."""
    confidence = float(p.max(axis=1).mean())
    if confidence < MIN_CONFIDENCE:
        return None
    n, hits = len(ids), int((predicted == ids).sum())
    # Even a bad model gives the right class a fairly high probability. If the classes are in
    # another order, the rank of the label's probability is uniformly distributed.
    p_label = p[np.arange(n), ids][:, None]
    rank = ((p > p_label).mean(axis=1) + (p >= p_label).mean(axis=1)) / 2
    mapped = _consistent_mapping(ids, predicted, rank, p.shape[1])
    if mapped is not None:
        repaired, moved, repeated = mapped
        text = (
            f"The classes look to be in another order: {hits / n:.0%} of {n} predictions equal "
            f"the label, but for {moved} of {repeated} classes the model mostly predicts one and "
            f"the same other class; with the classes renamed like this, {repaired:.0%} are right. "
            "Compare the class names of the labels with those of the model."
        )
        return Hint("labels_other_order", text, 0.99)
    # The accuracy by chance follows from how often each class is a label and a prediction.
    classes = p.shape[1]
    pairs = float(np.bincount(ids, minlength=classes) @ np.bincount(predicted, minlength=classes))
    at_chance = _binomial_tail(hits, n, pairs / n**2) > 0.01 and _ranks_are_random(rank)
    # Null hypothesis: the accuracy is at least half of the mean confidence.
    p_value = 1 - _binomial_tail(hits + 1, n, confidence / 2)
    # A model that predicts only a few classes is broken or gets wrong input.
    num_predicted = _effective_number(predicted)
    diverse = num_predicted >= MIN_CLASSES and 2 * num_predicted >= _effective_number(ids)
    if not (at_chance and diverse and p_value < MAX_P_VALUE):
        return None
    text = (
        f"Accuracy is at chance ({hits} of {n} right) although the model is confident (mean "
        f"confidence {confidence:.0%}): the labels are probably in another order than the "
        "model's classes (for ImageNet, ILSVRC ids instead of alphabetical synsets)."
    )
    # Wrong input can have the same effect, so the certainty is at most 0.9.
    return Hint("labels_other_order", text, min(_certainty(p_value), 0.9))


def _ranks_are_random(rank: np.ndarray) -> bool:
    """Whether ranks from 0 (likeliest) to 1 could be the ranks of random classes.

    The mean of such ranks is at most two standard errors below 0.5.
    """
    return bool((rank.mean() - 0.5) * np.sqrt(12 * len(rank)) > -2)


def _consistent_mapping(
    ids: np.ndarray, predicted: np.ndarray, rank: np.ndarray, num_classes: int
) -> tuple[float, int, int] | None:
    """Tests whether classes were renamed: most samples of a class are predicted as another one.

    Returns:
        The accuracy after renaming (each sample is judged by the others of its
        class), the number of renamed classes, and the number of classes with at
        least three samples. None if renaming does not explain the predictions.
    """
    classes, count = np.unique(ids, return_counts=True)
    repeated = classes[count >= 3]
    if len(repeated) < 2:
        return None
    votes = np.stack([np.bincount(predicted[ids == i], minlength=num_classes) for i in repeated])
    modes = votes.argmax(axis=1)
    moved_classes = repeated[modes != repeated]
    moved = len(moved_classes)
    if not moved or not _ranks_are_random(rank[np.isin(ids, moved_classes)]):
        return None
    # Predictions that equal the commonest prediction of their class. If it leads by two votes, it
    # stays the commonest without the vote of the sample itself.
    runner_up, most = np.sort(votes, axis=1)[:, -2:].T
    hits = int(most[most - runner_up >= 2].sum())
    right = votes[np.arange(len(repeated)), repeated].sum()
    total = int(votes.sum())
    distinct = len(np.unique(modes)) >= 0.8 * len(modes)
    # Half of the classes must be renamed. Renaming must make at least half of the predictions
    # right, and must raise the share of right predictions by at least 30 percentage points.
    better = hits / total >= 0.5 and (hits - right) / total >= 0.3
    # Null hypothesis: only half of the samples, or a third if there are many classes, get the
    # commonest prediction of their class.
    p_value = _binomial_tail(hits, total, 0.5 if len(classes) < MIN_CLASSES else 1 / 3)
    if distinct and better and 2 * moved >= len(repeated) and p_value < MAX_P_VALUE:
        return hits / total, moved, len(repeated)
    return None


def _effective_number(ids: np.ndarray) -> float:
    """Returns the effective number of classes: the exponential of the entropy."""
    share = np.unique(ids, return_counts=True)[1] / len(ids)
    return float(np.exp(-(share * np.log(share)).sum()))


def _binomial_tail(k: int, n: int, q: float) -> float:
    """Returns P(X >= k) for X ~ Binomial(n, q)."""
    if k <= 0 or (q >= 1 and k <= n):
        return 1.0
    if q <= 0 or k > n:
        return 0.0
    terms = (
        exp(lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) + i * log(q) + (n - i) * log(1 - q))
        for i in range(k, n + 1)
    )
    return min(1.0, sum(terms))


def _certainty(p_value: float) -> float:
    return round(min(1 - p_value, 0.999), 3)

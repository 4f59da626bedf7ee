"""Do the labels mean what the model's classes mean? NumPy only.

Three ways in which they may not: they lie outside of the model's classes, they
are shifted by one (a background class, or counting from one), or the classes
stand in another order. A model that is bad, or fed wrongly, also has a low
accuracy: so each check asks for more than that.
"""

from dataclasses import dataclass
from math import exp, lgamma, log

import numpy as np

from keras_shiftguard.statistics.classes import host_class_ids

ALPHA = 1e-3  # of each check: a false accusation is worse than a missed one
CONFIDENT = 0.5  # mean confidence from which a model claims to know the classes
SHIFTED_CLASSES = 6  # fewer classes that agree on a shift prove nothing


@dataclass(frozen=True)
class LabelFinding:
    """What is wrong with the labels.

    Args:
        kind: `"out_of_range"`, `"shifted"` or `"other_order"`.
        sentence: What was seen, with numbers, and what to do.
        certainty: How sure, from 0 to 1.
        accuracy: Share of predictions that equal the label as given.
        repaired_accuracy: The share after the repair that the sentence names;
            None where it cannot be known.
        offset: For `"shifted"`, what to add to the labels.
    """

    kind: str
    sentence: str
    certainty: float
    accuracy: float
    repaired_accuracy: float | None = None
    offset: int | None = None


def check_labels(probabilities: np.ndarray, labels: np.ndarray) -> LabelFinding | None:
    """The one thing that is most clearly wrong with the labels, or None.

    A low accuracy alone is no finding. Meant for a model that is fed rightly:
    ask for the preprocessing first.

    Args:
        probabilities: `(n, classes)`, see `statistics.classes.host_probabilities`.
        labels: Class ids, `(n,)` or `(n, 1)`, or one-hot, `(n, anything)`.
    """
    p = np.asarray(probabilities, "float64")
    ids = host_class_ids(labels)
    if ids is None or p.ndim != 2 or len(ids) != len(p) or p.shape[1] < 2:
        return None
    keep = np.isfinite(p).all(axis=1)
    p, ids = p[keep], ids[keep]
    if not len(ids):
        return None
    predicted = p.argmax(axis=1)
    return (
        _out_of_range(ids, predicted, p.shape[1])
        or _shifted(ids, predicted)
        or _other_order(ids, predicted, p)
    )


def _out_of_range(ids: np.ndarray, predicted: np.ndarray, classes: int) -> LabelFinding | None:
    outside = (ids < 0) | (ids >= classes)
    if not outside.any():
        return None
    accuracy = float(np.mean(predicted == ids))
    text = (
        f"{outside.sum()} of {len(ids)} labels lie outside of the model's {classes} classes "
        f"(0 to {classes - 1}); the labels run from {ids.min()} to {ids.max()}."
    )
    if ids.min() >= 1 and ids.max() == classes:
        repaired = float(np.mean(predicted == ids - 1))
        if repaired >= accuracy:
            text += f" They seem to count from 1: with `y - 1`, {repaired:.0%} are right."
            return LabelFinding("out_of_range", text, 1.0, accuracy, repaired, -1)
    return LabelFinding("out_of_range", text, 1.0, accuracy)


def _shifted(ids: np.ndarray, predicted: np.ndarray) -> LabelFinding | None:
    """Is the prediction the label plus or minus one, in class after class?

    The class is what counts, not the sample: a model that takes every tench
    for a goldfish is one mistake, however many photos show it.
    """
    right = predicted == ids
    accuracy = float(right.mean())
    for offset in (1, -1):
        # Errors on neighbours (ages, ratings) go both ways; a shift goes one.
        moved, opposite = predicted == ids + offset, predicted == ids - offset
        repaired = float(moved.mean())
        seen, where = np.unique(ids, return_inverse=True)
        lead = np.bincount(where, moved.astype(float) - (right | opposite), len(seen))
        for_it, against = int((lead > 0).sum()), int((lead < 0).sum())
        p_value = 2 * _binomial_tail(for_it, for_it + against, 0.5)  # two offsets are tried
        rest = max(accuracy, float(opposite.mean()))
        if for_it < SHIFTED_CLASSES or repaired < max(0.3, 3 * rest):
            continue
        if p_value >= 20 * ALPHA:  # six classes of six; the other conditions do the rest
            continue
        reason = (
            "The model seems to have a background class in front"
            if offset == 1
            else "The labels seem to count from 1"
        )
        sign = "+" if offset == 1 else "-"
        text = (
            f"The labels look shifted by one: {accuracy:.0%} of {len(ids)} predictions equal the "
            f"label, {repaired:.0%} the label {sign} 1, in {for_it} of {len(seen)} classes. "
            f"{reason}: try `y {sign} 1`."
        )
        return LabelFinding("shifted", text, _certainty(p_value), accuracy, repaired, offset)
    return None


def _other_order(ids: np.ndarray, predicted: np.ndarray, p: np.ndarray) -> LabelFinding | None:
    confidence = float(p.max(axis=1).mean())
    if confidence < CONFIDENT:
        return None
    n, accuracy = len(ids), float(np.mean(predicted == ids))
    # A bad model still has the right class among its likelier ones; in another
    # order the label's rank is anything between first and last.
    own = p[np.arange(n), ids][:, None]
    rank = ((p > own).mean(axis=1) + (p >= own).mean(axis=1)) / 2
    mapped = _consistent_mapping(ids, predicted, rank)
    if mapped is not None:
        repaired, moved, repeated = mapped
        text = (
            f"The classes look to be in another order: {accuracy:.0%} of {n} predictions equal "
            f"the label, but in {moved} of {repeated} classes the model keeps to one other class "
            f"each; renamed so, {repaired:.0%} are right. Compare the class names of the labels "
            "with those of the model."
        )
        return LabelFinding("other_order", text, 0.99, accuracy, repaired)
    hits = int((predicted == ids).sum())
    # Chance, given how often each class is a label and a prediction.
    classes = p.shape[1]
    chance = float(np.bincount(ids, minlength=classes) @ np.bincount(predicted, minlength=classes))
    at_chance = _binomial_tail(hits, n, chance / n**2) > 0.01
    at_chance &= _is_any_rank(rank)
    # Even a model half as good as it claims would have had more hits.
    p_value = 1 - _binomial_tail(hits + 1, n, confidence / 2)
    # Collapsed predictions come from a model that is broken or fed wrongly.
    kinds = _effective_number(predicted)
    diverse = kinds >= SHIFTED_CLASSES and 2 * kinds >= _effective_number(ids)
    if not (at_chance and diverse and p_value < ALPHA):
        return None
    text = (
        f"Accuracy is at chance ({hits} of {n} right) while the model is sure of itself (mean "
        f"confidence {confidence:.0%}): the labels are probably in another order than the "
        "model's classes (for ImageNet, ILSVRC ids instead of alphabetical synsets)."
    )
    # A model fed wrongly can look like this as well: never quite sure.
    return LabelFinding("other_order", text, min(_certainty(p_value), 0.9), accuracy)


def _is_any_rank(rank: np.ndarray) -> bool:
    """Whether ranks from 0 (likeliest) to 1 could be those of classes drawn blindly."""
    return bool((rank.mean() - 0.5) * np.sqrt(12 * len(rank)) > -2)


def _consistent_mapping(
    ids: np.ndarray, predicted: np.ndarray, rank: np.ndarray
) -> tuple[float, int, int] | None:
    """Does each label go with one prediction, other than its own?

    Returns:
        The accuracy after renaming (each sample judged by the others of its
        class), the number of renamed classes, and of classes seen repeatedly.
    """
    names, count = np.unique(ids, return_counts=True)
    repeated = names[count >= 3]
    if len(repeated) < 2:
        return None
    hits, total, right, modes = 0, 0, 0, []
    for name in repeated:
        votes = np.bincount(predicted[ids == name])
        mode = int(votes.argmax())
        modes.append(mode)
        total += int(votes.sum())
        right += int(votes[name]) if name < len(votes) else 0
        # Without its own vote a sample still finds the mode if that leads by two.
        runner_up = int(np.sort(votes)[-2]) if len(votes) > 1 else 0
        hits += int(votes.max()) if votes.max() - runner_up >= 2 else 0
    modes_array = np.asarray(modes)
    elsewhere = repeated[modes_array != repeated]
    moved = len(elsewhere)
    if not moved or not _is_any_rank(rank[np.isin(ids, elsewhere)]):
        return None
    distinct = len(set(modes)) >= 0.8 * len(modes)
    # Half of the classes must have moved, and renaming must explain them.
    better = hits / total >= 0.5 and (hits - right) / total >= 0.3
    # Against chance: agreeing with another class than the own one as often.
    p_value = _binomial_tail(hits, total, 0.5 if len(names) < SHIFTED_CLASSES else 1 / 3)
    if distinct and better and 2 * moved >= len(repeated) and p_value < ALPHA:
        return hits / total, moved, len(repeated)
    return None


def _effective_number(ids: np.ndarray) -> float:
    """How many classes there are, rare ones counted less (exponential of the entropy)."""
    share = np.unique(ids, return_counts=True)[1] / len(ids)
    return float(np.exp(-(share * np.log(share)).sum()))


def _binomial_tail(k: int, n: int, q: float) -> float:
    """P(X >= k) for X ~ Binomial(n, q)."""
    if k <= 0:
        return 1.0
    if q <= 0 or k > n:
        return 0.0
    if q >= 1:
        return 1.0
    terms = (
        exp(lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) + i * log(q) + (n - i) * log(1 - q))
        for i in range(k, n + 1)
    )
    return min(1.0, sum(terms))


def _certainty(p_value: float) -> float:
    return round(min(1 - p_value, 0.999), 3)

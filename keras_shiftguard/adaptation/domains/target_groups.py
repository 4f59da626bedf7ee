"""Whether the target's samples fall into as many separate groups as there are classes.

Then each group is a class, whatever its shape: a moon, a ring, a chain. The model's
answers are needed only to say which is which. NumPy only.

Reference: Chapelle, Schoelkopf and Zien, "Semi-Supervised Learning", MIT Press 2006,
section 1.2.2, the cluster assumption.
"""

import numpy as np

# Neighbours of a sample that it is joined with. With few, a group breaks; with many,
# a gap is bridged: the first number that leaves one group a class is taken.
NEIGHBOURS = (5, 6, 8, 10, 12)
FEWEST = 20  # samples of a group; smaller ones are strays
LEAST_IN_GROUPS = 0.95  # of all samples
# Of the answers within a group that name its class. Below, the groups may be
# something else than classes: day and night, or two cameras.
LEAST_MAJORITY = 2 / 3


def separate_groups(features: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray | None:
    """The class of each sample, by the group that it lies in.

    Args:
        features: `(samples, features)`.
        answers: Class ids that the model gives, `(samples,)`.
        classes: How many classes there are; each has to have a group of its own.

    Returns:
        Class ids, `(samples,)`, -1 for strays; None where there are more groups or
        fewer, or where two thirds of a group's answers do not name the same class.

    Example:

    >>> angle = np.linspace(0, 6.28, 60)
    >>> ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    >>> rings = np.concatenate([ring, 3 * ring])
    >>> answers = np.repeat([0, 1, 0, 1], [45, 15, 5, 55])
    >>> np.bincount(separate_groups(rings, answers, classes=2)).tolist()
    [60, 60]
    """
    samples = len(features)
    if classes < 2 or samples < max(classes * FEWEST, NEIGHBOURS[-1] + 1):
        return None
    lengths = np.square(features).sum(axis=1)
    squared = lengths[:, None] + lengths[None, :] - 2 * features @ features.T
    np.fill_diagonal(squared, np.inf)
    nearest = np.argsort(squared, axis=1)[:, : NEIGHBOURS[-1]]
    for number in NEIGHBOURS:
        group = _connected(nearest[:, :number])
        named = _named(group, answers, classes)
        if named is not None:
            return named
    return None


def _connected(nearest: np.ndarray) -> np.ndarray:
    """The smallest index that each sample is connected with, `(samples,)`."""
    samples, number = nearest.shape
    one, other = np.repeat(np.arange(samples), number), nearest.ravel()
    group = np.arange(samples)
    while True:
        before = group.copy()
        np.minimum.at(group, one, before[other])
        np.minimum.at(group, other, before[one])
        group = group[group]
        if (group == before).all():
            return group


def _named(group: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray | None:
    ids, sizes = np.unique(group, return_counts=True)
    large = ids[sizes >= FEWEST]
    if len(large) != classes or np.isin(group, large).mean() < LEAST_IN_GROUPS:
        return None
    named = np.full(len(group), -1)
    for one in large:
        inside = group == one
        votes = np.bincount(answers[inside], minlength=classes)
        if votes.max() < LEAST_MAJORITY * inside.sum():
            return None
        named[inside] = votes.argmax()
    return named if len(np.unique(named[named >= 0])) == classes else None

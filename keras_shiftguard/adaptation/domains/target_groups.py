"""Clustering of the target by connected components of a nearest-neighbour graph.

If the target falls into as many separate groups as there are classes, each group
is a class. Groups may have any shape: a moon, a ring, a chain. The model's
predictions are needed only to tell which group is which class. NumPy only.

Reference: Chapelle, Schoelkopf and Zien, "Semi-Supervised Learning", MIT Press 2006,
section 1.2.2, the cluster assumption.
"""

import numpy as np

# Numbers of nearest neighbours to which a sample is connected. With few neighbours a
# group may break into several, with many two groups may be connected. The first number
# that gives one group for each class is used.
NEIGHBOURS = (5, 6, 8, 10, 12)
MIN_GROUP_SIZE = 20  # samples; those of smaller groups are outliers
MIN_SHARE_IN_GROUPS = 0.95  # share of all samples that are not outliers
# Share of the predictions in a group that must name the same class. If it is lower, the
# groups may be something else than classes: day and night, or two cameras.
MIN_MAJORITY = 2 / 3


def separate_groups(features: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray | None:
    """Returns the class of each sample by the separate group that it belongs to.

    Args:
        features: `(samples, features)`.
        predicted: Class ids that the model predicts, `(samples,)`.
        classes: Number of classes; each needs a group of its own.

    Returns:
        Class ids, `(samples,)`, with -1 for outliers. None if the number of groups is
        not that of the classes, if more than 5 % of the samples are outliers, if fewer
        than two thirds of the predictions in a group name the same class, or if two
        groups have the same class.

    Example:

    >>> angle = np.linspace(0, 6.28, 60)
    >>> ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    >>> rings = np.concatenate([ring, 3 * ring])
    >>> predicted = np.repeat([0, 1, 0, 1], [45, 15, 5, 55])
    >>> np.bincount(separate_groups(rings, predicted, classes=2)).tolist()
    [60, 60]
    """
    samples = len(features)
    if classes < 2 or samples < max(classes * MIN_GROUP_SIZE, NEIGHBOURS[-1] + 1):
        return None
    squares = np.square(features).sum(axis=1)
    squared_distances = squares[:, None] + squares[None, :] - 2 * features @ features.T
    np.fill_diagonal(squared_distances, np.inf)  # a sample is not its own neighbour
    nearest = np.argsort(squared_distances, axis=1)[:, : NEIGHBOURS[-1]]
    for num_neighbours in NEIGHBOURS:
        group = _connected_components(nearest[:, :num_neighbours])
        found = _classes_of_groups(group, predicted, classes)
        if found is not None:
            return found
    return None


def _connected_components(nearest: np.ndarray) -> np.ndarray:
    """Returns for each sample the smallest index in its connected component, `(samples,)`.

    Args:
        nearest: Indices of the neighbours of each sample, `(samples, neighbours)`.
    """
    samples, num_neighbours = nearest.shape
    sample, neighbour = np.repeat(np.arange(samples), num_neighbours), nearest.ravel()
    group = np.arange(samples)
    while True:
        before = group.copy()
        np.minimum.at(group, sample, before[neighbour])
        np.minimum.at(group, neighbour, before[sample])
        group = group[group]
        if (group == before).all():
            return group


def _classes_of_groups(group: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray | None:
    """Returns the class of each sample by the predictions in its group; see `separate_groups`.

    Args:
        group: A number for the group of each sample, `(samples,)`.
        predicted: Class ids that the model predicts, `(samples,)`.
        classes: Number of classes.
    """
    ids, sizes = np.unique(group, return_counts=True)
    large = ids[sizes >= MIN_GROUP_SIZE]
    if len(large) != classes or np.isin(group, large).mean() < MIN_SHARE_IN_GROUPS:
        return None
    found = np.full(len(group), -1)
    for each in large:
        is_member = group == each
        votes = np.bincount(predicted[is_member], minlength=classes)
        if votes.max() < MIN_MAJORITY * is_member.sum():
            return None
        found[is_member] = votes.argmax()
    return found if len(np.unique(found[found >= 0])) == classes else None

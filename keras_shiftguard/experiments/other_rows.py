"""Labels that stand a step away from their samples: what moving them back by a step wins.

A shift of a target column, or a header that was read as a row, moves all labels by one row. In
sequences with a label for each step, labels may stand a step away from their inputs. The experiment
moves the labels of the kept samples by one, down or up. No sample judges the direction that it
chose.
"""

from typing import Any

import numpy as np

from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost
from keras_shiftguard.experiments.halves import halves
from keras_shiftguard.experiments.judge import Judge
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.experiments.promise import promised
from keras_shiftguard.statistics.rows import Rows

ROWS, TIMES = "row", "step"
STEPS = (-1, 1)  # rows that labels may have moved. A convention.


def labels_of_other_rows(
    predict: Predict, current: Labelled, judge: Judge, seed: int = 0
) -> tuple[str, int, Cost] | None:
    """Returns along what each label is moved, how far it stands below its sample, and the cost.

    Returns None if labels as they are fit as well, or if too few neighbours were kept.

    Args:
        predict: Runs the model in inference mode.
        current: Samples of validation, with their places in the pass.
        judge: How predictions are judged.
        seed: Divides the samples into halves.
    """
    tried = [_by_rows(current), _by_times(current)]
    if all(each is None for each in tried):
        return None
    outputs = predict(current.images)
    for unit, found in zip((ROWS, TIMES), tried, strict=True):
        if found is None:
            continue
        rows, moved = found
        here = outputs[rows]
        labels = [current.labels[rows], *moved]
        likelihoods = [judge.likelihood(here, each) for each in labels]
        first, second = (
            int(np.argmax([likelihood[half].mean() for likelihood in likelihoods]))
            for half in halves(len(rows), seed)
        )
        if first != second or first == 0:
            continue
        before, after = (judge.worth(here, labels[i]) for i in (0, first))
        promise = promised(before, after, judge.unit(before), judge.metric, ())
        if promise.interval[0] > 0:
            cost = Cost(promise.gain, promise.interval, promise.num_samples, metric=promise.metric)
            return unit, STEPS[first - 1], cost
    return None


def _by_rows(current: Labelled) -> tuple[np.ndarray, list[Any]] | None:
    """Returns the samples whose neighbours were kept, and the labels of the neighbours."""
    places = current.positions
    if places is None or len(places) < MIN_SAMPLES:
        return None
    order = np.argsort(places)
    ranked = places[order]

    def at(step: int) -> np.ndarray:
        """Returns the row of the sample that is `step` places further, -1 if it was not kept."""
        found = np.minimum(np.searchsorted(ranked, places + step), len(ranked) - 1)
        return np.where(ranked[found] == places + step, order[found], -1)

    neighbours = [at(step) for step in STEPS]
    rows = np.flatnonzero((np.stack(neighbours) >= 0).all(axis=0))
    if len(rows) < MIN_SAMPLES:
        return None
    return rows, [current.labels[each[rows]] for each in neighbours]


def _by_times(current: Labelled) -> tuple[np.ndarray, list[Any]] | None:
    """Returns all samples, and their labels moved along the sequence, if each step has a label."""
    labels = current.labels.tree if isinstance(current.labels, Rows) else None
    images = current.images.tree if isinstance(current.images, Rows) else {"": current.images}
    if not isinstance(labels, np.ndarray) or labels.ndim < 2 or len(labels) < MIN_SAMPLES:
        return None
    lengths = {x.shape[1] for x in images.values() if x.ndim in (2, 3)}
    if labels.shape[1] not in lengths or labels.shape[1] < 2 or labels.ndim > 3:
        return None
    at = np.arange(labels.shape[1])
    moved = [np.clip(at + step, 0, len(at) - 1) for step in STEPS]
    return np.arange(len(labels)), [Rows(labels[:, each]) for each in moved]

"""Labels that stand a step away from their samples: what moving them back by a step wins.

A shift of a target column, or a header that was read as a row, moves all labels by one row. In
sequences with a label for each step, labels may stand a step away from their inputs, and the next
steps of a series that are to be predicted may begin a step late. The experiment moves the labels of
the kept samples by one, down or up. No sample judges the direction that it chose.

Where a model predicts little more than the step before, labels of that step fit its predictions
better also if all is right. So samples of training are the control group: what moving their labels
wins is taken off. Rows of training have no neighbours there, because training is shuffled.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost, cost_of
from keras_shiftguard.experiments.halving import agreed
from keras_shiftguard.experiments.judge import Judge
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.experiments.undo import beyond
from keras_shiftguard.statistics.rows import Rows

# Rows; steps with a label each; next steps to predict, which are not those of the samples.
ROWS, TIMES, NEXT = "row", "step", "next step"
STEPS = (-1, 1)  # rows that labels may have moved. A convention.


def labels_of_other_rows(
    predict: Predict,
    current: Labelled,
    judge: Judge,
    seed: int = 0,
    training: Labelled | None = None,
    units: Sequence[str] = (ROWS, TIMES, NEXT),
) -> tuple[str, int, Cost] | None:
    """Returns along what each label is moved, how far it stands below its sample, and the cost.

    Returns None if labels as they are fit as well, or if too few neighbours were kept.

    Args:
        predict: Runs the model in inference mode.
        current: Samples of validation, with their places in the pass.
        judge: How predictions are judged.
        seed: Divides the samples into halves.
        training: Samples of training, the control group of steps; None if there are none.
        units: Along what labels may be moved.
    """
    for unit in units:
        moves = _by_rows if unit == ROWS else partial(_by_times, is_next=unit == NEXT)
        found = moves(current)
        if found is None:
            continue
        rows, moved = found
        here, labels = predict(current.images)[rows], [current.labels[rows], *moved]
        best = agreed([judge.likelihood(here, each) for each in labels], seed)
        if not best:
            continue
        cost = _gain(judge, here, labels[0], labels[best])
        control = None if unit == ROWS or training is None else moves(training)
        if training is not None and control is not None:
            known = predict(training.images)[control[0]]
            own = training.labels[control[0]]
            cost = beyond(cost, _gain(judge, known, own, control[1][best - 1]))
        if cost.interval[0] > 0:
            return unit, STEPS[best - 1], cost
    return None


def _gain(judge: Judge, outputs: Any, labels: Any, moved: Any) -> Cost:
    """Returns what moved labels win for these predictions."""
    before, after = (judge.worth(outputs, each) for each in (labels, moved))
    return cost_of(after, before, judge.unit(before), judge.metric)


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


def _by_times(current: Labelled, is_next: bool) -> tuple[np.ndarray, list[Any]] | None:
    """Returns all samples, and their labels moved along the sequence, if each step has a label.

    `is_next` tells whether these are next steps of a series, and not those of the samples.
    """
    labels = current.labels.tree if isinstance(current.labels, Rows) else None
    images = current.images.tree if isinstance(current.images, Rows) else {"": current.images}
    if not isinstance(labels, np.ndarray) or labels.ndim not in (2, 3) or len(labels) < MIN_SAMPLES:
        return None
    lengths = {x.shape[1] for x in images.values() if x.ndim in ((3,) if is_next else (2, 3))}
    is_own = labels.shape[1] in lengths
    if not lengths or is_own == is_next or labels.shape[1] < 2:
        return None
    at = np.arange(labels.shape[1])
    moved = [np.clip(at + step, 0, len(at) - 1) for step in STEPS]
    return np.arange(len(labels)), [Rows(labels[:, each]) for each in moved]

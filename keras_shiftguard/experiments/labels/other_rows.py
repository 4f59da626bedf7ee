"""Labels that stand a step away from their samples: what moving them back by a step wins.

A shift of a target column, or a header that was read as a row, moves all labels by one row. In
sequences with a label for each step, labels may stand a step away from their inputs. The experiment
moves the labels of the kept samples by one, down or up. No sample judges the direction that it
chose.
"""

from typing import Any

import numpy as np

from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost, cost_of
from keras_shiftguard.experiments.halving import agreed
from keras_shiftguard.experiments.judge import Judge
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.statistics.rows import Rows

ROWS, TIMES = "row", "step"
STEPS = (-1, 1)  # rows that labels may have moved. A convention.


def labels_of_other_rows(
    predict: Predict, current: Labelled, judge: Judge, seed: int = 0
) -> tuple[str, int, Cost] | None:
    """Returns along what each label is moved, how far it stands below its sample, and the cost.

    Returns None if labels as they are fit as well, or if too few neighbours were kept. `current`
    are samples of validation, with their places in the pass.
    """
    tried = {ROWS: _by_rows(current), TIMES: _by_times(current)}
    outputs: Any = predict(current.images) if any(tried.values()) else None
    for unit, found in tried.items():
        if found is None:
            continue
        rows, moved = found
        here, labels = outputs[rows], [current.labels[rows], *moved]
        best = agreed([judge.likelihood(here, each) for each in labels], seed)
        before, after = (judge.worth(here, labels[i]) for i in (0, best))
        cost = cost_of(after, before, judge.unit(before), judge.metric)
        if best and cost.interval[0] > 0:
            return unit, STEPS[best - 1], cost
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
    if not isinstance(labels, np.ndarray) or labels.ndim not in (2, 3) or len(labels) < MIN_SAMPLES:
        return None
    lengths = {x.shape[1] for x in images.values() if x.ndim in (2, 3)}
    if labels.shape[1] not in lengths or labels.shape[1] < 2:
        return None
    at = np.arange(labels.shape[1])
    moved = [np.clip(at + step, 0, len(at) - 1) for step in STEPS]
    return np.arange(len(labels)), [Rows(labels[:, each]) for each in moved]

"""Labels that stand a row away from their samples: what moving them back by a row wins.

A shift of a target column, or a header that was read as a row, moves all labels by one. The
experiment gives each kept sample the label of the sample before it, or after it. No sample judges
the direction that it chose.
"""

import numpy as np

from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost
from keras_shiftguard.experiments.halves import halves
from keras_shiftguard.experiments.judge import Judge
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.experiments.promise import promised

STEPS = (0, -1, 1)  # rows; labels as they are first


def labels_of_other_rows(
    predict: Predict, current: Labelled, judge: Judge, seed: int = 0
) -> tuple[int, Cost] | None:
    """Returns how many rows below its sample each label stands, and what that costs.

    Returns None if labels as they are fit as well, or if too few neighbours were kept.

    Args:
        predict: Runs the model in inference mode.
        current: Samples of validation, with their places in the pass.
        judge: How predictions are judged.
        seed: Divides the samples into halves.
    """
    places = current.positions
    if places is None or len(places) < MIN_SAMPLES:
        return None
    order = np.argsort(places)
    ranked = places[order]

    def at(step: int) -> np.ndarray:
        """Returns the row of the sample that is `step` places further, -1 if it was not kept."""
        found = np.searchsorted(ranked, places + step)
        found = np.minimum(found, len(ranked) - 1)
        return np.where(ranked[found] == places + step, order[found], -1)

    neighbours = np.stack([at(step) for step in STEPS])
    rows = np.flatnonzero((neighbours >= 0).all(axis=0))
    if len(rows) < MIN_SAMPLES:
        return None
    outputs = predict(current.images)[rows]
    labels = [current.labels[each[rows]] for each in neighbours]
    likelihoods = [judge.likelihood(outputs, each) for each in labels]
    choices = [
        int(np.argmax([likelihood[half].mean() for likelihood in likelihoods]))
        for half in halves(len(rows), seed)
    ]
    if choices[0] == 0 or choices[0] != choices[1]:
        return None
    before, after = (judge.worth(outputs, labels[i]) for i in (0, choices[0]))
    promise = promised(before, after, judge.unit(before), judge.metric, ())
    if promise.interval[0] <= 0:
        return None
    cost = Cost(promise.gain, promise.interval, promise.num_samples, metric=promise.metric)
    return STEPS[choices[0]], cost

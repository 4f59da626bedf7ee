"""Concept shift as a cause: labels of the data that do not mean what they mean in the reference.

The experiment is that of a fit, see `experiments/wrong_labels.py`.
"""

from dataclasses import replace

import numpy as np

from keras_shiftguard.experiments.wrong_labels import Predicted, WrongLabels, wrong_labels
from keras_shiftguard.explain.bootstrap import SEED
from keras_shiftguard.explain.predictions import Predictions
from keras_shiftguard.explain.reference import Reference


def find_wrong_labels(
    predictions: Predictions, labels: np.ndarray, weights: np.ndarray, reference: Reference
) -> WrongLabels | None:
    """Returns which labels of the data are wrong, and what that costs; None if none are.

    Args:
        predictions: Predictions for the data with all exact causes removed.
        labels: Class ids of the data, `(samples,)`.
        weights: Weights `(samples,)` that give the data the class mix of the reference.
        reference: The reference; without its samples, nothing is found.
    """
    known = None if reference.samples is None else reference.samples.labels
    if known is None or reference.predictions is None:
        return None
    p, rows = weights / weights.sum(), np.arange(len(labels))
    if np.ptp(weights):
        rows = np.random.default_rng(SEED).choice(rows, len(rows), p=p)
    found = wrong_labels(
        Predicted(predictions.probabilities[rows], labels[rows]),
        Predicted(reference.predictions.probabilities, known),
    )
    if found is None or found.is_unrelated:  # then other columns or subjects are as likely
        return None
    share = float(1 / np.square(p).sum()) / len(labels)  # weighted samples count less
    return replace(found, cost=found.cost.of_dependent(share))

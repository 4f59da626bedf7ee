"""Push: the operation that makes training look like other images, and what it costs there.

Where an operation loses information (noise, blur), undoing it gains less than was lost. The same
operation applied to training images shows what is lost. It is chosen by the image attributes,
without labels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from keras_shiftguard.experiments.candidates import Candidate
from keras_shiftguard.experiments.judge import Judge
from keras_shiftguard.experiments.labelled import Predict
from keras_shiftguard.experiments.promise import Promise, promised

Measure = Callable[[np.ndarray], np.ndarray]  # from images to their attributes, (samples, k)

MAX_TO_FIT = 48  # images on which operations are compared. A convention.
# Added to the standard deviation of an attribute, since some do not vary at all. A convention.
MIN_UNIT = 1e-3


@dataclass(frozen=True)
class Push:
    """What the difference of two sets of images costs on the first one.

    Args:
        promise: The gain of the first set without the operation: what the operation costs there.
        explained: Share of the difference between the attributes that the operation makes.
    """

    promise: Promise
    explained: float


def push(
    predict: Predict,
    x: np.ndarray,
    labels: np.ndarray,
    others: np.ndarray,
    candidates: Sequence[Candidate],
    judge: Judge,
    measure: Measure,
) -> Push | None:
    """Returns what it costs to make images look like other ones; None if no operation does.

    Args:
        predict: Runs the model in inference mode.
        x: Labelled images, `(samples, ...)`.
        labels: Their labels.
        others: Images that differ from `x`.
        candidates: The operations to try.
        judge: How predictions are judged.
        measure: Returns the attributes of images.
    """
    few = x[:MAX_TO_FIT]
    here, there = measure(x), measure(others)
    unit = _std(here) + MIN_UNIT

    def distance(values: np.ndarray) -> float:
        moved = (_mean(there) - _mean(values)) / unit
        spread = (_std(there) - _std(values)) / unit
        return float(np.nansum(np.arcsinh(moved) ** 2 + np.arcsinh(spread) ** 2))

    # The few images may differ from all of them, so the change is added to all.
    start = measure(few)
    offset = _mean(here) - _mean(start), _std(here) - _std(start)

    def reached(candidate: Candidate) -> float:
        changed = measure(candidate.apply(few))
        moved = (_mean(there) - _mean(changed) - offset[0]) / unit
        spread = (_std(there) - _std(changed) - offset[1]) / unit
        return float(np.nansum(np.arcsinh(moved) ** 2 + np.arcsinh(spread) ** 2))

    unchanged = distance(here)
    distances = [reached(candidate) for candidate in candidates]
    nearest = int(np.argmin(distances))
    if distances[nearest] >= unchanged:
        return None
    chosen = candidates[nearest]
    before = judge.worth(predict(x), labels)
    after = judge.worth(predict(chosen.apply(x)), labels)
    choices = ((chosen.choice,), (chosen.choice,))
    promise = promised(after, before, judge.unit(after), judge.metric, choices)
    return Push(promise, 1 - distances[nearest] / max(unchanged, 1e-12))


def _mean(values: np.ndarray) -> np.ndarray:
    """Returns the mean of the finite values of each attribute; NaN without one."""
    known = np.isfinite(values)
    number = np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    return np.asarray(np.where(known, values, 0.0).sum(axis=0) / number)


def _std(values: np.ndarray) -> np.ndarray:
    """Returns the standard deviation of the finite values of each attribute; NaN without one."""
    return np.asarray(np.sqrt(_mean((values - _mean(values)) ** 2)))

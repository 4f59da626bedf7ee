"""Push: the operation that makes training look like other images, and what it costs there.

Where an operation loses information (noise, blur), undoing it gains less than was lost. The same
operation applied to training images shows what is lost. It is chosen by the image attributes,
without labels.
"""

from collections.abc import Callable, Sequence

import numpy as np

from keras_shiftguard.detection.cost import Cost, cost_of
from keras_shiftguard.experiments.candidates import Candidate
from keras_shiftguard.experiments.judge import Judge
from keras_shiftguard.experiments.labelled import Predict
from keras_shiftguard.experiments.promise import Choice

Measure = Callable[[np.ndarray], np.ndarray]  # from images to their attributes, (samples, k)

MAX_TO_FIT = 48  # images on which operations are compared. A convention.
# Added to the standard deviation of an attribute, since some do not vary at all. A convention.
MIN_UNIT = 1e-3


def push(
    predict: Predict,
    x: np.ndarray,
    labels: np.ndarray,
    others: np.ndarray,
    candidates: Sequence[Candidate],
    judge: Judge,
    measure: Measure,
) -> tuple[Choice, Cost, float] | None:
    """Returns what it costs to make images look like other ones; None if no operation does.

    Args:
        predict: Runs the model in inference mode.
        x: Labelled images, `(samples, ...)`.
        labels: Their labels.
        others: Images that differ from `x`.
        candidates: The operations to try.
        judge: How predictions are judged.
        measure: Returns the attributes of images.

    Returns:
        The operation, what it costs on `x`, and the share of the difference between the attributes
        that it makes.
    """
    few = x[:MAX_TO_FIT]
    here, there, start = (_moments(measure(each)) for each in (x, others, few))
    unit = here[1] + MIN_UNIT

    def distance(found: np.ndarray) -> float:
        return float(np.nansum(np.arcsinh((there - found) / unit) ** 2))

    unchanged = distance(here)
    # The few images may differ from all of them, so the change is added to all.
    offset = here - start
    distances = [distance(_moments(measure(c.apply(few))) + offset) for c in candidates]
    nearest = int(np.argmin(distances))
    if distances[nearest] >= unchanged:
        return None
    chosen = candidates[nearest]
    before = judge.worth(predict(x), labels)
    after = judge.worth(predict(chosen.apply(x)), labels)
    cost = cost_of(before, after, judge.unit(after), judge.metric)
    return chosen.choice, cost, 1 - distances[nearest] / max(unchanged, 1e-12)


def _moments(values: np.ndarray) -> np.ndarray:
    """Returns mean and standard deviation of the finite values of each attribute, `(2, k)`."""
    mean = _mean(values)
    return np.stack([mean, np.sqrt(_mean((values - mean) ** 2))])


def _mean(values: np.ndarray) -> np.ndarray:
    """Returns the mean of the finite values of each attribute; NaN without one."""
    known = np.isfinite(values)
    number = np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    return np.asarray(np.where(known, values, 0.0).sum(axis=0) / number)

"""Lost information: what validation lacks, and what training loses without it.

A place may be covered, images may be noisy or blurred, texts cut. No operation brings that back:
undoing it gains less than was lost. So training samples are changed in the same way instead. The
operation is chosen by the attributes of the samples, without labels.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_shiftguard.detection.cost import Cost, cost_of
from keras_shiftguard.experiments.candidates.candidates import Candidate, Choice, image_candidates
from keras_shiftguard.experiments.candidates.lossy_rows import lossy_series, lossy_texts
from keras_shiftguard.experiments.covered import covered
from keras_shiftguard.experiments.fix_lines import PREVENTED
from keras_shiftguard.experiments.judge import Accuracy, Judge
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.experiments.targets import are_inputs
from keras_shiftguard.experiments.told import Difference, are_texts, scale_of
from keras_shiftguard.experiments.undo import MIN_WON_BACK
from keras_shiftguard.experiments.words import seems_after
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.chunks import in_chunks
from keras_shiftguard.statistics.rows import Rows
from keras_shiftguard.statistics.sketches.attributes import attributes

# The families of operations that lose information, so that training is changed instead.
LOSING = ("detail", "overflow")
# Share of the difference of the attributes that an operation must make. A convention.
MIN_EXPLAINED = 0.7
Measure = Callable[[np.ndarray], np.ndarray]  # from images to their attributes, (samples, k)

MAX_TO_FIT = 48  # images on which operations are compared, which are slow to measure. A convention.
# Added to the standard deviation of an attribute, since some do not vary at all. A convention.
MIN_UNIT = 1e-3


def lost_information(
    predict: Predict,
    current: Labelled,
    training: Labelled,
    spec: InputSpec,
    gap: Cost,
    may_be_augmented: bool,
    judge: Judge,
) -> Difference | None:
    """Returns the cost of information that validation lacks; None if none is found."""
    is_one = not isinstance(current.images, Rows)
    if is_one and spec.layout != "features" and judge.metric == Accuracy().metric:
        is_first = spec.layout == "channels_first"
        found = covered(predict, current, training, is_first, may_be_augmented)
        if found is not None:
            return Difference(found[1], found[0], "cover")
    if current.input(spec.name).shape[1:] != training.input(spec.name).shape[1:]:
        return None
    if are_inputs(training.images, training.labels):
        return None  # blurred targets have smaller errors, so nothing seems to be lost
    candidates, measure = _losing(current, training, spec)
    if not candidates:
        return None
    if not is_one:
        candidates = [candidate.of_input(spec.name) for candidate in candidates]
    x, labels, others = training.images, training.labels, current.images

    def measured(samples: Any) -> np.ndarray:
        return measure(samples if is_one else samples.tree[spec.name])

    most = len(labels) if spec.layout == "features" else MAX_TO_FIT  # rows are soon measured
    pushed = push(predict, x, labels, others, candidates, judge, measured, most)
    if pushed is None:
        return None
    choice, cost, explained = pushed
    if explained < MIN_EXPLAINED:
        return None
    if choice.name == "unknown" and cost.value < MIN_WON_BACK * gap.value:
        return None  # other texts have other rare words, with a right vocabulary as well
    fix = PREVENTED.get(choice.name, "")
    return Difference(cost.at_most(gap), seems_after(choice), choice.family, fix)


def _losing(
    current: Labelled, training: Labelled, spec: InputSpec
) -> tuple[Sequence[Candidate], Measure]:
    """Returns the operations that lose information, and the measure that chooses one of them."""
    x, others = training.input(spec.name), current.input(spec.name)
    if spec.layout == "features":
        if are_texts(spec, others):
            return lossy_texts(x, others)
        return lossy_series(x, others) if x.ndim == 3 else ([], np.asarray)
    candidates = image_candidates(scale_of(current, training, spec))

    def measure(images: np.ndarray) -> np.ndarray:
        return in_chunks(lambda part: attributes(keras.ops.convert_to_tensor(part), spec), images)

    return [each for each in candidates if each.choice.family in LOSING], measure


def push(
    predict: Predict,
    x: np.ndarray,
    labels: np.ndarray,
    others: np.ndarray,
    candidates: Sequence[Candidate],
    judge: Judge,
    measure: Measure,
    most: int = MAX_TO_FIT,
) -> tuple[Choice, Cost, float] | None:
    """Returns what it costs to make labelled samples `x` look like other ones; None if none does.

    Args:
        predict: Runs the model in inference mode.
        x: Labelled samples, `(samples, ...)`.
        labels: Their labels.
        others: Samples that differ from `x`.
        candidates: The operations to try.
        judge: How predictions are judged.
        measure: Returns the attributes of samples.
        most: Number of samples on which the operations are compared.

    Returns:
        The operation, its cost on `x`, and the share of the difference that it makes.
    """
    few = x[:most]
    here, there, start = (moments(measure(each)) for each in (x, others, few))
    unit = here[1] + MIN_UNIT

    def distance(found: np.ndarray) -> float:
        return float(np.nansum(np.arcsinh((there - found) / unit) ** 2))

    unchanged = distance(here)
    # The few samples may differ from all of them, so the change is added to all.
    offset = here - start
    distances = [distance(moments(measure(c.apply(few))) + offset) for c in candidates]
    nearest = int(np.argmin(distances))
    if distances[nearest] >= unchanged:
        return None
    chosen = candidates[nearest]
    before = judge.worth(predict(x), labels)
    after = judge.worth(predict(chosen.apply(x)), labels)
    cost = cost_of(before, after, judge.unit(after), judge.metric)
    return chosen.choice, cost, 1 - distances[nearest] / max(unchanged, 1e-12)


def moments(values: np.ndarray) -> np.ndarray:
    """Returns mean and standard deviation of the finite values of each attribute, `(2, k)`."""
    mean = _mean(values)
    return np.stack([mean, np.sqrt(_mean((values - mean) ** 2))])


def _mean(values: np.ndarray) -> np.ndarray:
    """Returns the mean of the finite values of each attribute; NaN without one."""
    known = np.isfinite(values)
    number = np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    return np.asarray(np.where(known, values, 0.0).sum(axis=0) / number)

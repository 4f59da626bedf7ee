"""What the difference of validation from training costs: undo first, then push.

Undoing is the first experiment, because its promise is made on the very samples that differ. Where
it promises nothing, and the model is surely right more often on training, information may be lost:
a place may be covered, or images may be noisy. Then training samples are changed in the same way.
"""

from dataclasses import replace

import numpy as np

from keras_shiftguard.detection.cost import (
    MIN_SAMPLES,
    SIGMAS,
    Cost,
    cost_of_too_few,
    gap_between,
)
from keras_shiftguard.experiments.candidates import Candidate, image_candidates, nearing
from keras_shiftguard.experiments.code_candidates import code_candidates
from keras_shiftguard.experiments.halving import num_predictions
from keras_shiftguard.experiments.input_candidates import input_candidates
from keras_shiftguard.experiments.judge import Accuracy, Judge
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.experiments.lost import lost_information
from keras_shiftguard.experiments.masks import with_masks
from keras_shiftguard.experiments.promise import MIN_WON_BACK
from keras_shiftguard.experiments.table_candidates import table_candidates, text_candidates
from keras_shiftguard.experiments.targets import are_inputs, with_targets
from keras_shiftguard.experiments.told import (
    Difference,
    are_texts,
    scale_of,
    told_as,
    with_metric,
)
from keras_shiftguard.experiments.undo import undo
from keras_shiftguard.experiments.wrapped import wrapped_candidates
from keras_shiftguard.instrument.compiled_metric import MetricOf
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.rows import Rows

CANDIDATES = 90  # about as many as there are for images. Given by the table of operations.
# If undoing wins back less than this share of what the model is worse by, information may be lost.
# A convention.
MIN_SHARE_OF_GAP = 0.8
# Two faults may hide each other, as in moved images that are scaled twice. If the model is worse on
# validation by this much and one operation explains nothing, two are tried. A convention.
FAR = 0.2
ACCURACY = Accuracy()


def predictions_for(num_samples: int) -> int:
    """Returns about how many predictions `cost_of_difference` makes, at most.

    Args:
        num_samples: Number of samples of validation, and of training.
    """
    # Each half chooses; both streams are predicted as they are, and with what each half chose. A
    # metric beside the cost is computed on samples as they are, and repaired.
    return 2 * num_predictions(CANDIDATES, num_samples // 2) + 7 * num_samples


def cost_of_difference(
    predict: Predict,
    current: Labelled,
    training: Labelled | None,
    spec: InputSpec,
    tolerance: float,
    seed: int = 0,
    may_be_augmented: bool = True,
    judge: Judge = ACCURACY,
    least: int = MIN_SAMPLES,
    enough: float = MIN_SHARE_OF_GAP,
    beside: tuple[str, MetricOf] | None = None,
) -> Difference:
    """Returns what it costs that validation differs from training.

    Args:
        predict: Runs the model in inference mode; from samples to what the judge takes.
        current: Labelled samples of validation.
        training: Labelled samples of training; None if there are none.
        spec: Specification of the input that may differ.
        tolerance: The share of accuracy that a difference may cost.
        seed: Divides the samples into halves.
        may_be_augmented: Whether images of training may be augmented. A model that was trained on
            random crops is right more often on enlarged images (Touvron et al., "Fixing the
            train-test resolution discrepancy", 2019), so images are not enlarged then.
        judge: How predictions are judged.
        least: With fewer samples of either set, no experiment is made.
        enough: If undoing wins back this share of what the model is worse by, lost information is
            not looked for.
        beside: Name and function of a metric that is told beside a cost.
    """
    if len(current.labels) < least:
        return Difference(cost_of_too_few(len(current.labels), judge.metric))
    untried = Cost(0.0, (0.0, 0.0), len(current.labels), is_untried=True, metric=judge.metric)
    candidates, several, guesses = _grouped(current, training, spec, may_be_augmented)
    gap = None if training is None else _gap(predict, current, training, judge, least)

    is_text = are_texts(spec, current.input(spec.name))
    has_inputs = are_inputs(current.images, current.labels)
    whole_gap = 1.0 if gap is None else gap.value
    half_of_gap = MIN_WON_BACK * whole_gap

    def undone(some: list[Candidate], most: int = 1) -> Difference:
        x, labels = current.images, current.labels
        promise = undo(predict, x, labels, some, judge, most=most, seed=seed, control=training)
        told = told_as(promise, some, spec, current, training)
        least_won = MIN_SHARE_OF_GAP * whole_gap if has_inputs else half_of_gap
        if (told.is_blank or is_text or has_inputs) and told.cost.value < least_won:
            # Where labels are wrong, all that moves predictions to their mean wins something, and
            # where the words of texts are others, some wrong reading of them is less wrong. What
            # makes samples of an autoencoder more like those of training wins something as well.
            low, high = told.cost.interval
            return Difference(replace(told.cost, interval=(min(low, 0.0), high), repair=None))
        if beside is None or not told.cost.is_costly(tolerance):
            return told
        chain = [candidate for candidate in some if candidate.choice in promise.choices[0]]
        return replace(told, cost=with_metric(told.cost, beside, current, chain))

    found = undone(candidates) if candidates else Difference(untried)
    if training is None:
        return found
    if not found.cost.is_costly(tolerance) and is_text:
        found = Difference(untried)  # most that happens to texts cannot be tried

    def is_enough() -> bool:
        is_most = gap is not None and found.cost.value >= enough * gap.value
        return is_most and found.cost.is_costly(tolerance)

    is_worse = gap is not None and gap.is_sure
    is_far = found.cost.is_costly(tolerance) or (gap is not None and gap.value > FAR)
    # One operation says more than two, or than a map for each column.
    further = [(candidates, 2)] if candidates and is_worse and is_far else []
    further += [(several, 1)] if several else []
    further += [(guesses, 1)] if guesses and is_worse else []
    for some, most in further:
        if not is_enough():
            other = undone(some, most)
            is_better = other.cost.value > max(found.cost.value, 0.0) + tolerance
            found = other if is_better and other.cost.is_costly(tolerance) else found
    if gap is None or is_enough() or (found.cost.is_costly(tolerance) and not gap.is_sure):
        return found
    # Augmented training may be harder than validation: then training loses what validation never
    # had.
    won = found.cost.value if found.cost.is_costly(tolerance) else 0.0
    if gap.is_sure or not may_be_augmented:
        lost = lost_information(predict, current, training, spec, gap, may_be_augmented, judge)
        least_lost = half_of_gap if is_text else won
        if lost is not None and lost.cost.is_costly(tolerance) and lost.cost.value > least_lost:
            return lost
        if lost is not None and not won and not lost.cost.is_costly(tolerance):
            # Training that differs in the same way loses nothing, so the rest is not from this.
            return Difference(lost.cost)
    unexplained = gap.value - won if gap.is_sure else 0.0
    return replace(found, cost=replace(found.cost, unexplained=unexplained))


def _grouped(
    current: Labelled, training: Labelled | None, spec: InputSpec, may_be_augmented: bool
) -> tuple[list[Candidate], list[Candidate], list[Candidate]]:
    """Returns the candidates, those for all columns at once, and those that nothing shows."""
    found = _candidates(current, training, spec, may_be_augmented)
    if are_inputs(current.images, current.labels):
        found = with_targets(found, current.input(spec.name), spec.name)
    if isinstance(current.images, Rows):
        found = [candidate.of_input(spec.name) for candidate in found]
        known = None if training is None else training.images
        found += input_candidates(current.images, known, spec.name)
    several = [candidate for candidate in found if candidate.choice.name in ("units", "refills")]
    guesses = [each for each in found if each.rival or each.choice.name == "blank"]
    return [each for each in found if each not in several and each not in guesses], several, guesses


def _candidates(
    current: Labelled, training: Labelled | None, spec: InputSpec, may_be_augmented: bool
) -> list[Candidate]:
    x = current.input(spec.name)
    if spec.layout == "features":
        if training is None or not len(training.labels):
            return []
        rows = training.input(spec.name)
        found = text_candidates(x, rows) if are_texts(spec, x) else table_candidates(x, rows)
        return [*found, *(code_candidates(x, rows) if not spec.series else ())]
    # What overflows loses information, so it undoes nothing.
    left_out = ("overflow", "zoom_in") if may_be_augmented else ("overflow",)
    scale = scale_of(current, training, spec)
    found = image_candidates(scale)
    if training is not None and len(training.labels):
        found = nearing(found, x, training.input(spec.name))
        found += wrapped_candidates(scale, x, training.input(spec.name))
    if not are_inputs(current.images, current.labels):
        found = with_masks(found, x, current.labels, spec.layout == "channels_first")
    return [candidate for candidate in found if candidate.choice.name not in left_out]


def _gap(
    predict: Predict, current: Labelled, training: Labelled, judge: Judge, least: int
) -> Cost | None:
    """Returns how much better the model is on training; None with too few samples."""
    if len(training.labels) < max(least, 1):
        return None
    there, here = (judge.worth(predict(each.images), each.labels) for each in (training, current))
    if judge.metric == ACCURACY.metric:
        if np.isin(current.labels, training.labels).sum() < max(least, 1):
            return None
        return gap_between(there > 0, here > 0, training.labels, current.labels)
    unit = judge.unit(here)
    value = float(there.mean() - here.mean()) / unit
    error = float(np.hypot(there.std() / len(there) ** 0.5, here.std() / len(here) ** 0.5)) / unit
    interval = value - SIGMAS * error, value + SIGMAS * error
    return Cost(value, interval, min(len(there), len(here)), metric=judge.metric)

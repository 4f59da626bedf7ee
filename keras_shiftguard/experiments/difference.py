"""What the difference of validation from training costs: undo first, then push.

Undoing is the first experiment, because its promise is made on the very samples that differ. Where
it promises nothing, and the model is surely right more often on training, information may be lost:
a place may be covered, or images may be noisy. Then training samples are changed in the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from keras_shiftguard.detection.cost import (
    MIN_SAMPLES,
    SIGMAS,
    Cost,
    cost_of,
    cost_of_too_few,
    gap_between,
)
from keras_shiftguard.experiments.candidates.candidates import Candidate
from keras_shiftguard.experiments.candidates.grouped import grouped_candidates
from keras_shiftguard.experiments.halving import num_predictions
from keras_shiftguard.experiments.judge import Accuracy, Judge
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.experiments.lost import lost_information
from keras_shiftguard.experiments.shown import is_shown
from keras_shiftguard.experiments.targets import are_inputs
from keras_shiftguard.experiments.told import Difference, are_texts, told_as, with_metric
from keras_shiftguard.experiments.undo import MIN_WON_BACK, Promise, undo
from keras_shiftguard.instrument.compiled_metric import MetricOf
from keras_shiftguard.statistics.batch import InputSpec

CANDIDATES = 90  # about as many as there are for images. Given by the table of operations.
# If undoing wins back less than this share of what the model is worse by, information may be lost.
# A convention.
MIN_SHARE_OF_GAP = 0.8
# Two faults may hide each other, as in moved images that are scaled twice. If the model is worse on
# validation by this much and one operation explains nothing, two are tried. A convention.
FAR = 0.2
# Smallest share of the accuracy on training that is lost if a model fails. A convention.
MIN_FAILED = 0.5
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
    given = predict, current, training, spec, tolerance, seed, may_be_augmented, judge
    search = _Search(*given, least, enough, beside)
    found = search.best_undone()
    return found if search.gap is None else search.or_lost(found, search.gap)


@dataclass
class _Search:
    """The experiments on one input; the arguments are those of `cost_of_difference`."""

    predict: Predict
    current: Labelled
    training: Labelled | None
    spec: InputSpec
    tolerance: float
    seed: int
    may_be_augmented: bool
    judge: Judge
    least: int
    enough: float
    beside: tuple[str, MetricOf] | None

    @cached_property
    def x(self) -> np.ndarray:
        """The samples of validation of this input."""
        return self.current.input(self.spec.name)

    @cached_property
    def rows(self) -> np.ndarray | None:
        """The samples of training of this input; None if there are none."""
        is_known = self.training is not None and len(self.training.labels)
        return self.training.input(self.spec.name) if self.training and is_known else None

    @cached_property
    def is_text(self) -> bool:
        """Whether the samples are texts."""
        return are_texts(self.spec, self.x)

    @cached_property
    def has_inputs(self) -> bool:
        """Whether the targets are the samples, as those of an autoencoder."""
        return are_inputs(self.current.images, self.current.labels)

    @cached_property
    def gap(self) -> Cost | None:
        """How much better the model is on training; None with too few samples."""
        current, training, judge = self.current, self.training, self.judge
        if training is None or len(training.labels) < max(self.least, 1):
            return None
        there, here = (
            judge.worth(self.predict(each.images), each.labels) for each in (training, current)
        )
        if judge.metric == ACCURACY.metric:
            if np.isin(current.labels, training.labels).sum() < max(self.least, 1):
                return None
            return gap_between(there > 0, here > 0, training.labels, current.labels)
        unit = judge.unit(here)
        value = float(there.mean() - here.mean()) / unit
        errors = (each.std() / len(each) ** 0.5 for each in (there, here))
        error = float(np.hypot(*errors)) / unit
        interval = value - SIGMAS * error, value + SIGMAS * error
        return Cost(value, interval, min(len(there), len(here)), metric=judge.metric)

    @cached_property
    def fails(self) -> bool:
        """Whether the model loses half of its accuracy on training or more."""
        if self.gap is None or self.training is None:
            return False
        there = self.judge.worth(self.predict(self.training.images), self.training.labels)
        return self.gap.value > MIN_FAILED * float(there.mean())

    @property
    def half_of_gap(self) -> float:
        """What must be won back where any reading of the samples wins something."""
        return MIN_WON_BACK * (1.0 if self.gap is None else self.gap.value)

    def best_undone(self) -> Difference:
        """Returns what undoing the difference wins back."""
        candidates, several, guesses = grouped_candidates(
            self.current, self.training, self.spec, self.may_be_augmented
        )
        gap, count = self.gap, len(self.current.labels)
        untried = Cost(0.0, (0.0, 0.0), count, is_untried=True, metric=self.judge.metric)
        found, after = (
            self._undone(candidates) if candidates else (Difference(untried), np.zeros(0))
        )
        if self.training is None:
            return found
        if not self._is_costly(found) and self.is_text:
            found = Difference(untried)  # most that happens to texts cannot be tried
        is_worse = gap is not None and gap.is_sure
        is_far = self._is_costly(found) or (gap is not None and gap.value > FAR)
        # One operation says more than two, or than a map for each column, which has to win more,
        # surely: it takes away what differs by chance as well. It is always tried: where a loss is
        # thousandfold, one column of many wins most of it.
        further = [(candidates, 2)] if candidates and is_worse and is_far else []
        further += [(several, 1)] if several else []
        further += [(guesses, 1)] if guesses and is_worse else []
        for some, most in further:
            if some is several or not self._is_enough(found):
                other, then = self._undone(some, most)
                least = max(found.cost.value, 0.0) + self.tolerance
                is_better = other.cost.value > least and self._is_costly(other)
                if some is several and self._is_costly(found):
                    is_better &= cost_of(then, after, self.judge.unit(after)).interval[0] > 0
                found, after = (other, then) if is_better else (found, after)
        return found

    def or_lost(self, found: Difference, gap: Cost) -> Difference:
        """Returns what undoing has found, or lost information if that explains more."""
        is_costly = self._is_costly(found)
        if self.training is None or self._is_enough(found) or (is_costly and not gap.is_sure):
            return found
        # Augmented training may be harder than validation: then training loses what validation
        # never had.
        won = found.cost.value if is_costly else 0.0
        if gap.is_sure or not self.may_be_augmented:
            lost = lost_information(
                *(self.predict, self.current, self.training, self.spec, gap),
                *(self.may_be_augmented, self.judge),
            )
            if lost is not None and self._is_costly(lost) and lost.cost.value > won:
                return lost
            if lost is not None and not won and not self._is_costly(lost):
                # Training that differs in the same way loses nothing, so the rest is not from this.
                return Difference(lost.cost)
        unexplained = gap.value - won if gap.is_sure else 0.0
        return replace(found, cost=replace(found.cost, unexplained=unexplained))

    def _is_costly(self, found: Difference) -> bool:
        return found.cost.is_costly(self.tolerance)

    def _is_enough(self, found: Difference) -> bool:
        is_most = self.gap is not None and found.cost.value >= self.enough * self.gap.value
        return is_most and self._is_costly(found)

    def _undone(self, some: list[Candidate], most: int = 1) -> tuple[Difference, np.ndarray]:
        """Returns what undoing wins with some candidates, or several of them one after another.

        With it comes the worth of each sample after that, `(samples,)`.
        """
        x, labels, training = self.current.images, self.current.labels, self.training
        promise = undo(self.predict, x, labels, some, self.judge, most, self.seed, training)
        return self._told(promise, some), promise.after

    def _told(self, promise: Promise, some: list[Candidate]) -> Difference:
        """Returns a promise as what is told: without a repair where chance may have made it."""
        told = told_as(promise, some, self.spec, self.current, self.training)
        least = self.half_of_gap
        if self.has_inputs:
            least = MIN_SHARE_OF_GAP * (1.0 if self.gap is None else self.gap.value)
        if (told.is_crude or self.is_text or self.has_inputs) and told.cost.value < least:
            # Where labels are wrong, all that moves predictions to their mean wins something, and
            # where the words of texts are others, some wrong reading of them is less wrong. What
            # makes samples of an autoencoder more like those of training wins something as well,
            # and a map for each column makes any samples more like them.
            low, high = told.cost.interval
            return Difference(replace(told.cost, interval=(min(low, 0.0), high), repair=None))
        chain = [candidate for candidate in some if candidate.choice in promise.choices[0]]
        if self._is_costly(told) and not (self.fails or self._is_shown(chain)):
            # A few scenes may look like others of training that are mirrored. As where nothing
            # differs at all, such a cause is told only if the model fails.
            low, high = told.cost.interval
            return Difference(replace(told.cost, interval=(min(low, 0.0), high), repair=None))
        if self.beside is None or not self._is_costly(told):
            return told
        return replace(told, cost=with_metric(told.cost, self.beside, self.current, chain))

    def _is_shown(self, chain: Sequence[Candidate]) -> bool:
        """Whether a repair takes away what is measured to differ; True if that is not known."""
        x, rows = self.x, self.rows
        if rows is None or self.judge.metric != ACCURACY.metric or x.ndim != 4:
            return True
        are_alike = x is self.current.images and x.shape[1:] == rows.shape[1:]
        return not are_alike or is_shown(chain, x, rows, self.spec)

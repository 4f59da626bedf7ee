"""`GapAnalysis`: the accuracies with each set of causes removed, and the report on the gap."""

from collections.abc import Iterator

import keras
import numpy as np

from keras_shiftguard.detection.cost import SIGMAS
from keras_shiftguard.detection.finding import LARGE
from keras_shiftguard.detection.plain_words import plain_sentence
from keras_shiftguard.explain.bootstrap import SEED, Accuracies, Resampling, interval
from keras_shiftguard.explain.class_mix import find_label_shift
from keras_shiftguard.explain.confidence import Calibration
from keras_shiftguard.explain.predictions import Predictions, predict
from keras_shiftguard.explain.progress import with_progress
from keras_shiftguard.explain.reference import Reference
from keras_shiftguard.explain.remainder import Remainder
from keras_shiftguard.explain.removal import Removable, Views
from keras_shiftguard.explain.report import (
    CHANNEL_ORDER,
    COLUMN_ORDER,
    PREPROCESSING,
    UNEXPLAINED,
    GapReport,
    GapRow,
)
from keras_shiftguard.explain.samples import Samples
from keras_shiftguard.explain.shapley import shapley_shares

WRONG = (PREPROCESSING, CHANNEL_ORDER, COLUMN_ORDER)  # causes that are faults of a pipeline
ALIKE = (
    "data does not differ from the reference in anything that was measured. If the model was "
    "trained on the reference, the unexplained {points:.1f} points ({low:.1f} to {high:.1f}) are "
    "overfitting: pass held-out data as `reference`. Else check the labels, and the order of the "
    "classes and of the columns."
)


class GapAnalysis:
    """The analysis of the gap of one model on one set of samples.

    Args:
        model: The classifier.
        samples: The evaluation set.
        views: The samples with any set of causes removed.
        reference: What the accuracy is compared with.
        calibration: Estimates the accuracy of samples without labels; None if the samples have
            labels.
        groups: Group number of each sample; None if the samples are independent.
    """

    def __init__(
        self,
        model: keras.Model,
        samples: Samples,
        views: Views,
        reference: Reference,
        calibration: Calibration | None,
        groups: np.ndarray | None = None,
    ) -> None:
        self.model, self.samples = model, samples
        self.views, self.reference, self.calibration = views, reference, calibration
        self.resampling = Resampling(len(samples), samples.labels, groups=groups)
        share = self.resampling.share
        self.shift, self.mix, notes = find_label_shift(samples.labels, reference, share)
        self.notes = [*views.notes, *notes]
        if groups is not None:
            self.notes.append(
                f"The intervals come from a bootstrap of {int(groups.max()) + 1:,} groups, not of "
                f"{len(samples):,} samples."
            )

    def report(self) -> GapReport:
        """Returns the report: exact causes, estimated causes, and the unexplained rest."""
        causes = [*self.views.causes, *([self.shift] if self.shift else [])]
        each_set = self._predict_each_set()
        fed = repaired = next(each_set)  # with no cause removed, and with all
        found = [self._score(fed)]
        for repaired in each_set:
            found.append(self._score(repaired))
        by_set = self._accuracies_by_set(np.stack(found))
        target = self._reference_accuracy(by_set)
        left = target.minus(by_set[-1])  # the part of the gap that is not explained yet
        remainder = Remainder(
            *(self.model, self.views, repaired, self.resampling, self.mix),
            *(self.reference, self._score),
        )
        measured = float(by_set.point[0])
        rows = self._exact_rows(causes, by_set)
        for each in remainder.estimates(left):
            point, ends = float(each.points.point), interval(each.points.draws)
            found_as = measured + point, "estimated", each.detail, each.repair
            rows.append(GapRow(each.cause, point, ends, *found_as))
            left = left.minus(each.points)
        rows.sort(key=lambda row: -row.points)
        gap = float(target.point) - measured
        rest = gap - sum(row.points for row in rows)
        rows.append(GapRow(UNEXPLAINED, rest, interval(left.draws), measured + rest, "rest"))
        ends = self._interval(fed, target, by_set)
        doubt = self._doubt(remainder, ends, left, len(rows) > 1)
        notes = self._all_notes()
        return GapReport(
            tuple(rows),
            measured,
            float(target.point),
            ends,
            self.reference.name,
            len(self.samples),
            self.samples.labels is None,
            tuple([*notes, doubt] if self.samples.labels is not None and doubt else notes),
            doubt if self.samples.labels is None else "",
        )

    def _doubt(
        self, remainder: Remainder, ends: tuple[float, float], left: Accuracies, causes: bool
    ) -> str:
        """Returns a sentence that says why the report may mislead; "" if there is no such reason.

        Without labels, an estimated gap of zero is based on the model's confidence, which may be
        wrong after a shift. With labels, overfitting is often the cause of a gap between data sets
        that do not differ.

        `ends` is the 95 % interval of the gap, `left` the part that no cause explains, and
        `causes` whether any cause was found.
        """
        is_gap, labels = ends[0] > 0, self.samples.labels
        wrong = [c for c in self.views.causes if c.cause in WRONG]
        if labels is None and not is_gap and wrong:
            return f"{wrong[0].cause} is wrong ({wrong[0].detail})."
        if labels is None and not is_gap:
            found = remainder.largest_difference()
            if found is not None and abs(found.effect_size) >= LARGE:
                return plain_sentence(found)
        if labels is not None and is_gap and self.reference.profile is not None:
            if left.is_above_zero and remainder.largest_difference() is None:
                lead = "Apart from these causes, the" if causes else "The"
                low, high = (100 * end for end in interval(left.draws))
                told = ALIKE.format(points=100 * float(left.point), low=low, high=high)
                return f"{lead} {told}"
        return ""

    def _predict_each_set(self) -> Iterator[Predictions]:
        """Yields the predictions with each set of causes removed, from none to all.

        The set at index `n` contains cause `i` if bit `i` of `n` is 1.
        """
        causes = [cause.cause for cause in self.views.causes]
        sets = [
            frozenset(c for i, c in enumerate(causes) if index >> i & 1)
            for index in range(2 ** len(causes))
        ]
        return (predict(self.model, self.views.packed(removed)) for removed in with_progress(sets))

    def _score(self, predictions: Predictions) -> np.ndarray:
        """Returns the score of each sample: 1 if right, else 0; without labels an estimate."""
        if self.samples.labels is not None:
            return predictions.right(self.samples.labels)
        assert self.calibration is not None
        return self.calibration.scores(predictions)

    def _accuracies_by_set(self, scores: np.ndarray) -> Accuracies:
        """Returns the accuracy with each set of causes removed, from none to all.

        The sets are those of `_predict_each_set`. If label shift is a cause, the same sets follow
        with label shift removed as well, so that the highest bit of the index stands for label
        shift.
        """
        plain = self.resampling.accuracies(scores)
        if self.mix is None:
            return plain
        weighted = self.resampling.accuracies(scores, self.mix)
        return Accuracies(
            np.concatenate([plain.point, weighted.point]),
            np.concatenate([plain.draws, weighted.draws]),
        )

    def _exact_rows(self, causes: list[Removable], by_set: Accuracies) -> list[GapRow]:
        """Returns the rows of the causes that are removed exactly."""
        shares, draws = shapley_shares(by_set.point), shapley_shares(by_set.draws)
        rows = []
        for i, cause in enumerate(causes):
            alone = float(by_set.point[1 << i])  # the accuracy with only this cause removed
            found = alone, "removed", cause.detail, cause.repair
            rows.append(GapRow(cause.cause, float(shares[i]), interval(draws[i]), *found))
        return rows

    def _reference_accuracy(self, by_set: Accuracies) -> Accuracies:
        """Returns the accuracy of the reference, with bootstrap draws.

        If the user gave no reference, the result is the accuracy with all causes removed.
        """
        reference = self.reference
        if reference.accuracy is None:
            return by_set[-1]
        labels, predictions = self.samples.labels, reference.predictions
        if labels is not None and predictions is not None and reference.has_labels(labels):
            return self.resampling.accuracies(predictions.right(labels)[None])[0]  # paired
        draws = np.full(self.resampling.num_draws, reference.accuracy)
        if reference.num_samples:
            rng = np.random.default_rng(SEED + 1)
            draws = rng.binomial(reference.num_samples, reference.accuracy, len(draws))
            draws = draws / reference.num_samples
        return Accuracies(np.asarray(reference.accuracy), draws)

    def _interval(
        self, predictions: Predictions, target: Accuracies, by_set: Accuracies
    ) -> tuple[float, float]:
        """Returns the 95 % interval of the gap.

        `predictions` are those with no cause removed, and `by_set` the accuracies with each set of
        causes removed. `target` is the accuracy of the reference.
        """
        gap = float(target.point - by_set.point[0])
        low, high = interval(target.draws - by_set.draws[0])
        if self.reference.accuracy is not None:
            # One right and one wrong sample are added, as in `promised`. Otherwise the interval
            # would be empty if all predictions are right.
            sizes = (self.resampling.num_groups, self.reference.num_samples)
            added = SIGMAS * float(np.sqrt(2 * sum(1 / size**2 for size in sizes if size)))
            low, high = gap - np.hypot(gap - low, added), gap + np.hypot(high - gap, added)
        doubt = 0.0 if self.calibration is None else self.calibration.doubt(predictions)
        # The measured accuracy lies in 0..1, which limits the gap.
        max_gap = float(target.point)
        return max(float(low) - doubt, max_gap - 1), min(float(high) + doubt, max_gap)

    def _all_notes(self) -> list[str]:
        notes = list(self.notes)
        if self.calibration is not None:
            notes.insert(0, self.calibration.note)
        if self.samples.total > len(self.samples):
            notes.append(f"{len(self.samples):,} of {self.samples.total:,} samples were evaluated.")
        return notes

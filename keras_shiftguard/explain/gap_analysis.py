"""`GapAnalysis`: the accuracies with each set of causes removed, and the report on the gap."""

import contextlib
import sys
from collections.abc import Iterator

import keras
import numpy as np

from keras_shiftguard.detection.cost import SIGMAS
from keras_shiftguard.detection.finding import LARGE
from keras_shiftguard.detection.words.plain_words import plain_sentence
from keras_shiftguard.explain.causes.bootstrap import DRAWS, SEED, Accuracies, Resampling, interval
from keras_shiftguard.explain.causes.class_mix import find_label_shift
from keras_shiftguard.explain.causes.remainder import Remainder
from keras_shiftguard.explain.causes.shapley import shapley_shares
from keras_shiftguard.explain.causes.views import Views
from keras_shiftguard.explain.estimates.confidence import Calibration
from keras_shiftguard.explain.predictions import Predictions, predict
from keras_shiftguard.explain.reference import Reference
from keras_shiftguard.explain.report import (
    CHANNEL_ORDER,
    COLUMN_ORDER,
    PREPROCESSING,
    UNEXPLAINED,
    GapReport,
    GapRow,
)

WRONG = (PREPROCESSING, CHANNEL_ORDER, COLUMN_ORDER)  # causes that are faults of a pipeline
ALIKE = (
    "data does not differ from the reference in anything that was measured. If the model was "
    "trained on the reference, the unexplained {points:.1f} points ({low:.1f} to {high:.1f}) are "
    "overfitting: pass held-out data as `reference`. Else check the labels, and the order of the "
    "classes and of the columns."
)


class GapAnalysis:
    """The analysis of the gap of one model on one set of samples.

    `calibration` estimates the accuracy of samples without labels; it is None if they have labels.
    `groups` are the numbers of their groups; None if the samples are independent.
    """

    def __init__(
        self,
        model: keras.Model,
        views: Views,
        reference: Reference,
        calibration: Calibration | None,
        groups: np.ndarray | None,
    ) -> None:
        self.model, self.views, self.samples = model, views, views.samples
        self.reference, self.calibration = reference, calibration
        self.resampling = Resampling(len(self.samples), groups)
        labels, share = self.samples.labels, self.resampling.share
        self.shift, self.mix, notes = find_label_shift(labels, reference, share)
        self.notes = [*views.notes, *notes]
        if groups is not None:
            self.notes.append(
                f"The intervals come from a bootstrap of {int(groups.max()) + 1:,} groups, not of "
                f"{len(self.samples):,} samples."
            )
        if calibration is not None:
            self.notes.insert(0, calibration.note)
        if self.samples.total > len(self.samples):
            few, all_samples = len(self.samples), self.samples.total
            self.notes.append(f"{few:,} of {all_samples:,} samples were evaluated.")

    def report(self) -> GapReport:
        """Returns the report: exact causes, estimated causes, and the unexplained rest."""
        each_set = self._predict_each_set()
        fed = repaired = next(each_set)  # with no cause removed, and with all
        found = [self._score(fed)]
        for repaired in each_set:
            found.append(self._score(repaired))
        by_set = self._accuracies_by_set(np.stack(found))
        measured, target = float(by_set.point[0]), self._reference_accuracy(by_set)
        left = target.minus(by_set[-1])  # the part of the gap that is not explained yet
        remainder = Remainder(
            *(self.model, self.views, repaired, self.resampling, self.mix),
            *(self.reference, self._score),
        )
        rows = self._exact_rows(by_set)
        for cause, points, detail, repair in remainder.estimates(left):
            point, ends = float(points.point), points.interval
            found_as = measured + point, "estimated", detail, repair
            rows.append(GapRow(cause, point, ends, *found_as))
            left = left.minus(points)
        rows.sort(key=lambda row: -row.points)
        rest = float(target.point) - measured - sum(row.points for row in rows)
        rows.append(GapRow(UNEXPLAINED, rest, left.interval, measured + rest, "rest"))
        ends, is_labelled = self._interval(fed, target, by_set), self.samples.labels is not None
        doubt = self._doubt(remainder, ends[0] > 0, left, len(rows) > 1)
        return GapReport(
            tuple(rows),
            measured,
            float(target.point),
            ends,
            self.reference.name,
            len(self.samples),
            not is_labelled,
            (*self.notes, doubt) if is_labelled and doubt else tuple(self.notes),
            "" if is_labelled else doubt,
        )

    def _doubt(self, remainder: Remainder, is_gap: bool, left: Accuracies, has_causes: bool) -> str:
        """Returns a sentence that says why the report may mislead; "" if there is no such reason.

        Without labels, an estimated gap of zero is based on the model's confidence, which may be
        wrong after a shift. With labels, overfitting is often the cause of a gap between data sets
        that do not differ. `left` is the part of the gap that no cause explains.
        """
        if self.samples.labels is None:
            wrong = [c for c in self.views.causes if c.cause in WRONG]
            if is_gap:
                return ""
            if wrong:
                return f"{wrong[0].cause} is wrong ({wrong[0].detail})."
            found = remainder.largest_difference()
            is_large = found is not None and abs(found.effect_size) >= LARGE
            return plain_sentence(found) if found is not None and is_large else ""
        low, high = (100 * end for end in left.interval)
        if not is_gap or self.reference.profile is None or low <= 0:
            return ""
        if remainder.largest_difference() is not None:
            return ""
        lead = "Apart from these causes, the" if has_causes else "The"
        return f"{lead} {ALIKE.format(points=100 * float(left.point), low=low, high=high)}"

    def _predict_each_set(self) -> Iterator[Predictions]:
        """Yields the predictions with each set of causes removed, from none to all.

        The set at index `n` contains cause `i` if bit `i` of `n` is 1. On an interactive terminal,
        a bar shows how many of them are done.
        """
        causes = [cause.cause for cause in self.views.causes]
        number = 2 ** len(causes)
        shown = sys.stderr.isatty() and keras.config.is_interactive_logging_enabled()
        bar = keras.utils.Progbar(number, unit_name="evaluation") if shown else None
        for index in range(number):
            removed = frozenset(c for i, c in enumerate(causes) if index >> i & 1)
            yield predict(self.model, self.views.packed(removed))
            if bar is not None:
                # `Progbar` prints to stdout, which is reserved for the report.
                with contextlib.redirect_stdout(sys.stderr):
                    bar.add(1)

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

    def _exact_rows(self, by_set: Accuracies) -> list[GapRow]:
        """Returns the rows of the causes that are removed exactly."""
        shares, draws = shapley_shares(by_set.point), shapley_shares(by_set.draws)
        rows = []
        for i, cause in enumerate([*self.views.causes, *([self.shift] if self.shift else [])]):
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
        draws = np.full(DRAWS, reference.accuracy)
        if reference.num_samples:
            rng = np.random.default_rng(SEED + 1)
            draws = rng.binomial(reference.num_samples, reference.accuracy, DRAWS)
            draws = draws / reference.num_samples
        return Accuracies(np.asarray(reference.accuracy), draws)

    def _interval(
        self, fed: Predictions, target: Accuracies, by_set: Accuracies
    ) -> tuple[float, float]:
        """Returns the 95 % interval of the gap between `target` and the predictions as fed."""
        gap = float(target.point - by_set.point[0])
        low, high = interval(target.draws - by_set.draws[0])
        if self.reference.accuracy is not None:
            # One right and one wrong sample are added, as in `cost_of`. Otherwise the interval
            # would be empty if all predictions are right.
            sizes = (self.resampling.num_groups, self.reference.num_samples)
            added = SIGMAS * float(np.sqrt(2 * sum(1 / size**2 for size in sizes if size)))
            low, high = gap - np.hypot(gap - low, added), gap + np.hypot(high - gap, added)
        doubt = 0.0 if self.calibration is None else self.calibration.doubt(fed)
        # The measured accuracy lies in 0..1, which limits the gap.
        max_gap = float(target.point)
        return max(float(low) - doubt, max_gap - 1), min(float(high) + doubt, max_gap)

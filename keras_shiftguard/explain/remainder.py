"""`Remainder`: estimates concept and covariate shift from the gap that exact causes leave.

An exact cause is one that can be removed from the data exactly (`removal.py`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import keras
import numpy as np

from keras_shiftguard.detection.causes.corruptions import name_cause
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.look import compare_profiles
from keras_shiftguard.experiments import label_words
from keras_shiftguard.explain.bootstrap import SEED, Accuracies, Mix, Resampling
from keras_shiftguard.explain.class_mix import LEVEL
from keras_shiftguard.explain.concept import find_wrong_labels
from keras_shiftguard.explain.covariate import Repair, level_repair, sample_weights
from keras_shiftguard.explain.experiment import cost_of_shift, in_words
from keras_shiftguard.explain.predictions import Predictions
from keras_shiftguard.explain.progress import Progress
from keras_shiftguard.explain.reference import Reference
from keras_shiftguard.explain.removal import Views
from keras_shiftguard.explain.report import CONCEPT_SHIFT, COVARIATE_SHIFT
from keras_shiftguard.instrument.measure import profile_of
from keras_shiftguard.profiles import InputProfile

LEVEL_FAMILIES = ("brightness", "contrast", "colour")  # causes that a repair of levels removes
ADAPT_LINE = "callbacks=[keras_shiftguard.ShiftGuard(target_data=x, adapt=True)]"
LOWER_PERCENTILE = 2.5  # an estimate is used only if this percentile of its draws is above 0


@dataclass(frozen=True)
class Estimate:
    """An estimated cause of a part of the gap.

    Args:
        cause: Name of the cause in the report.
        points: The part of the gap that the cause explains, with bootstrap draws.
        detail: Description for the report.
        repair: Line of Python to paste, or "".
    """

    cause: str
    points: Accuracies
    detail: str
    repair: str = ""


class Remainder:
    """The part of the gap that no exact cause explains.

    Args:
        model: The classifier.
        views: The samples with any set of exact causes removed.
        predictions: Predictions for the samples with all exact causes removed.
        resampling: The bootstrap of the samples.
        mix: Class frequencies of the reference if label shift is a cause, else None.
        reference: What the accuracy is compared with.
        score: Function from predictions to the score of each sample, `(samples,)`.
        left: The part of the gap that is left to explain, with bootstrap draws.
        progress: Counts evaluations of the model.
    """

    def __init__(
        self,
        model: keras.Model,
        views: Views,
        predictions: Predictions,
        resampling: Resampling,
        mix: Mix | None,
        reference: Reference,
        score: Callable[[Predictions], np.ndarray],
        left: Accuracies,
        progress: Progress,
    ) -> None:
        self.model, self.views, self.predictions = model, views, predictions
        self.resampling, self.mix, self.reference = resampling, mix, reference
        self.score, self.left, self.progress = score, left, progress
        self.labels = views.samples.labels
        self.scores = score(predictions)

    def estimates(self) -> Iterator[Estimate]:
        """Yields the estimates for concept and covariate shift that explain a part of the gap."""
        if not _is_above_zero(self.left):
            return
        found = [self._estimate_wrong_labels(), self._estimate_covariate_shift()]
        for estimate in sorted(filter(None, found), key=lambda each: -float(each.points.point)):
            # An estimate is limited to the part of the gap that is left.
            points = Accuracies(
                np.clip(estimate.points.point, 0.0, max(float(self.left.point), 0.0)),
                np.clip(estimate.points.draws, 0.0, np.maximum(self.left.draws, 0.0)),
            )
            if _is_above_zero(points):
                self.left = self.left.minus(points)
                yield replace(estimate, points=points)

    def _inputs(self) -> Iterator[dict[str, np.ndarray]]:
        """Yields the samples with all exact causes removed, in chunks: dicts by input name."""
        return self.views.chunks(self.views.all_removed)

    def largest_difference(self) -> Finding | None:
        """Returns the largest covariate or preprocessing shift of the data against the reference.

        All exact causes are removed from the data. The result is None if no such shift matters, or
        if the reference has no profile.
        """
        if self.reference.profile is None:
            return None
        before, now = self.reference.profile(), self._profile()
        found = compare_profiles(before, now, stream="data", level=LEVEL, outputs=False).findings
        kinds = ("covariate", "preprocessing")
        found = [finding for finding in found if finding.kind in kinds and finding.matters]
        return max(found, key=lambda finding: abs(finding.effect_size), default=None)

    def _profile(self) -> InputProfile:
        """Returns the profile of the samples with all exact causes removed."""

        def stream() -> Iterator[tuple[dict[str, np.ndarray], np.ndarray | None]]:
            parts = (part for part, _ in self.views.samples.chunks())
            for part, inputs in zip(parts, self._inputs(), strict=True):
                yield inputs, None if self.labels is None else self.labels[part]

        profile = profile_of(stream())
        number = round(self.resampling.share * profile.num_samples)
        return replace(profile, distinct_samples=max(number, 1))

    def _estimate_covariate_shift(self) -> Estimate | None:
        """Returns the estimate for covariate shift; None if it explains no part of the gap."""
        before = None if self.reference.profile is None else self.reference.profile()
        now = None if before is None else self._profile()
        if before is not None and now is not None:
            found = compare_profiles(before, now, stream="data", level=LEVEL, outputs=False)
            if not any(f.kind in ("covariate", "preprocessing") for f in found.findings):
                return None
        best = self._levels_restored(before)
        self.progress.step()
        tried = cost_of_shift(self.model, self.views, self.reference)
        if tried is not None:
            cost = tried.cost.of_dependent(self.resampling.share)
            tried = replace(tried, cost=cost) if cost.is_costly(0.0) else None
        self.progress.step()
        if best is None and tried is None:
            return None
        parts, estimate = [], None if best is None else best[1]
        if tried is not None:
            parts.append(in_words(tried))
            lost = self._drawn(tried.cost)
            estimate = lost if estimate is None or lost.point > estimate.point else estimate
        if best is not None:
            gain = "" if tried is None else f" brings back {100 * float(best[1].point):.1f}"
            parts.append(best[0].detail + gain)
        assert estimate is not None
        line = ADAPT_LINE if best is None else _repair_line(best[0], before, now)
        return Estimate(COVARIATE_SHIFT, estimate, "; ".join(filter(None, parts)), line)

    def _weights(self) -> np.ndarray:
        """Returns weights that give the samples the class mix of the reference, `(samples,)`."""
        if self.mix is None or self.labels is None:
            return np.ones(len(self.views.samples))
        return sample_weights(self.labels, self.mix)

    def _drawn(self, cost: Cost) -> Accuracies:
        """Returns a cost with draws that have its interval."""
        error = cost.value / max(cost.sigmas, 1e-12)
        draws = np.random.default_rng(SEED).normal(cost.value, error, self.resampling.num_draws)
        return Accuracies(np.asarray(cost.value), draws)

    def _levels_restored(self, before: InputProfile | None) -> tuple[Repair, Accuracies] | None:
        """Returns the repair of the levels, and what it regains; None if it regains nothing."""
        if before is None or len(self.views.samples.inputs) != 1 or len(before.inputs) != 1:
            return None
        images, again = ((next(iter(x.values())) for x in self._inputs()) for _ in range(2))
        summary = next(iter(before.inputs.values()))
        repair = level_repair(self.model, images, again, summary, self._weights())
        if repair is None:
            return None
        both = np.stack([self.scores, self.score(repair.predictions)])
        accuracies = self.resampling.accuracies(both, self.mix)
        regained = accuracies[1].minus(accuracies[0])
        return (repair, regained) if _is_above_zero(regained) else None

    def _estimate_wrong_labels(self) -> Estimate | None:
        """Returns the estimate for wrong labels; None if none are found.

        Some labels of harder images look wrong as well. So unless labels are renamed, wrong ones
        are found only where nothing else differs.
        """
        if self.labels is None:
            return None
        found = find_wrong_labels(self.predictions, self.labels, self._weights(), self.reference)
        if found is None:
            return None
        if not found.names and self.largest_difference() is not None:
            return None
        cost = found.cost.of_dependent(self.resampling.share)
        classes = self.predictions.probabilities.shape[1]
        words = label_words.in_words(found, classes, "data", "the reference")
        return Estimate(CONCEPT_SHIFT, self._drawn(cost), words)


def _repair_line(repair: Repair, before: InputProfile | None, now: InputProfile | None) -> str:
    """Returns the line of Python that repairs a covariate shift.

    Restoring the levels can regain some accuracy even if the shift is noise or blur. But the line
    that restores levels is returned only if the levels have changed. Otherwise the returned line
    adapts the training to the data.

    `before` and `now` are the profiles of the reference and of the data, if known.
    """
    if before is None or now is None:
        return repair.line
    tables = (next(iter(profile.inputs.values())).features for profile in (before, now))
    return repair.line if name_cause(*tables).family in LEVEL_FAMILIES else ADAPT_LINE


def _is_above_zero(difference: Accuracies) -> bool:
    """Whether a difference of accuracies is above 0 in all but `LOWER_PERCENTILE` % of draws."""
    return bool(np.percentile(difference.draws, LOWER_PERCENTILE) > 0)

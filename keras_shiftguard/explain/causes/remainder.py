"""`Remainder`: estimates concept and covariate shift from the gap that exact causes leave.

An exact cause is one that can be removed from the data exactly (`views.py`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import keras
import numpy as np

from keras_shiftguard.detection.causes.corruptions import name_cause
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.look import compare_profiles
from keras_shiftguard.experiments.labels import label_words
from keras_shiftguard.experiments.labels.wrong_labels import Predicted, wrong_labels
from keras_shiftguard.explain.causes.bootstrap import DRAWS, SEED, Accuracies, Mix, Resampling
from keras_shiftguard.explain.causes.class_mix import LEVEL
from keras_shiftguard.explain.causes.covariate import (
    LevelRepair,
    cost_of_shift,
    in_words,
    level_repair,
)
from keras_shiftguard.explain.causes.views import Views
from keras_shiftguard.explain.predictions import Predictions, predict
from keras_shiftguard.explain.reference import Reference
from keras_shiftguard.explain.report import CONCEPT_SHIFT, COVARIATE_SHIFT
from keras_shiftguard.instrument.measure import profile_of
from keras_shiftguard.profiles import InputProfile

LEVEL_FAMILIES = ("brightness", "contrast", "colour")  # causes that a repair of levels removes
ADAPT_LINE = "callbacks=[keras_shiftguard.ShiftGuard(target_data=x, adapt=True)]"


class Estimate(NamedTuple):
    """An estimated cause of a part of the gap: what the report says of it."""

    cause: str
    points: Accuracies
    detail: str
    repair: str = ""


@dataclass
class Remainder:
    """The part of the gap that no exact cause explains."""

    model: keras.Model
    views: Views  # the samples with any set of exact causes removed
    predictions: Predictions  # predictions for the samples with all exact causes removed
    resampling: Resampling
    mix: Mix | None  # class frequencies of the reference if label shift is a cause, else None
    reference: Reference  # what the accuracy is compared with
    # Function from predictions to the score of each sample, `(samples,)`.
    score: Callable[[Predictions], np.ndarray]

    def estimates(self, left: Accuracies) -> Iterator[Estimate]:
        """Yields the estimates for concept and covariate shift that explain a part of the gap.

        `left` is the part of the gap that is left to explain, with bootstrap draws.
        """
        if left.interval[0] <= 0:
            return
        found = [self._estimate_wrong_labels(), self._estimate_covariate_shift()]
        for estimate in sorted(filter(None, found), key=lambda each: -float(each.points.point)):
            # An estimate is limited to the part of the gap that is left.
            points = Accuracies(
                np.clip(estimate.points.point, 0.0, max(float(left.point), 0.0)),
                np.clip(estimate.points.draws, 0.0, np.maximum(left.draws, 0.0)),
            )
            if points.interval[0] > 0:
                left = left.minus(points)
                yield estimate._replace(points=points)

    @cached_property
    def _before(self) -> InputProfile | None:
        """The profile of the reference, if it has one."""
        return None if self.reference.profile is None else self.reference.profile()

    @cached_property
    def _profile(self) -> InputProfile:
        """The profile of the samples with all exact causes removed."""
        labels = self.views.samples.labels
        parts = (part for part, _ in self.views.samples.chunks())
        profile = profile_of(
            (inputs, None if labels is None else labels[part])
            for part, inputs in zip(parts, self.views.chunks(), strict=True)
        )
        number = round(self.resampling.share * profile.num_samples)
        return replace(profile, distinct_samples=max(number, 1))

    @cached_property
    def _differences(self) -> list[Finding]:
        """The covariate and preprocessing shifts against the reference; none without a profile."""
        if self._before is None:
            return []
        report = compare_profiles(
            self._before, self._profile, stream="data", level=LEVEL, outputs=False
        )
        return [each for each in report.findings if each.kind in ("covariate", "preprocessing")]

    def largest_difference(self) -> Finding | None:
        """Returns the largest shift of the data against the reference that matters, if any.

        All exact causes are removed from the data.
        """
        found = [finding for finding in self._differences if finding.matters]
        return max(found, key=lambda finding: abs(finding.effect_size), default=None)

    def _estimate_covariate_shift(self) -> Estimate | None:
        """Returns the estimate for covariate shift; None if it explains no part of the gap."""
        if self._before is not None and not self._differences:
            return None
        levels = self._levels_restored()
        tried = cost_of_shift(self.model, self.views, self.reference)
        cost = None if tried is None else tried.cost.of_dependent(self.resampling.share)
        found, parts, line = [], [], ADAPT_LINE
        if tried is not None and cost is not None and cost.is_costly(0.0):
            found.append(_drawn(cost))
            parts.append(in_words(tried))
            line = tried.fix or ADAPT_LINE
        if levels is not None:
            repair, regained = levels
            gain = f" brings back {100 * float(regained.point):.1f}" if found else ""
            found.append(regained)
            parts.append(repair.detail + gain)
            line = repair.line if self._has_other_levels() else line
        if not found:
            return None
        lost = max(found, key=lambda each: float(each.point))
        return Estimate(COVARIATE_SHIFT, lost, "; ".join(parts), line)

    def _has_other_levels(self) -> bool:
        """Whether the levels have changed: restored ones may regain accuracy from noise as well."""
        assert self._before is not None
        tables = (next(iter(p.inputs.values())).features for p in (self._before, self._profile))
        return name_cause(*tables).family in LEVEL_FAMILIES

    def _levels_restored(self) -> tuple[LevelRepair, Accuracies] | None:
        """Returns the repair of the levels, and what it regains; None if it regains nothing."""
        before = self._before
        if before is None or len(self.views.samples.inputs) != 1 or len(before.inputs) != 1:
            return None
        now, there = (next(iter(each.inputs.values())) for each in (self._profile, before))
        repair = level_repair(now, there)
        if repair is None:
            return None
        images = (next(iter(x.values())) for x in self.views.chunks())
        repaired = predict(self.model, (repair.apply(x) for x in images))
        both = np.stack([self.score(self.predictions), self.score(repaired)])
        accuracies = self.resampling.accuracies(both, self.mix)
        regained = accuracies[1].minus(accuracies[0])
        return (repair, regained) if regained.interval[0] > 0 else None

    def _estimate_wrong_labels(self) -> Estimate | None:
        """Returns the estimate for wrong labels, by the experiment of a fit; None without any.

        Some labels of harder images look wrong as well. So unless labels are renamed, wrong ones
        are found only where nothing else differs.
        """
        labels, reference = self.views.samples.labels, self.reference
        known = None if reference.samples is None else reference.samples.labels
        if labels is None or known is None or reference.predictions is None:
            return None
        rows, share = np.arange(len(labels)), 1.0
        if self.mix is not None:  # samples with the class mix of the reference
            p = self.mix.weights()
            p = p / p.sum()
            rows = np.random.default_rng(SEED).choice(rows, len(rows), p=p)
            share = float(1 / np.square(p).sum()) / len(labels)  # weighted samples count less
        found = wrong_labels(
            Predicted(self.predictions.probabilities[rows], labels[rows]),
            Predicted(reference.predictions.probabilities, known),
        )
        if found is None or found.is_unrelated:  # then other columns or subjects are as likely
            return None
        if not found.names and self.largest_difference() is not None:
            return None
        cost = found.cost.of_dependent(share * self.resampling.share)
        classes = self.predictions.probabilities.shape[1]
        words = label_words.said_of(found, classes, "data", "the reference").text
        return Estimate(CONCEPT_SHIFT, _drawn(cost), words)


def _drawn(cost: Cost) -> Accuracies:
    """Returns a cost with draws that have its interval."""
    error = cost.value / max(cost.sigmas, 1e-12)
    draws = np.random.default_rng(SEED).normal(cost.value, error, DRAWS)
    return Accuracies(np.asarray(cost.value), draws)

"""What is left once all exact causes are gone, explained as far as it can be: estimates."""

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np

from keras_shiftguard.detection.look import compare_profiles
from keras_shiftguard.explain.bootstrap import Accuracies, Mix, Resampling
from keras_shiftguard.explain.concept import Concept, find_concept
from keras_shiftguard.explain.confidence import Calibration
from keras_shiftguard.explain.covariate import (
    Repair,
    balanced,
    batch_norm_repair,
    level_repair,
    sample_weights,
)
from keras_shiftguard.explain.predictions import Said
from keras_shiftguard.explain.progress import Progress
from keras_shiftguard.explain.reference import Reference
from keras_shiftguard.explain.removal import Views
from keras_shiftguard.explain.report import CONCEPT_SHIFT, COVARIATE_SHIFT
from keras_shiftguard.explain.restyled_reference import act_out
from keras_shiftguard.explain.worst_slices import attributes_of, moments, worst_fifth
from keras_shiftguard.instrument.measure import profile_of
from keras_shiftguard.profiles import InputProfile

LEVEL = 0.01  # of the comparison that must find a covariate shift
SURE = 2.5  # percent of the draws that may say that there is nothing


@dataclass(frozen=True)
class Estimate:
    """A cause that explains a part of what is left.

    Args:
        cause: Its name in the report.
        points: Its part, and its draws.
        detail: In words.
        repair: A line to paste.
    """

    cause: str
    points: Accuracies
    detail: str
    repair: str = ""


class Remainder:
    """The part of the gap that no exact cause explains.

    Args:
        model: The classifier.
        views: The samples, and how the exact causes are taken away.
        said: What the model says with all of them taken away.
        resampling: The bootstrap of the samples.
        mix: Frequencies of the reference, where label shift is a cause.
        reference: What is compared with.
        calibration: How answers become scores, without labels.
        left: What is left of the gap, and its draws.
        progress: Counts evaluations.
    """

    def __init__(
        self,
        model: keras.Model,
        views: Views,
        said: Said,
        resampling: Resampling,
        mix: Mix | None,
        reference: Reference,
        calibration: Calibration | None,
        left: Accuracies,
        progress: Progress,
    ) -> None:
        self.model, self.views, self.said = model, views, said
        self.resampling, self.mix, self.reference = resampling, mix, reference
        self.calibration, self.left, self.progress = calibration, left, progress
        self.labels = views.samples.labels
        self.scores = self._score(said)

    def estimates(self) -> Iterator[Estimate]:
        """Concept shift, then covariate shift, of what is left."""
        if np.percentile(self.left.draws, SURE) <= 0:
            return
        before = None if self.reference.profile is None else self.reference.profile()
        now = None if before is None else self._profile()
        if before is not None and now is not None and self.labels is not None:
            concept = find_concept(before.labels, now.labels)
        else:
            concept = None
        # First what single classes lost more than the others, then what all lost.
        if concept is not None:
            yield from self._concept(concept)
        if concept is None or not concept.everything:
            covariate = self._covariate(before, now)
            if covariate is not None:
                yield covariate

    def _score(self, said: Said) -> np.ndarray:
        if self.labels is not None:
            return said.right(self.labels)
        assert self.calibration is not None
        return self.calibration.scores(said)

    def _inputs(self) -> Iterator[dict[str, np.ndarray]]:
        return self.views.chunks(self.views.all_removed)

    def _profile(self) -> InputProfile:
        def stream() -> Iterator[tuple[dict[str, np.ndarray], np.ndarray | None]]:
            parts = (part for part, _ in self.views.samples.chunks())
            for part, inputs in zip(parts, self._inputs(), strict=True):
                yield inputs, None if self.labels is None else self.labels[part]

        return profile_of(stream())

    def _covariate(self, before: InputProfile | None, now: InputProfile | None) -> Estimate | None:
        if np.percentile(self.left.draws, SURE) <= 0:
            return None
        if before is not None and now is not None:
            look = compare_profiles(before, now, stream="data", level=LEVEL, outputs=False)
            if not any(f.kind in ("covariate", "preprocessing") for f in look.findings):
                return None
        known, table = self._attributes(self._inputs())
        best: tuple[Repair, Accuracies] | None = None
        for repair in self._repairs(before):
            regained = self._regained(repair)
            self.progress.step()
            if np.percentile(regained.draws, SURE) > 0 and (
                best is None or regained.point > best[1].point
            ):
                best = (repair, regained)
        words, lost = self._acted_out(known, table)
        if best is None and lost is None:
            return None
        parts, found = [words], lost
        if best is not None:
            share = f" brings back {100 * float(best[1].point):.1f}" if lost is not None else ""
            parts.append(best[0].detail + share)
            found = best[1] if lost is None or best[1].point > lost.point else lost
        if known and self.labels is not None:
            parts.append(worst_fifth(known, table, self.said.right(self.labels)))
        assert found is not None
        # Never more than what is there to be explained.
        points = Accuracies(
            np.clip(found.point, 0.0, max(float(self.left.point), 0.0)),
            np.clip(found.draws, 0.0, np.maximum(self.left.draws, 0.0)),
        )
        self.left = Accuracies(self.left.point - points.point, self.left.draws - points.draws)
        line = "" if best is None else best[0].line
        return Estimate(COVARIATE_SHIFT, points, "; ".join(filter(None, parts)), line)

    def _attributes(
        self, inputs: Iterator[dict[str, np.ndarray]]
    ) -> tuple[tuple[str, ...], np.ndarray]:
        if self.labels is None or len(self.views.samples.inputs) != 1:
            return (), np.zeros((0, 0))
        return attributes_of(next(iter(x.values())) for x in inputs)

    def _acted_out(
        self, known: tuple[str, ...], table: np.ndarray
    ) -> tuple[str, Accuracies | None]:
        """What the reference loses if its images are changed as the data's are."""
        samples, said = self.reference.samples, self.reference.said
        if not known or samples is None or said is None or samples.labels is None:
            return "", None
        names, before = self._attributes(x for _, x in samples.chunks())
        if names != known:
            return "", None
        weights = np.ones(len(table))
        if self.mix is not None and self.labels is not None:
            weights = sample_weights(self.labels, self.mix)
        (mean, spread), (now, wider) = (
            moments(t, w) for t, w in ((before, np.ones(len(before))), (table, weights))
        )
        unit = np.sqrt((spread**2 + wider**2) / 2)
        acted = act_out(self.model, next(iter(samples.inputs.values())), now - mean, unit)
        self.progress.step()
        if acted is None:
            return "", None
        labels = samples.labels[acted.which]
        right = np.stack([said.right(samples.labels)[acted.which], acted.said.right(labels)])
        draws = Resampling(len(labels), None, self.resampling.num_draws).accuracies(right)
        lost = Accuracies(draws.point[0] - draws.point[1], draws.draws[0] - draws.draws[1])
        if np.percentile(lost.draws, SURE) <= 0:
            return "", None
        points = 100 * float(lost.point)
        return f"the reference loses {points:.1f} if one {acted.words}", lost

    def _repairs(self, before: InputProfile | None) -> Iterator[Repair]:
        samples, mix, labels = self.views.samples, self.mix, self.labels
        if before is not None and len(samples.inputs) == 1 and len(before.inputs) == 1:
            weights = np.ones(len(samples))
            if mix is not None and labels is not None:
                weights = sample_weights(labels, mix)
            one, again = ((next(iter(x.values())) for x in self._inputs()) for _ in range(2))
            summary = next(iter(before.inputs.values()))
            levels = level_repair(self.model, one, again, summary, weights)
            if levels is not None:
                yield levels
        some = balanced(self._inputs(), labels, mix, len(samples))
        everything = self.views.packed(self.views.all_removed)
        norms = batch_norm_repair(self.model, samples.packed(some), everything)
        if norms is not None:
            yield norms

    def _regained(self, repair: Repair) -> Accuracies:
        both = np.stack([self.scores, self._score(repair.said)])
        accuracies = self.resampling.accuracies(both, self.mix)
        return Accuracies(
            accuracies.point[1] - accuracies.point[0], accuracies.draws[1] - accuracies.draws[0]
        )

    def _concept(self, concept: Concept) -> Iterator[Estimate]:
        before, counts = self.reference.by_class, self.reference.counts
        if before is None or counts is None or self.labels is None:
            return
        by_class = self.resampling.by_class(self.scores[None])[0]
        now, draws = (
            np.full(len(counts), np.nan),
            np.full((by_class.draws.shape[0], len(counts)), np.nan),
        )
        now[self.resampling.classes] = by_class.point
        draws[:, self.resampling.classes] = by_class.draws
        shares = counts / counts.sum()
        if self.mix is None:
            shares = np.bincount(self.labels, minlength=len(counts)) / len(self.views.samples)
        point = concept.points(before, now, shares, np.asarray(self.left.point))
        points = Accuracies(point, concept.points(before, draws, shares, self.left.draws))
        if points.point <= 0 or np.percentile(points.draws, SURE) <= 0:
            return
        self.left = Accuracies(self.left.point - points.point, self.left.draws - points.draws)
        yield Estimate(CONCEPT_SHIFT, points, concept.detail)

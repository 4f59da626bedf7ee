"""`explain_gap`: why is my accuracy lower? One table that adds up."""

from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.explain.bootstrap import (
    Accuracies,
    Resampling,
    difference,
    interval,
    paired_difference,
)
from keras_shiftguard.explain.class_mix import find_label_shift
from keras_shiftguard.explain.confidence import Calibration, calibrate
from keras_shiftguard.explain.model_facts import Subject, look_at
from keras_shiftguard.explain.predictions import Said, ask
from keras_shiftguard.explain.progress import Progress
from keras_shiftguard.explain.reference import Reference, resolve_reference
from keras_shiftguard.explain.remainder import Remainder
from keras_shiftguard.explain.removable import find_removable
from keras_shiftguard.explain.removal import Removable, Views
from keras_shiftguard.explain.report import UNEXPLAINED, GapReport, GapRow
from keras_shiftguard.explain.samples import Samples, read_samples
from keras_shiftguard.explain.shapley import shapley_shares

SEED = 21


def explain_gap(
    model: Any, data: Any, reference: Any = None, max_samples: int | None = None
) -> GapReport:
    """Explains why a classifier is less accurate on `data` than it should be.

    Each cause is taken away and the model asked again, in every combination, so
    that the parts do not depend on the order. Preprocessing, channel order,
    resolution and crop, and class frequencies are taken away exactly; covariate
    and concept shift are estimated from what is left; the rest is `"unexplained"`.
    The model is not changed.

    Args:
        model: A built `keras.Model` that tells classes apart.
        data: The evaluation set, exactly as the model is fed it.
            - `(x, y)`, or whatever `fit` takes with labels. It is read once and
              kept in memory: of more than 2 GiB, an evenly spread part. Of a
              generator, 10,000 samples at most.
            - A directory of raw images in class folders. It is read as
              `keras.utils.image_dataset_from_directory` does: stretched to the
              native size, bilinear, R, G, B from 0 to 255.
            - `(directory, pipeline)`: raw images and what is made of them, for
              resolution, crop and filter to be judged. The pipeline is a function
              of one raw image `(height, width, channels)`, uint8, that returns
              the image as fed; or data that holds the files of the directory in
              order, as `image_dataset_from_directory(shuffle=False)` does.

            Without labels the accuracy is estimated, and the report says so.
        reference: What the accuracy should be like.
            - Labelled data, as `data`: another set, or another pipeline.
            - A profile, or its path, made with `profile((x, y), model=model)`.
            - A number, such as 0.76.
            - `"published"`: for a network of `keras.applications` with its
              ImageNet classes, the accuracy that is published.

            Defaults to `"published"` where that is known; else to the same data
            with all that can be taken away taken away.
        max_samples: Looks at so many samples at most, evenly spread.

    Returns:
        A `GapReport`; `print` it.

    Raises:
        BadInputError: for a model that is no classifier, data that does not fit
            it, or a reference that tells no accuracy.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(400) % 2
    >>> x = rng.normal(2.0 * y[:, None] - 1.0, 0.5, (400, 3)).astype("float32")
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    >>> model.layers[0].set_weights([np.ones((3, 1)), np.zeros(1)])
    >>> report = explain_gap(model, (x, y), reference=(x, y))
    >>> report.beyond_sampling, report.rows[-1].cause
    (False, 'unexplained')

    Reference: Shapley, "A value for n-person games", 1953; Cai et al.,
    "Diagnosing model performance under distribution shift", 2023.
    """
    if max_samples is not None and (not isinstance(max_samples, int) or max_samples < 1):
        raise BadInputError(
            f"`max_samples` must be a positive integer, or None. Received: {max_samples!r}"
        )
    subject = look_at(model)
    target = resolve_reference(reference, model, subject, max_samples)
    samples = read_samples(
        data,
        subject.num_classes,
        subject.native_size or target.size(subject.channels_first),
        subject.channels,
        subject.names,
        max_samples,
    )
    views = find_removable(model, samples, subject, target)
    calibration = calibrate(target) if samples.labels is None else None
    return _Account(model, subject, samples, views, target, calibration).report()


class _Account:
    """The gap of one model on one set of samples."""

    def __init__(
        self,
        model: keras.Model,
        subject: Subject,
        samples: Samples,
        views: Views,
        target: Reference,
        calibration: Calibration | None,
    ) -> None:
        self.model, self.subject, self.samples = model, subject, samples
        self.views, self.target, self.calibration = views, target, calibration
        self.shift, self.mix, notes = find_label_shift(samples.labels, target)
        self.notes = [*views.notes, *notes, *target.notes]
        self.resampling = Resampling(len(samples), samples.labels)

    def report(self) -> GapReport:
        causes = [*self.views.causes, *([self.shift] if self.shift else [])]
        progress = Progress(2 ** len(self.views.causes) + 2)
        said = self._ask_without_each(progress)
        scores = np.stack([self._score(each) for each in said])
        values = self._values(scores)
        full = self._target(scores, values)
        left = _minus(full, values[-1])
        remainder = Remainder(
            self.model,
            self.views,
            said[-1],
            self.resampling,
            self.mix,
            self.target,
            self.calibration,
            left,
            progress,
        )
        measured = float(values.point[0])
        rows = self._exact_rows(causes, values)
        for estimate in remainder.estimates():
            point = float(estimate.points.point)
            rows.append(
                GapRow(
                    estimate.cause,
                    point,
                    interval(estimate.points.draws),
                    measured + point,
                    "estimated",
                    estimate.detail,
                    estimate.repair,
                )
            )
            left = _minus(left, estimate.points)
        rows.sort(key=lambda row: -row.points)
        gap = float(full.point) - measured
        rest = gap - sum(row.points for row in rows)
        rows.append(GapRow(UNEXPLAINED, rest, interval(left.draws), measured + rest, "rest"))
        return GapReport(
            tuple(rows),
            measured,
            float(full.point),
            self._interval(scores[0], said[0], full, values),
            self.target.name,
            len(self.samples),
            self.samples.labels is None,
            tuple(self._said_besides(said[0])),
        )

    def _ask_without_each(self, progress: Progress) -> list[Said]:
        """What the model says with each set of causes taken away; a bit for each cause."""
        causes = [cause.cause for cause in self.views.causes]
        sets = [
            frozenset(c for i, c in enumerate(causes) if index >> i & 1)
            for index in range(2 ** len(causes))
        ]
        return [ask(self.model, self.views.packed(removed)) for removed in progress.each(sets)]

    def _score(self, said: Said) -> np.ndarray:
        if self.samples.labels is not None:
            return said.right(self.samples.labels)
        assert self.calibration is not None
        return self.calibration.scores(said)

    def _values(self, scores: np.ndarray) -> Accuracies:
        """The accuracy with each set of causes taken away; label shift is the last bit."""
        plain = self.resampling.accuracies(scores)
        if self.mix is None:
            return plain
        weighed = self.resampling.accuracies(scores, self.mix)
        return Accuracies(
            np.concatenate([plain.point, weighed.point]),
            np.concatenate([plain.draws, weighed.draws]),
        )

    def _exact_rows(self, causes: list[Removable], values: Accuracies) -> list[GapRow]:
        shares, draws = shapley_shares(values.point), shapley_shares(values.draws)
        return [
            GapRow(
                cause.cause,
                float(shares[i]),
                interval(draws[i]),
                float(values.point[1 << i]),
                "removed",
                cause.detail,
                cause.repair,
            )
            for i, cause in enumerate(causes)
        ]

    @property
    def _paired(self) -> bool:
        """Whether the reference holds the same samples in another form."""
        labels = self.samples.labels
        return labels is not None and self.target.holds(labels)

    def _target(self, scores: np.ndarray, values: Accuracies) -> Accuracies:
        """The accuracy of the reference, with its own draws."""
        target = self.target
        if target.accuracy is None:
            return values[-1]
        draws = np.full(self.resampling.num_draws, target.accuracy)
        if self._paired and target.said is not None and self.samples.labels is not None:
            return self.resampling.accuracies(target.said.right(self.samples.labels)[None])[0]
        if target.num_samples:
            rng = np.random.default_rng(SEED)
            draws = rng.binomial(target.num_samples, target.accuracy, len(draws))
            draws = draws / target.num_samples
        return Accuracies(np.asarray(target.accuracy), draws)

    def _interval(
        self, scores: np.ndarray, said: Said, full: Accuracies, values: Accuracies
    ) -> tuple[float, float]:
        """What sampling alone could make of the gap."""
        target = self.target
        if self.calibration is not None or target.accuracy is None:
            low, high = interval(full.draws - values.draws[0])
            doubt = 0.0 if self.calibration is None else self.calibration.doubt(said)
            reference = float(full.point)
            return max(low - doubt, reference - 1), min(high + doubt, reference)
        if self._paired and target.said is not None and self.samples.labels is not None:
            return paired_difference(target.said.right(self.samples.labels), scores)
        number = target.num_samples
        return difference(target.accuracy, number, float(scores.mean()), len(scores))

    def _said_besides(self, said: Said) -> list[str]:
        notes = list(self.notes)
        if self.calibration is not None:
            notes.insert(0, self.calibration.note)
        if self.samples.total > len(self.samples):
            notes.append(f"{len(self.samples):,} of {self.samples.total:,} samples were looked at.")
        if self.target.top5 is not None and self.samples.labels is not None:
            ours = said.top5(self.samples.labels)
            notes.append(
                f"Top-5 accuracy {100 * ours:.1f} % against {100 * self.target.top5:.1f} %."
            )
        return notes


def _minus(first: Accuracies, second: Accuracies) -> Accuracies:
    return Accuracies(first.point - second.point, first.draws - second.draws)

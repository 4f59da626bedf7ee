"""`JudgedSamples`: the kept samples of an epoch with their labels, and a judge of the predictions.

All experiments of an epoch share them, so the model runs only once on samples as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_shiftguard.callback.spending import Spending
from keras_shiftguard.detection.cost import MIN_SAMPLES
from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.experiments.difference import ACCURACY, MIN_FAILED
from keras_shiftguard.experiments.judge import Judge, Loss
from keras_shiftguard.experiments.labelled import Labelled, Predict, labelled, remembering
from keras_shiftguard.instrument.compiled_metric import MetricOf, compiled_metric
from keras_shiftguard.instrument.inference import InferenceCall, class_probabilities, sample_losses
from keras_shiftguard.instrument.model_outputs import is_classifier
from keras_shiftguard.instrument.sample_losses import SampleLosses
from keras_shiftguard.profiles import LabelSummary
from keras_shiftguard.statistics.rows import Rows
from keras_shiftguard.statistics.stream import Stream

# With a smaller p-value, the kept samples count as having another class mix than their stream. A
# convention.
MIN_P_OF_MIX = 1e-3
# If a class has a larger share of validation, accuracy hardly moves whatever happens, so the
# compiled loss is judged. A convention.
MAX_COMMONEST = 0.95
# Training is the control group: with so many times as many samples as validation has, a difference
# is nearly as exact as with all of training (its standard error is at most 1.23 times as large),
# and fewer predictions take less time. Given by arithmetic.
TIMES_OF_TRAINING = 2


@dataclass(frozen=True)
class Judged:
    """Labelled samples of both streams, and how predictions for them are judged.

    Args:
        current: Samples of validation.
        training: Samples of training; None if there are none.
        predict: From samples to what the judge takes, with the weights of the epoch.
        judge: `Accuracy` for class ids, unless nearly all are of one class; else the compiled loss.
        are_classes: Whether labels are class ids, so that `predict` returns class probabilities.
        beside: Name and function of the first compiled metric; None without one.
    """

    current: Labelled
    training: Labelled | None
    predict: Predict
    judge: Judge
    are_classes: bool
    beside: tuple[str, MetricOf] | None = None

    @property
    def worths(self) -> tuple[np.ndarray, np.ndarray]:
        """What the judge says of each sample of validation, and of training; empty without any."""
        here, there = (
            np.zeros(0)
            if samples is None or not len(samples.labels)
            else self.judge.worth(self.predict(samples.images), samples.labels)
            for samples in (self.current, self.training)
        )
        return here, there

    def time(self) -> None:
        """Predicts a few samples, so that the time of a prediction is known; one, to compile."""
        for number in (1, MIN_SAMPLES):
            few = self.current.first(number)
            self.judge.worth(self.predict(few.images), few.labels)

    @property
    def fails(self) -> bool:
        """Whether the model is right less than half as often as on training, or has twice the loss.

        False if there are no samples of one of the two.
        """
        here, there = self.worths
        if not min(len(here), len(there)):
            return False
        gap, whole = there.mean() - here.mean(), (there if self.are_classes else here).mean()
        return bool(gap > MIN_FAILED * abs(whole))


class JudgedSamples:
    """Gives the kept samples of an epoch, with a judge."""

    def __init__(self, model: keras.Model, spending: Spending, sync: Callable[[], None]) -> None:
        self._model, self._spending, self._sync = model, spending, sync
        self._call = InferenceCall(model)
        self._known: dict[bool, Judged | None] = {}  # of the present epoch, see `of`
        self._has_no_judge = False  # whether no loss of single samples is known

    def forget(self) -> None:
        """Forgets the samples of an epoch, which its functions would keep alive in a circle."""
        self._known.clear()

    def of(self, streams: Mapping[str, Stream], labels: LabelSummary, apart: bool) -> Judged | None:
        """Returns the samples of the present epoch; None if there is no judge, or none yet.

        If the streams are corrected in different ways (`apart`), the correction of each stream is
        applied to its samples.
        """
        if apart not in self._known:
            self._known[apart] = self._made(streams, labels, apart)
        return self._known[apart]

    def _made(
        self, streams: Mapping[str, Stream], labels: LabelSummary, apart: bool
    ) -> Judged | None:
        inputs = getattr(self._model, "inputs", None)
        if inputs is not None and len(inputs) != len(streams["validation"].sketches):
            return None  # some input is not measured, such as a column of text
        are_classes = labels.are_classes and self._is_classifier()
        if are_classes and labels.counts.max() > MAX_COMMONEST * labels.counts.sum():
            # Unless labels are one-hot, which are not kept as they were fed.
            are_classes = labelled(streams["validation"], are_classes=False) is None
        current, training = (
            labelled(streams[name], corrected=apart, are_classes=are_classes)
            for name in ("validation", "train")
        )
        if current is None:
            return None
        if are_classes and not represents(current.labels, labels):
            return None  # only the first samples of a sorted pass were kept so far
        if training is not None:
            training = training.first(TIMES_OF_TRAINING * len(current.labels))
        self._sync()
        known = [each for each in (current, training) if each is not None]
        stream = streams["validation"]
        if are_classes:
            predict = self._predict(stream, apart, known)
            return Judged(current, training, predict, ACCURACY, True, self._beside(stream, apart))
        judge = self._loss(stream, apart, known)
        if judge is None:
            return None
        # A loss judges the samples themselves, on which it runs the model batch by batch.
        beside = self._beside(stream, apart)
        return Judged(current, training, lambda x: x, judge, False, beside)

    def _beside(self, stream: Stream, apart: bool) -> tuple[str, MetricOf] | None:
        """Returns name and function of the first compiled metric; None without one."""
        metric = compiled_metric(self._model)
        if metric is None:
            return None

        def of(x: Any, labels: Any) -> float:
            rows = labels if isinstance(labels, Rows) else Rows(labels)
            with self._spending.running(len(rows)):
                return metric(self._call, _fed(stream, x, apart), rows)

        return metric.name, of

    def _predict(self, stream: Stream, apart: bool, known: Sequence[Labelled]) -> Predict:
        """Returns a function from samples to class probabilities, with the present weights."""
        name = next(iter(stream.sketches))

        def predict(x: Any) -> np.ndarray:
            fed = x if apart else Rows(_corrected(stream, x))
            with self._spending.running(len(x)):
                return class_probabilities(self._call, name, (fed,))

        return remembering(predict, [each.images for each in known])

    def _loss(self, stream: Stream, apart: bool, known: Sequence[Labelled]) -> Loss | None:
        """Returns the judge of a model that predicts no classes; None if its loss cannot judge."""
        if self._has_no_judge:
            return None
        try:
            losses = SampleLosses(self._model)

            def of_samples(x: Any, labels: Rows) -> np.ndarray:
                with self._spending.running(len(labels)):
                    inputs = _fed(stream, x, apart)
                    return sample_losses(self._call, losses, inputs, labels)

            few = known[0].first(MIN_SAMPLES)
            scale = float(np.nanmean(np.abs(of_samples(few.images, few.labels))))
        except Exception:  # the user's own loss or `call` may raise anything
            self._has_no_judge = True
            return None
        return Loss(remembering(of_samples, [each.images for each in known]), losses.name, scale)

    def _is_classifier(self) -> bool:
        if len(getattr(self._model, "outputs", None) or [0]) != 1:
            return False
        try:
            return is_classifier(self._model)
        except BadInputError:  # the shape of the outputs is unknown, or not (samples, classes)
            return False


def represents(ids: np.ndarray, labels: LabelSummary) -> bool:
    """Whether samples with these class ids have the class mix of the whole stream."""
    if not labels.are_classes:
        return True
    counts = np.bincount(ids % len(labels.counts), minlength=len(labels.counts))
    return compare_frequencies(counts, labels.counts).p_value > MIN_P_OF_MIX


def _fed(stream: Stream, x: Any, apart: bool) -> dict[str, Any]:
    """Returns samples by name of the input, corrected unless they are already."""
    if not apart:
        return _corrected(stream, x)
    return dict(x.tree) if isinstance(x, Rows) else {next(iter(stream.sketches)): x}


def _corrected(stream: Stream, x: Any) -> dict[str, Any]:
    """Returns samples by name of the input, with the corrections of the stream."""
    inputs = x.tree if isinstance(x, Rows) else {next(iter(stream.sketches)): x}
    return {name: stream.corrected(name, values) for name, values in inputs.items()}

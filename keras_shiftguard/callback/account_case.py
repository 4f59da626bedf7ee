"""`CaseMaker`: the kept samples of an epoch as the case of an account, with their predictions."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from keras_shiftguard.account.labelled import Labelled, labelled
from keras_shiftguard.account.likelihoods import (
    Classes,
    Likelihood,
    Losses,
    Numbers,
    SeveralLabels,
)
from keras_shiftguard.account.samples import Case, Half, Predict
from keras_shiftguard.callback.case_labels import as_judged, is_rare, represents
from keras_shiftguard.callback.spending import Spending
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.batch_norm_anew import Values, batch_norm_anew, learning_norms
from keras_shiftguard.instrument.inference import (
    InferenceCall,
    class_probabilities,
    output_batches,
    sample_losses,
)
from keras_shiftguard.instrument.model_outputs import is_classifier
from keras_shiftguard.instrument.sample_losses import SampleLosses
from keras_shiftguard.profiles import InputProfile, LabelSummary
from keras_shiftguard.statistics.rows import Rows
from keras_shiftguard.statistics.stream import Stream

# Samples of validation (half of them choose, half count), and of training. A convention: a healthy
# fit pays for these predictions.
MOST_HERE, MOST_THERE = 800, 400


class CaseMaker:
    """Makes the case of an epoch, and predicts with the present weights or with earlier ones."""

    def __init__(self, model: keras.Model, spending: Spending, sync: Callable[[], None]) -> None:
        self._model, self._spending, self._sync = model, spending, sync
        self._call = InferenceCall(model)
        self._stream: Stream | None = None
        self._there: Labelled | None = None
        self._apart = False

    def case(
        self,
        streams: Mapping[str, Stream],
        profiles: Mapping[str, InputProfile],
        differ: frozenset[str],
        tolerance: float,
        may_be_augmented: bool,
        apart: bool,
        is_last: bool,
    ) -> Case | None:
        """Returns the case; None if there are no labels, or nothing that judges a single sample.

        Args:
            streams: The streams with their kept samples, by name.
            profiles: Their profiles.
            differ: Names of the inputs whose difference is sure.
            tolerance: What a cause may cost before it counts.
            may_be_augmented: Whether training may be augmented.
            apart: Whether the streams are corrected in different ways; the correction of each is
                then applied to its samples, and else before the model runs.
            is_last: Whether no later epoch will look again.
        """
        inputs = getattr(self._model, "inputs", None)
        if inputs is not None and len(inputs) != len(streams["validation"].sketches):
            return None  # some input is not measured, such as a column of text
        labels = profiles["validation"].labels
        are_classes = labels.are_classes and self._is_classifier()
        if are_classes and is_rare(labels) and is_rare(profiles["train"].labels):
            # Unless labels are one-hot, which are not kept as they were fed.
            are_classes = labelled(streams["validation"], are_classes=False) is None
        here, there = (
            labelled(streams[name], corrected=apart, are_classes=are_classes)
            for name in ("validation", "train")
        )
        if here is None or not len(here.labels):
            return None
        if are_classes and not represents(here.labels, labels):
            return None  # only the first samples of a sorted pass were kept so far
        self._sync()
        here = here.first(MOST_HERE)
        there = None if there is None else there.first(MOST_THERE)
        if there is not None and not len(there.labels):
            there = None
        stream = streams["validation"]
        predict = self._predict(self._call, stream, apart, are_classes)
        likelihood = self._likelihood(are_classes, here, stream, apart, profiles["train"].labels)
        if likelihood is None:
            return None
        if isinstance(likelihood, Losses):
            predict = self._losses(self._call, stream, apart)
        halves = [
            None if each is None else Half(predict, each.images, as_judged(likelihood, each.labels))
            for each in (here, there)
        ]
        assert halves[0] is not None
        of_here = halves[0].outputs
        if not np.isfinite(of_here).all():
            return None
        specs = [kept.spec for kept in stream.kept_together().values()]
        fails = self._fails(likelihood, halves)
        case = Case(
            likelihood,
            _known(halves[0]),
            None if halves[1] is None else _known(halves[1]),
            specs,
            self._fresh(stream, apart, are_classes, there),
            profiles["validation"].distinct_share,
            tolerance,
            None if fails or any(s.layout == "features" for s in specs) else differ,
            may_be_augmented,
            (),
            self._spending.predictions_left(is_last),
            is_of_fit=True,
        )
        self._stream, self._apart, self._there = stream, apart, there
        return case

    def forget(self) -> None:
        """Forgets the samples of the latest case."""
        self._stream = self._there = None

    def with_values(self, values: Values, anew: bool, likelihood: Likelihood) -> Predict | None:
        """Returns `Predict` with earlier values of the variables, for the latest case."""
        if self._stream is None:
            return None
        name = next(iter(self._stream.sketches))
        if anew:
            if self._there is None:
                return None
            fresh = batch_norm_anew(self._model, name, self._there.images, values)
            values = [*values, *(fresh or ())]
        call = InferenceCall(self._model, values)
        if isinstance(likelihood, Losses):
            return self._losses(call, self._stream, self._apart)
        return self._predict(call, self._stream, self._apart, isinstance(likelihood, Classes))

    def _fails(self, likelihood: Likelihood, halves: list[Half | None]) -> bool:
        """Whether it is right less than half as often as on training, or has twice the loss."""
        if halves[0] is None or halves[1] is None:
            return True
        here, there = (likelihood.worth(h.outputs, h.y).mean() for h in halves if h is not None)
        if isinstance(likelihood, Classes | SeveralLabels):
            return bool(here < there / 2)
        return bool(here < 2 * there)

    def _likelihood(
        self,
        are_classes: bool,
        here: Labelled,
        stream: Stream,
        apart: bool,
        training: LabelSummary,
    ) -> Likelihood | None:
        if are_classes:
            counts = training.counts if training.are_classes and not training.are_mixed else None
            return Classes(counts)
        try:
            losses = SampleLosses(self._model)
            predict = self._losses(self._call, stream, apart)
            few = here.first(100)
            unit = float(np.mean(np.abs(predict(few.images, few.labels)))) or 1.0
            outputs = self._outputs(self._call, stream, apart, few.images)
        except Exception:  # the user's own loss or `call` may raise anything
            return None
        y = keras.tree.flatten(here.labels.tree)
        if (
            outputs is not None
            and len(y) == 1
            and outputs.ndim <= 2
            and outputs.reshape(len(outputs), -1).shape[1] == np.prod(y[0].shape[1:] or (1,))
        ):
            number = outputs.reshape(len(outputs), -1).shape[1]
            are_flags = (
                np.isin(y[0], (0, 1)).all() and (outputs >= 0).all() and (outputs <= 1).all()
            )
            if number > 1 and "binary" in losses.name and are_flags:
                return SeveralLabels()
            if "binary" not in losses.name and "categorical" not in losses.name:

                def loss(p: np.ndarray, target: np.ndarray) -> np.ndarray:
                    return np.asarray(
                        losses(
                            keras.ops.convert_to_tensor(p.astype("float32")),
                            Rows(target.astype("float32")),
                        )
                    )

                return Numbers(loss, losses.name, self._unit(here, predict, unit))
        return Losses(losses.name, self._unit(here, predict, unit))

    def _unit(self, here: Labelled, predict: Predict, usual: float) -> float:
        """Returns the mean loss on validation, which counts as 1."""
        found = float(np.mean(predict(here.images, here.labels)))
        return found if np.isfinite(found) and found > 0 else usual

    def _fresh(
        self, stream: Stream, apart: bool, are_classes: bool, there: Labelled | None
    ) -> Callable[[], Predict | None] | None:
        if there is None or len(there.labels) < 2:
            return None
        name = next(iter(stream.sketches))

        def fresh() -> Predict | None:
            fed = Rows(_fed(stream, there.images, apart))
            values = batch_norm_anew(self._model, name, fed)
            if not values:
                return None
            call = InferenceCall(self._model, values)
            if are_classes:
                return self._predict(call, stream, apart, True)
            return None

        return fresh if are_classes and learning_norms(self._model) else None

    def _predict(
        self, call: InferenceCall, stream: Stream, apart: bool, are_classes: bool
    ) -> Predict:
        name = next(iter(stream.sketches))

        def predict(x: Any, y: Any = None) -> np.ndarray:
            with self._spending.running(len(x)):
                if are_classes:
                    fed = x if apart else Rows(_corrected(stream, x))
                    return class_probabilities(call, name, (fed,))
                found = self._outputs(call, stream, apart, x)
                assert found is not None
                return np.asarray(found, "float64").reshape(len(found), -1)

        return predict

    def _outputs(
        self, call: InferenceCall, stream: Stream, apart: bool, x: Any
    ) -> np.ndarray | None:
        """Returns the only output for each sample; None if there are several."""
        rows = Rows(np.zeros(len(x)))
        found = []
        for outputs, _, number in output_batches(call, _fed(stream, x, apart), rows):
            if len(keras.tree.flatten(outputs)) != 1:
                return None
            found.append(keras.ops.convert_to_numpy(keras.tree.flatten(outputs)[0])[:number])
        return np.concatenate(found)

    def _losses(self, call: InferenceCall, stream: Stream, apart: bool) -> Predict:
        losses = SampleLosses(self._model)

        def predict(x: Any, y: Any) -> np.ndarray:
            with self._spending.running(len(y)):
                return sample_losses(call, losses, _fed(stream, x, apart), y)

        return predict

    def _is_classifier(self) -> bool:
        if len(getattr(self._model, "outputs", None) or [0]) != 1:
            return False
        try:
            return is_classifier(self._model)
        except BadInputError:  # the shape of the outputs is unknown, or not (samples, classes)
            return False


def _known(half: Half) -> Half:
    return Half(half.predict, half.x, half.y, half.outputs)


def _fed(stream: Stream, x: Any, apart: bool) -> dict[str, Any]:
    """Returns samples by name of the input, corrected unless they are already."""
    if not apart:
        return _corrected(stream, x)
    return dict(x.tree) if isinstance(x, Rows) else {next(iter(stream.sketches)): x}


def _corrected(stream: Stream, x: Any) -> dict[str, Any]:
    """Returns samples by name of the input, with the corrections of the stream."""
    inputs = x.tree if isinstance(x, Rows) else {next(iter(stream.sketches)): x}
    return {name: stream.corrected(name, values) for name, values in inputs.items()}

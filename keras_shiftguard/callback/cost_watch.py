"""`CostWatch`: measures during a fit what the shifts of validation cost."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import keras
import numpy as np

from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.detection.causes import pipeline_change
from keras_shiftguard.detection.causes.explanation import Explanation
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.sentences import stream_name
from keras_shiftguard.errors import warn
from keras_shiftguard.explain.shift_cost import (
    Labelled,
    Predict,
    ShiftCost,
    cost_of_mix,
    cost_of_step,
    mirrored,
)
from keras_shiftguard.instrument.inference import predicted_classes
from keras_shiftguard.instrument.model_outputs import is_classifier
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.stream import Stream

# JAX would compile the operations for minutes; there only the accuracies are compared.
FIRST_EPOCHS = 4  # epochs with a difference after which its cost is always measured anew
SEARCHES = keras.backend.backend() != "jax"


class CostWatch:
    """Measures the cost of the findings on validation with the present weights.

    It runs the model on some hundred images, after an epoch that found a difference, and while
    there is one after the next three, then after 4, 8, 16, ... more, and after the last: a model
    that learns more has more to lose.

    Args:
        model: The model that is trained.
        shift: The comparisons of the streams, whose findings get their cost.
        sync: Function that copies the present weights to the model's variables.
    """

    def __init__(self, model: keras.Model, shift: ShiftWatch, sync: Callable[[], None]) -> None:
        self._model, self._shift, self._sync = model, shift, sync
        # The features with a cost and the epoch in which they were found, by the other stream.
        self._priced: dict[str, tuple[frozenset[str], int]] = {}
        self._measured: dict[str, ShiftCost] = {}  # by the other stream
        self._mirrored: dict[tuple[str, str], str] = {}  # how, by the other stream and the feature
        self._has_failed = False

    def update(self, streams: Mapping[str, Stream], epoch: int, is_last: bool = False) -> None:
        """Measures what is due after an epoch.

        Args:
            streams: The streams with their kept samples.
            epoch: The epoch, counted from 1.
            is_last: Whether it is the last one of the fit.
        """
        if self._shift.tolerance is None or self._has_failed:
            return
        try:
            for pair in self._shift.pairs:
                if pair.stream == "validation" and pair.findings:
                    self._update(pair, streams, epoch, is_last)
        except Exception as error:  # the user's own `call` may raise anything
            self._has_failed = True
            warn(f"ShiftGuard could not measure what shifts cost ({error!r}).")

    def _update(self, pair: Pair, streams: Mapping[str, Stream], epoch: int, is_last: bool) -> None:
        for feature in pair.findings:
            self._rename(pair.against, pair.findings[feature])
        features = frozenset(pair.findings)
        priced, since = self._priced.get(pair.against, (None, epoch))
        is_new = priced != features
        age = epoch - since
        is_due = is_last or age < FIRST_EPOCHS or not age & (age - 1)
        if not (is_new or is_due or self._shift.is_too_early):
            return
        current = _labelled(streams["validation"])
        if current is None or not self._can_run():
            return
        self._sync()
        self._priced[pair.against] = features, epoch if is_new else since
        name, images = next(iter(streams["validation"].kept_samples)), current.images

        def predict(chunks: list[np.ndarray]) -> np.ndarray:
            stream = streams["validation"]
            return predicted_classes(self._model, name, (stream.corrected(name, x) for x in chunks))

        findings = pair.findings.values()
        covariate = [
            f.feature for f in findings if f.kind == "covariate" and f.feature.split("/")[0] == name
        ]
        concept = [
            f.feature
            for f in findings
            if f.family == "concept" or (pair.against, f.feature) in self._mirrored
        ]
        costs: dict[str, Cost | None] = {}
        if covariate or concept:
            known = self._measured.get(pair.against)
            if is_new or known is None:
                reference = _labelled(streams["train"]) if pair.against == "train" else None
                cost = ShiftCost(current, reference, *_moves(pair, name)).after(known)
            else:
                cost = known.on(current)
            self._measured[pair.against] = cost
            visits = self._shift.is_first_visit, self._shift.is_unaugmented
            details = bool(covariate) and SEARCHES
            found = cost.measure(predict, *visits, details=details)
            self._shift.is_too_early = cost.is_too_early
            costs |= dict.fromkeys(covariate, found) | dict.fromkeys(concept, cost.by_accuracy)
            if concept or found is None or (found.is_rough and found.value > 0):
                costs |= self._mirroring(pair, [*concept, *covariate], predict, current)
        step = _step(pair, name) if name in pair.findings else None
        if step is not None:
            first = pair.current.inputs[name].layout == "channels_first"
            costs[name] = cost_of_step(predict, current, step, first)
        if "labels" in pair.findings:
            counts = pair.reference.labels.counts, pair.current.labels.counts
            right = predict([images]) == current.labels
            costs["labels"] = cost_of_mix(right, current.labels, *counts)
        self._shift.price(pair.stream, pair.against, costs)

    def _mirroring(
        self, pair: Pair, features: list[str], predict: Predict, current: Labelled
    ) -> dict[str, Cost | None]:
        """Returns what mirroring costs, for each of some findings; none if nothing is mirrored.

        The first of them then says so, in place of "classes look different".
        """
        found = mirrored(predict, current)
        if found is None:
            return {}
        how, cost = found
        first = max(features, key=lambda name: abs(pair.findings[name].effect_size))
        self._mirrored[pair.against, first] = how
        self._rename(pair.against, pair.findings[first])
        return dict.fromkeys(features, cost)

    def _rename(self, against: str, finding: Finding) -> None:
        """Says that images are mirrored, if they are."""
        how = self._mirrored.get((against, finding.feature))
        if how is not None:
            text = f"{stream_name(finding.stream).capitalize()} images are {how}"
            text += f", and those of {stream_name(against)} are not"
            named = replace(finding, kind="covariate", family="geometry", explanation=text)
            self._shift.replace(named)

    def _can_run(self) -> bool:
        inputs = getattr(self._model, "inputs", None)
        return is_classifier(self._model) and (inputs is None or len(inputs) == 1)


def _labelled(stream: Stream) -> Labelled | None:
    """Returns the kept images of the only input of a stream, with labels; None without them."""
    if len(stream.sketches) != 1 or len(stream.kept_samples) != 1:
        return None
    samples, labels = stream.samples()
    images = next(iter(samples.values()))
    return None if labels is None or not len(labels) else Labelled(images, labels)


def _step(pair: Pair, name: str) -> Explanation | None:
    """Returns the preprocessing step that explains a finding on the input; None without one."""
    if pair.findings[name].kind != "preprocessing":
        return None
    return pipeline_change.explain(pair.reference.inputs[name], pair.current.inputs[name])


def _moves(pair: Pair, name: str) -> tuple[dict[str, float], dict[str, float]]:
    """Returns how far each image attribute moved, and its standard deviation, by name."""
    now, before = (_table(profile, name) for profile in (pair.current, pair.reference))
    moved = {key: before[key][0] - now[key][0] for key in now.keys() & before.keys()}
    return moved, {key: now[key][1] for key in moved}


def _table(profile: InputProfile, name: str) -> dict[str, tuple[float, float]]:
    features = profile.inputs[name].features
    moments = features.moments
    return {
        key: (float(moments.mean[i]), float(moments.std[i]))
        for i, key in enumerate(features.names)
        if moments.count[i] >= 2
    }

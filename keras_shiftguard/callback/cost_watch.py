"""`CostWatch`: a measurement during a fit of the accuracy that shifts of validation cost."""

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

FIRST_EPOCHS = 4  # the cost of new findings is measured after each of so many epochs
# Whether an operation that explains the difference is searched for. JAX would compile the
# operations for minutes, so there only the accuracies are compared.
SEARCHES = keras.backend.backend() != "jax"


class CostWatch:
    """Measures the cost of the findings on validation, in accuracy, with the present weights.

    It runs the model on some hundred images. It measures after the epoch of a new finding, then
    1, 2, 3, 4, 8, 16, ... epochs later, and after the last epoch, because the cost can rise while
    the model learns. While the model has learnt too little to lose accuracy, it measures after
    every epoch.

    Args:
        model: The model that is trained.
        shift: The comparisons of the streams. Their findings get the costs.
        sync: Function that copies the present weights to the model's variables.
    """

    def __init__(self, model: keras.Model, shift: ShiftWatch, sync: Callable[[], None]) -> None:
        self._model, self._shift, self._sync = model, shift, sync
        # By the other stream: the features with a cost, and the epoch of their first measurement.
        self._priced: dict[str, tuple[frozenset[str], int]] = {}
        self._measured: dict[str, ShiftCost] = {}  # by the other stream
        # By the other stream and the feature: how images are mirrored, e.g. "upside down".
        self._mirrored: dict[tuple[str, str], str] = {}
        self._has_failed = False

    def update(self, streams: Mapping[str, Stream], epoch: int, is_last: bool = False) -> None:
        """Measures the costs that are due after an epoch.

        Args:
            streams: The streams with their kept samples.
            epoch: The epoch, counted from 1.
            is_last: Whether it is the last epoch of the fit.
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
        """Returns the cost of mirrored images for each of `features`; empty if none are mirrored.

        The finding with the largest effect then names the mirroring as its explanation.
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
        """Explains a finding by mirrored images, if `_mirrored` has an entry for it."""
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
    """Returns the kept, labelled images of a stream; None without labels or for several inputs."""
    if len(stream.sketches) != 1 or len(stream.kept_samples) != 1:
        return None
    samples, labels = stream.samples()
    images = next(iter(samples.values()))
    return None if labels is None or not len(labels) else Labelled(images, labels)


def _step(pair: Pair, name: str) -> Explanation | None:
    """Returns the preprocessing step that explains the finding on an input; None without one."""
    if pair.findings[name].kind != "preprocessing":
        return None
    return pipeline_change.explain(pair.reference.inputs[name], pair.current.inputs[name])


def _moves(pair: Pair, name: str) -> tuple[dict[str, float], dict[str, float]]:
    """Returns the reference mean minus the current mean, and the current deviation, by name."""
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

"""`CostWatch`: measures, during a fit, how much accuracy is lost by shifts of validation."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.detection.causes import pipeline_change
from keras_shiftguard.detection.causes.explanation import Explanation
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import Finding, source_of
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.sentences import stream_name
from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies
from keras_shiftguard.errors import warn
from keras_shiftguard.explain.shift_cost import (
    Labelled,
    ShiftCost,
    cost_of_mix,
    cost_of_step,
    mirrored,
)
from keras_shiftguard.instrument.inference import predicted_classes
from keras_shiftguard.instrument.model_outputs import is_classifier
from keras_shiftguard.instrument.undisturbed import undisturbed
from keras_shiftguard.profiles import InputProfile, LabelSummary
from keras_shiftguard.statistics.stream import Stream

# With a smaller p-value, the kept samples count as having another class mix than their stream.
MIN_P_OF_MIX = 1e-3
FIRST_EPOCHS = 4  # the cost of new findings is measured after each of this many epochs
# Whether to search for an operation that explains the difference. JAX would compile the operations
# for minutes, so on JAX only the accuracies are compared.
SEARCHES = keras.backend.backend() != "jax"


class CostWatch:
    """Measures the cost of the findings on validation, in accuracy, with the present weights.

    A measurement runs the model on the validation samples that the guard keeps, at most 1024.
    Measurements are made after the epoch of a new finding, then 1, 2, 3, 4, 8, 16, ... epochs
    later, and after the last epoch, because the cost can rise while the model learns. As long as
    the model has learned too little to lose accuracy, the cost is measured after every epoch.

    Args:
        model: The model that is trained.
        shift: The comparisons of the streams. Their findings get the costs.
        sync: Function that copies the present weights to the model's variables.

    Attributes:
        was_trained: Whether the model was trained before this fit. The model may then have
            memorized the training images before the first epoch.
    """

    def __init__(self, model: keras.Model, shift: ShiftWatch, sync: Callable[[], None]) -> None:
        self._model, self._shift, self._sync = model, shift, sync
        # By the stream that validation is compared with: the features with a cost, and the epoch of
        # their first measurement.
        self._priced: dict[str, tuple[frozenset[str], int]] = {}
        # The latest measurement, by the stream that validation is compared with ("other stream").
        self._measured: dict[str, ShiftCost] = {}
        # By the other stream and the feature: how images are mirrored, e.g. "upside down".
        self._mirrored: dict[tuple[str, str], str] = {}
        # `ShiftCost.by_accuracy` of an interrupted fit, by the other stream.
        self._rough: dict[str, Cost | None] = {}
        self.was_trained = _num_steps(model) > 0
        self._has_failed = False

    def update(self, streams: Mapping[str, Stream], epoch: int, is_last: bool = False) -> None:
        """Measures the costs that are due after an epoch.

        Args:
            streams: The streams with their kept samples.
            epoch: The epoch, counted from 1.
            is_last: Whether `epoch` is the last epoch of the fit.
        """
        if self._shift.tolerance is None or self._has_failed:
            return
        try:
            for pair in self._shift.pairs:
                if pair.stream == "validation" and pair.findings:
                    with undisturbed(self._model):
                        self._update(pair, streams, epoch, is_last)
        except Exception as error:  # the user's own `call` may raise anything
            self._has_failed = True
            warn(f"ShiftGuard could not measure what shifts cost ({error!r}).")

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        rough = self._rough | {key: cost.by_accuracy for key, cost in self._measured.items()}
        return {
            "priced": [[key, sorted(names), since] for key, (names, since) in self._priced.items()],
            "rough": {
                key: None if cost is None else [cost.value, *cost.interval, cost.num_samples]
                for key, cost in rough.items()
            },
            "mirrored": [[*key, how] for key, how in self._mirrored.items()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state that `state()` returned."""
        self._priced = {key: (frozenset(names), int(n)) for key, names, n in state["priced"]}
        self._mirrored = {(str(a), str(b)): str(how) for a, b, how in state["mirrored"]}
        self._rough = {
            key: None if c is None else Cost(c[0], (c[1], c[2]), int(c[3]), is_rough=True)
            for key, c in state["rough"].items()
        }

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
        # If the streams are corrected in different ways, the correction of each stream is applied
        # to its images before the measurement. The difference of the corrected images is not known.
        # So no operation that explains it is searched, and no preprocessing step is undone.
        apart = _correction(streams["train"]) != _correction(streams["validation"])
        current = _labelled(streams["validation"], corrected=apart)
        if current is None or not self._can_run():
            return
        if not _represents(current.labels, pair.current.labels):
            return  # only the first samples of a sorted pass were kept so far
        self._sync()
        self._priced[pair.against] = features, epoch if is_new else since
        ((name, kept),) = streams["validation"].buffers.items()
        source = source_of(name)
        first, images = kept.spec.layout == "channels_first", current.images
        is_image = kept.spec.layout != "features"

        def predict(chunks: list[np.ndarray]) -> np.ndarray:
            stream = streams["validation"]
            fed = chunks if apart else (stream.corrected(name, x) for x in chunks)
            return predicted_classes(self._model, name, fed)

        findings = pair.findings.values()
        covariate = [
            f.feature
            for f in findings
            if f.kind == "covariate" and f"{f.feature}/".startswith(f"{source}/")
        ]
        concept = [
            f.feature
            for f in findings
            if f.family == "concept" or (pair.against, f.feature) in self._mirrored
        ]
        share = min(pair.current.distinct_share, pair.reference.distinct_share)
        costs: dict[str, Cost | None] = {}
        if covariate or concept:
            known = self._measured.get(pair.against)
            if is_new or known is None:
                reference = None
                if pair.against == "train":
                    reference = _labelled(streams["train"], corrected=apart)
                cost = ShiftCost(current, reference, *_moves(pair, name))
                if pair.against in self._rough:  # measured before the fit was interrupted
                    cost.by_accuracy = self._rough[pair.against]
                    cost.is_too_early = self._shift.is_too_early
                cost = cost.after(known)
            else:
                cost = known.on(current)
            self._measured[pair.against] = cost
            details = bool(covariate) and is_image and SEARCHES and not apart
            found = cost.measure(
                predict,
                self._shift.is_first_visit,
                self._shift.is_unaugmented,
                details,
                # A fit that resumes an earlier one without its state begins at a later epoch.
                self.was_trained or (self._shift.is_first_visit and epoch > 1),
            )
            self._shift.is_too_early = cost.is_too_early
            costs |= dict.fromkeys(covariate, found) | dict.fromkeys(concept, cost.by_accuracy)
            is_rough = found is None or (found.is_rough and found.value > 0)
            if is_image and (concept or is_rough) and not cost.is_too_early:
                found_mirrored = mirrored(predict, current, cost.reference, first)
                if found_mirrored and _explains(found_mirrored[1].of_dependent(share), cost):
                    costs |= self._mirroring(pair, [*concept, *covariate], found_mirrored)
        step = _step(pair, name) if source in pair.findings and not apart else None
        if step is not None:
            costs[source] = cost_of_step(predict, current, step, first)
        labels = pair.findings.get("labels")
        if labels is not None and labels.kind == "label":
            counts = pair.reference.labels.counts, pair.current.labels.counts
            right = predict([images]) == current.labels
            costs["labels"] = cost_of_mix(right, current.labels, *counts)
        elif labels is not None:
            costs["labels"] = None  # the labels are wrong: a cost of the class mix is dropped
        self._shift.price(
            pair.stream,
            pair.against,
            {
                key: None if cost is None else cost.of_dependent(share)
                for key, cost in costs.items()
            },
        )

    def _mirroring(
        self, pair: Pair, features: list[str], found: tuple[str, Cost]
    ) -> dict[str, Cost | None]:
        """Returns the cost of mirrored images for each of `features`.

        The finding with the largest effect then names the mirroring as its explanation.

        Args:
            pair: The streams with the findings.
            features: The features that mirroring may explain.
            found: Result of `mirrored`.
        """
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


def _labelled(stream: Stream, corrected: bool = False) -> Labelled | None:
    """Returns the kept, labeled images or rows of a stream.

    Returns None if there are no labels, if there are several inputs, or if only parts of the
    samples are kept (a frame of a video, a crop of a large image). For a part of a sample, the
    model may predict another class.

    Args:
        stream: The stream.
        corrected: Whether the correction of the stream is applied to the images.
    """
    if len(stream.sketches) != 1 or len(stream.buffers) != 1:
        return None
    ((name, kept),) = stream.buffers.items()
    images, labels = kept.read()
    if not len(labels) or labels.min() < 0 or not kept.is_whole:
        return None
    if corrected:
        images = np.asarray(keras.ops.convert_to_numpy(stream.corrected(name, images)))
    return Labelled(images, labels)


def _represents(ids: np.ndarray, labels: LabelSummary) -> bool:
    """Whether samples with these class ids have the class mix of the whole stream."""
    if not labels.are_classes:
        return True
    counts = np.bincount(ids % len(labels.counts), minlength=len(labels.counts))
    return compare_frequencies(counts, labels.counts).p_value > MIN_P_OF_MIX


def _explains(mirroring: Cost, measured: ShiftCost) -> bool:
    """Whether mirroring surely costs accuracy, and no less than the two accuracies differ by."""
    rough = measured.by_accuracy
    is_more = rough is not None and rough.is_sure and rough.value > mirroring.interval[1]
    return mirroring.is_sure and not is_more


def _num_steps(model: keras.Model) -> int:
    """Returns how many training steps the model's optimizer has made; 0 if that is not known."""
    try:
        steps = getattr(getattr(model, "optimizer", None), "iterations", None)
        return 0 if steps is None else int(keras.ops.convert_to_numpy(steps))
    except Exception:  # the user's own optimizer may raise anything
        return 0


def _correction(stream: Stream) -> object:
    """Returns the corrections of a stream, in a form that can be compared with another stream's."""
    return {name: correction.key for name, correction in stream.corrections.items()}


def _step(pair: Pair, name: str) -> Explanation | None:
    """Returns the preprocessing step that explains the finding on an input; None without one."""
    if pair.findings[source_of(name)].kind != "preprocessing":
        return None
    return pipeline_change.explain(pair.reference.inputs[name], pair.current.inputs[name])


def _moves(pair: Pair, name: str) -> tuple[dict[str, float], dict[str, float]]:
    """Returns reference mean minus current mean, and the current standard deviation, by feature."""
    now, before = (_table(profile, name) for profile in (pair.current, pair.reference))
    moved = {key: before[key][0] - now[key][0] for key in now.keys() & before.keys()}
    return moved, {key: now[key][1] for key in moved}


def _table(profile: InputProfile, name: str) -> dict[str, tuple[float, float]]:
    if name not in profile.inputs:  # a reference whose input has another name
        return {}
    features = profile.inputs[name].features
    moments = features.moments
    return {
        key: (float(moments.mean[i]), float(moments.std[i]))
        for i, key in enumerate(features.names)
        if moments.count[i] >= 2
    }

"""`CostWatch`: measures, during a fit, how much accuracy is lost by shifts of validation."""

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_shiftguard.callback.cost_look import CostLook
from keras_shiftguard.callback.label_watch import LabelWatch
from keras_shiftguard.callback.placement_watch import PlacementWatch
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.callback.spending import Spending
from keras_shiftguard.callback.subjects import Moved, belong_together, columns_moved
from keras_shiftguard.callback.visits import (
    are_redrawn,
    contents,
    is_trained,
    repeats_samples,
    visits_of,
)
from keras_shiftguard.detection.causes import pipeline_change
from keras_shiftguard.detection.causes.explanation import Explanation
from keras_shiftguard.detection.causes.same_samples import have_same_labels, same_samples
from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost, cost_of_too_few
from keras_shiftguard.detection.finding import source_of
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies
from keras_shiftguard.errors import BadInputError, warn
from keras_shiftguard.explain.labelled import labelled, remembering
from keras_shiftguard.explain.placement import MOST_PREDICTIONS
from keras_shiftguard.explain.shift_cost import ShiftCost, cost_of_mix, cost_of_step, has_learnt
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
    the model has learned too little to lose accuracy, the cost is measured after every epoch. What
    can wait is left out if the measurements take too long, see `Spending`.

    Args:
        model: The model that is trained.
        shift: The comparisons of the streams. Their findings get the costs.
        sync: Function that copies the present weights to the model's variables.

    Attributes:
        was_trained: Whether the model was trained before this fit. The model may then have
            memorized the training samples before the first epoch.
        labels: Checks of the labels; `labels.unseen` is a rough cost by Keras's own metrics.
        is_unbiased: Whether `labels.unseen` is not lowered by dropout or the like.
    """

    def __init__(self, model: keras.Model, shift: ShiftWatch, sync: Callable[[], None]) -> None:
        self._model, self._shift, self._sync = model, shift, sync
        # By the stream that validation is compared with: the features with a cost, and the epoch of
        # their first measurement.
        self._priced: dict[str, tuple[frozenset[str], int]] = {}
        # The latest measurement, by the stream that validation is compared with ("other stream").
        self._measured: dict[str, ShiftCost] = {}
        self._places = PlacementWatch(shift)
        # `ShiftCost.by_accuracy` of an interrupted or earlier fit, by the other stream.
        self._rough: dict[str, Cost | None] = {}
        # Profiles of validation and of the other stream in an earlier fit that `_rough` comes from,
        # by the other stream.
        self._earlier: dict[str, tuple[InputProfile, InputProfile]] = {}
        self.was_trained = is_trained(model)
        self.labels = LabelWatch(model, shift, sync)
        self.is_unbiased = False
        # Whether training repeats samples, and whether samples belong together, by how far columns
        # moved.
        self._repeats: bool | None = None
        self._together: dict[Moved, bool] = {}
        # Hashes of the training samples that were kept at the first measurement, and the labels of
        # that pass.
        self._first_pass: tuple[Set[int], LabelSummary] | None = None
        self._spending = Spending()
        self._has_failed = False

    def follow(self, earlier: "CostWatch") -> None:
        """Takes over what an earlier fit measured with the same model.

        Its rough costs are used if training and validation still have the same samples.
        """
        self.was_trained = True  # also after `compile`, which makes a new optimizer
        self._rough, self._earlier = dict(earlier._rough), dict(earlier._earlier)
        self._rough |= {key: cost.by_accuracy for key, cost in earlier._measured.items()}
        for pair in earlier._shift.pairs:
            if pair.stream == "validation" and pair.against in earlier._measured:
                self._earlier[pair.against] = pair.current, pair.reference
        self._shift.is_too_early = earlier._shift.is_too_early

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
                if (pair.stream, pair.against) == ("validation", "train"):
                    is_due = self.labels.is_due(pair, epoch) and self._can_run()
                    is_due = is_due and (epoch == 1 or self._spending.allows())
                    is_due = is_due and streams["validation"].has_samples
                    if is_due and not self._may_be_memorised(pair, streams):
                        with self._spending.measuring():
                            self.labels.check(pair, streams, epoch)
                if pair.stream == "validation" and pair.findings:
                    with undisturbed(self._model), self._spending.measuring():
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
            # The name of an earlier release, in which only mirrored images were found.
            "mirrored": self._places.state(),
            **self.labels.state(),
            "was_trained": self.was_trained,
            "repeats": self._repeats,
            "together": dict(self._together),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state that `state()` returned."""
        self._priced = {key: (frozenset(names), int(n)) for key, names, n in state["priced"]}
        self._places.restore(state["mirrored"])
        self.labels.restore(state)
        # A resumed fit loads a model that was trained in this fit, which is not meant here.
        self.was_trained = bool(state.get("was_trained", self.was_trained))
        self._repeats = state.get("repeats")
        self._together = dict(state.get("together", {}))
        self._earlier = {}
        self._rough = {
            key: None if c is None else Cost(c[0], (c[1], c[2]), int(c[3]), is_rough=True)
            for key, c in state["rough"].items()
        }

    def _update(self, pair: Pair, streams: Mapping[str, Stream], epoch: int, is_last: bool) -> None:
        self._places.explain(pair)
        self.labels.call_mixtures(pair)
        self.labels.call_relabelled(pair)
        look = self._look(pair, streams, epoch, is_last)
        if look is None:
            return
        seen_once = self._shift.training.is_first_visit
        is_honest = seen_once and not self._may_be_memorised(pair, streams)
        if is_honest and pair.against == "train" and not look.apart:
            self.labels.check_mixtures(pair, look.training, look.predict)
        costs = self._costs_of_difference(look)
        step = None if look.apart else _step(pair, look.name)
        if step is not None:
            images = look.current, step, look.channels_first
            costs[look.source] = cost_of_step(look.predict, *images)
        costs |= self._costs_of_labels(look, is_alone=not costs)
        self._shift.price(
            pair.stream,
            pair.against,
            {
                key: None if cost is None else cost.of_dependent(look.distinct_share)
                for key, cost in costs.items()
            },
        )

    def _look(
        self, pair: Pair, streams: Mapping[str, Stream], epoch: int, is_last: bool
    ) -> CostLook | None:
        """Returns what a measurement needs; None if none is due, or none can be made."""
        features = frozenset(pair.findings)
        priced, since = self._priced.get(pair.against, (None, epoch))
        is_new = priced != features
        age = epoch - since
        is_due = age < FIRST_EPOCHS or not age & (age - 1)
        is_due = is_last or (is_due and self._spending.allows())
        is_due |= self._shift.is_too_early and self._spending.allows()
        if not (is_new or is_due):
            return None
        # If the streams are corrected in different ways, the correction of each stream is applied
        # to its images before the measurement. The difference of the corrected images is not known.
        # So no operation that explains it is searched, and no preprocessing step is undone.
        apart = _correction(streams["train"]) != _correction(streams["validation"])
        current = labelled(streams["validation"], corrected=apart)
        if current is None or not self._can_run():
            return None
        if not _represents(current.labels, pair.current.labels):
            return None  # only the first samples of a sorted pass were kept so far
        self._sync()
        # If no samples were kept, because validation changed, the next measurement begins anew.
        measured = features if len(current.labels) else frozenset()
        self._priced[pair.against] = measured, epoch if is_new else since
        ((name, kept),) = streams["validation"].buffers.items()

        def classes_of(chunks: list[np.ndarray]) -> np.ndarray:
            stream = streams["validation"]
            fed = chunks if apart else (stream.corrected(name, x) for x in chunks)
            with self._spending.running(sum(map(len, chunks))):
                return predicted_classes(self._model, name, fed)

        training = labelled(streams["train"], corrected=apart)
        earlier = self._measured.get(pair.against)
        others = training, None if earlier is None else earlier.reference
        unchanged = [current.images, *(each.images for each in others if each is not None)]
        predict = remembering(classes_of, unchanged)
        layout = kept.spec.layout
        return CostLook(
            pair, streams, epoch, is_last, is_new, apart, name, layout, current, training, predict
        )

    def _costs_of_difference(self, look: CostLook) -> dict[str, Cost | None]:
        """Returns the costs of findings on the samples themselves, by feature."""
        pair, source = look.pair, look.source
        findings = pair.findings.values()
        covariate = [
            f.feature
            for f in findings
            if f.kind == "covariate" and f"{f.feature}/".startswith(f"{source}/")
        ]
        concept = [
            f.feature
            for f in findings
            if f.family == "concept" or self._places.has_explained(pair, f.feature)
        ]
        if not covariate and not concept:
            return {}
        if len(look.current.labels) < MIN_SAMPLES:
            return dict.fromkeys([*covariate, *concept], cost_of_too_few(len(look.current.labels)))
        cost = self._measurement(look, covariate)
        self._measured[pair.against] = cost
        details = bool(covariate) and not look.apart
        details = details and (SEARCHES if look.is_image else bool(cost.columns))
        was_seen = self._may_be_memorised(pair, look.streams)
        unseen = self.labels.unseen if self.is_unbiased else None
        if pair.against == "train":
            self._look_for_redrawn(contents(look.streams["train"]), pair.reference.labels)
        visits = visits_of(self._shift.training, was_seen, look.epoch, unseen)
        found = cost.measure(look.predict, visits, details, look.is_last)
        self._shift.is_too_early = cost.is_too_early
        rough = cost.rough
        reference = cost.reference
        if reference is not None and len(reference.labels) < MIN_SAMPLES:
            too_few = cost_of_too_few(len(reference.labels))
            found, rough = (each or too_few for each in (found, rough))
        if visits.is_augmented:
            found, rough = (each and each.behind_augmentation() for each in (found, rough))
        costs: dict[str, Cost | None] = dict.fromkeys(covariate, found)
        costs |= dict.fromkeys(concept, rough)
        is_rough = found is None or found.is_rough or not found.is_sure
        if look.is_image and (concept or is_rough) and not cost.is_too_early:
            features = [*concept, *covariate]
            if not look.is_last and not self._spending.allows(MOST_PREDICTIONS):
                # What an earlier search found stays as it is.
                if any(self._places.has_explained(pair, feature) for feature in features):
                    return {}
                return costs
            # Training is known also for validation against the user's `reference=`: what the model
            # gains on training images that are moved in the same way is its own.
            placed = self._places.search(
                look.predict,
                cost,
                cost.reference or look.training,
                look.channels_first,
                may_be_zoomed=not visits.is_unaugmented,
                distinct_share=look.distinct_share,
            )
            costs |= self._places.apply(pair, placed, features)
        return costs

    def _measurement(self, look: CostLook, covariate: Sequence[str]) -> ShiftCost:
        """Returns the measurement of the difference; that of the same findings is used again.

        `covariate` are the features with a covariate finding.
        """
        pair = look.pair
        earlier = self._measured.get(pair.against)
        if earlier is not None and not look.is_new:
            return earlier.on(look.current)
        reference = look.training if pair.against == "train" else None
        columns = [] if look.is_image else _columns(covariate, pair.significant, look.source)
        cost = ShiftCost(look.current, reference, *_moves(pair, look.name), columns)
        if self._is_known(pair):
            cost.by_accuracy = self._rough[pair.against]
            cost.is_too_early = self._shift.is_too_early
        return cost.after(earlier)

    def _costs_of_labels(self, look: CostLook, is_alone: bool) -> dict[str, Cost | None]:
        """Returns the cost of the finding on the class mix, by feature; empty without a finding.

        `is_alone` says whether nothing else was measured in this look.
        """
        labels = look.pair.findings.get("labels")
        if labels is None:
            return {}
        if labels.kind != "label":
            # The labels are wrong, which may have a cost of its own; the class mix has none.
            none = Cost(0.0, (0.0, 0.0), len(look.current.labels))
            return {"labels": none if self.labels.explains_mix(look.pair) else None}
        if len(look.current.labels) < MIN_SAMPLES:
            return {"labels": cost_of_too_few(len(look.current.labels))}
        counts = look.pair.reference.labels.counts, look.pair.current.labels.counts
        right = look.predict([look.current.images]) == look.current.labels
        mix = cost_of_mix(right, look.current.labels, *counts)
        is_too_early = not has_learnt(right, look.current.labels)
        if mix is not None and is_too_early:
            low, high = mix.interval
            mix = replace(mix, interval=(min(low, 0.0), high)) if look.is_last else None
        if is_alone:
            self._shift.is_too_early = is_too_early
        may_be_subjects = look.pair.against == "train"
        may_be_subjects &= columns_moved(look.pair.findings.values()) != "far"
        if mix and may_be_subjects and self._belong_together(look.streams, "little"):
            mix = replace(mix, is_bound=True)  # the classes of a few subjects differ by chance
        return {"labels": mix}

    def _look_for_redrawn(self, now: Set[int], labels: LabelSummary) -> None:
        """Looks for augmentation in the kept training samples of a pass, `now`, with its labels."""
        if self._first_pass is None:
            self._first_pass = now, labels
        before, first_labels = self._first_pass
        if self._shift.distinct_samples is None and have_same_labels(first_labels, labels):
            if are_redrawn(before, now, labels.num_samples):
                self._shift.training.call_redrawn()

    def _may_be_memorised(self, pair: Pair, streams: Mapping[str, Stream]) -> bool:
        """Whether the model may have seen the training samples before their first epoch ended."""
        if self._repeats is None:
            self._repeats = repeats_samples(streams["train"], streams["validation"])
        moved = columns_moved(pair.findings.values())
        return self.was_trained or self._repeats or self._belong_together(streams, moved)

    def _belong_together(self, streams: Mapping[str, Stream], moved: Moved) -> bool:
        if moved not in self._together:
            self._together[moved] = belong_together(streams["train"], streams["validation"], moved)
        return self._together[moved]

    def _is_known(self, pair: Pair) -> bool:
        """Whether `_rough` has the cost of a pair, measured on the same samples of both streams."""
        earlier = self._earlier.pop(pair.against, None)
        streams = pair.current, pair.reference
        if earlier and not all(map(same_samples, earlier, streams)):
            self._rough.pop(pair.against, None)
        return pair.against in self._rough

    def _can_run(self) -> bool:
        inputs = getattr(self._model, "inputs", None)
        if inputs is not None and len(inputs) != 1:
            return False
        try:
            return is_classifier(self._model)
        except BadInputError:  # the shape of the outputs is unknown, or not (samples, classes)
            return False


def _represents(ids: np.ndarray, labels: LabelSummary) -> bool:
    """Whether samples with these class ids have the class mix of the whole stream."""
    if not labels.are_classes:
        return True
    counts = np.bincount(ids % len(labels.counts), minlength=len(labels.counts))
    return compare_frequencies(counts, labels.counts).p_value > MIN_P_OF_MIX


def _correction(stream: Stream) -> object:
    """Returns the corrections of a stream, in a form that can be compared with another stream's."""
    return {name: correction.key for name, correction in stream.corrections.items()}


def _step(pair: Pair, name: str) -> Explanation | None:
    """Returns the preprocessing step that explains the finding on an input; None without one."""
    found = pair.findings.get(source_of(name))
    if found is None or found.kind != "preprocessing":
        return None
    return pipeline_change.explain(pair.reference.inputs[name], pair.current.inputs[name])


def _moves(pair: Pair, name: str) -> tuple[dict[str, float], dict[str, float]]:
    """Returns reference mean minus current mean, and the current standard deviation, by feature."""
    now, before = (_table(profile, name) for profile in (pair.current, pair.reference))
    moved = {key: before[key][0] - now[key][0] for key in now.keys() & before.keys()}
    return moved, {key: now[key][1] for key in moved}


def _columns(reported: Sequence[str], significant: Collection[str], source: str) -> list[int]:
    """Returns the indices of all columns that differ; none if anything else is reported as well.

    Args:
        reported: The features of the findings on the input.
        significant: All features that differ significantly.
        source: The first part of the names of the input's features.
    """
    names = [feature.removeprefix(f"{source}/") for feature in {*reported, *significant}]
    is_all = all(feature.removeprefix(f"{source}/").isdecimal() for feature in reported)
    return sorted(int(name) for name in names if name.isdecimal()) if is_all else []


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

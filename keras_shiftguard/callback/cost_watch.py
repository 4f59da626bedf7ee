"""`CostWatch`: measures, during a fit, how much accuracy is lost by shifts of validation."""

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.callback.visits import (
    are_redrawn,
    contents,
    is_trained,
    repeats_samples,
    visits_of,
)
from keras_shiftguard.detection.causes import pipeline_change
from keras_shiftguard.detection.causes.explanation import Explanation
from keras_shiftguard.detection.causes.same_samples import same_samples
from keras_shiftguard.detection.cost import Cost, gap_between
from keras_shiftguard.detection.finding import Finding, source_of
from keras_shiftguard.detection.labels.label_findings import RELABELLED
from keras_shiftguard.detection.labels.relabelled import find_relabelling, fit_their_samples
from keras_shiftguard.detection.labels.unlikely import MIN_SKILL, Ranked, unlikely_labels
from keras_shiftguard.detection.labels.unrelated import are_exchanged, unrelated_labels
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.sentences import stream_name
from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies
from keras_shiftguard.errors import warn
from keras_shiftguard.explain.labelled import Labelled, Predict
from keras_shiftguard.explain.placement import mirrored, misplaced
from keras_shiftguard.explain.shift_cost import ShiftCost, cost_of_mix, cost_of_step, has_learnt
from keras_shiftguard.instrument.inference import class_probabilities, predicted_classes
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
            memorized the training samples before the first epoch.
        unseen: Accuracy on training samples before the model was trained on them, minus that on
            validation after the present epoch; None if that is not known.
        is_unbiased: Whether `unseen` is not lowered by dropout or the like.
        is_harder: Whether the loss on validation is above that on training.
    """

    def __init__(self, model: keras.Model, shift: ShiftWatch, sync: Callable[[], None]) -> None:
        self._model, self._shift, self._sync = model, shift, sync
        # By the stream that validation is compared with: the features with a cost, and the epoch of
        # their first measurement.
        self._priced: dict[str, tuple[frozenset[str], int]] = {}
        # The latest measurement, by the stream that validation is compared with ("other stream").
        self._measured: dict[str, ShiftCost] = {}
        # By the other stream and the feature: how images are misplaced, e.g. "upside down".
        self._placed: dict[tuple[str, str], str] = {}
        # `ShiftCost.by_accuracy` of an interrupted or earlier fit, by the other stream.
        self._rough: dict[str, Cost | None] = {}
        # Profiles of validation and of the other stream in an earlier fit that `_rough` comes from,
        # by the other stream.
        self._earlier: dict[str, tuple[InputProfile, InputProfile]] = {}
        self.was_trained = is_trained(model)
        self._mixes = False  # whether the samples of training are known to be mixtures
        self.unseen: Cost | None = None
        self.is_unbiased = False
        self.is_harder = False
        self._repeats: bool | None = None  # result of `repeats_samples`, once known
        # Hashes of the training samples that were kept at the first measurement.
        self._first_contents: Set[int] | None = None
        self._has_ranked = False  # whether a few wrong labels were looked for
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
                    self._check_labels(pair, streams, epoch)
                if pair.stream == "validation" and pair.findings:
                    with undisturbed(self._model):
                        self._update(pair, streams, epoch, is_last)
        except Exception as error:  # the user's own `call` may raise anything
            self._has_failed = True
            warn(f"ShiftGuard could not measure what shifts cost ({error!r}).")

    def _check_labels(self, pair: Pair, streams: Mapping[str, Stream], epoch: int) -> None:
        """Adds a finding if labels of validation do not belong to their samples.

        The model must not have memorized training samples. So labels that have nothing to do with
        the samples must also show in Keras's metrics, for training samples that were not seen
        before. And a few wrong labels are looked for once: when the model has learned, soon after
        the beginning, if the loss on validation is above that on training.
        """
        shares = pair.current.distinct_share, pair.reference.distinct_share
        is_clear = self.unseen is not None and self.unseen.is_sure and min(shares) == 1
        may_rank = self.is_harder and not self._has_ranked and epoch <= FIRST_EPOCHS
        if not (is_clear or may_rank):
            return
        if any(not (f.negligible or f.expected) for f in pair.findings.values()):
            return
        train, current = (_labelled(streams[name]) for name in ("train", "validation"))
        if train is None or current is None or not self._can_run():
            return
        if self._may_be_memorised(streams):
            return
        self._sync()
        ((name, _),) = streams["validation"].buffers.items()
        with undisturbed(self._model):
            there, here = (
                class_probabilities(
                    self._model, name, (streams[stream].corrected(name, each.images),)
                )
                for stream, each in (("train", train), ("validation", current))
            )
        if is_clear:
            self._check_relation(there.argmax(axis=1), here.argmax(axis=1), train, current, epoch)
        ranked = Ranked.of(there, train.labels)
        if may_rank and ranked.skill >= MIN_SKILL:
            self._has_ranked = True
            found = unlikely_labels(Ranked.of(here, current.labels), ranked, "validation", "train")
            if found is not None:
                finding, cost = found
                cost = cost.of_dependent(min(shares))
                self._shift.add(replace(finding, since=epoch), cost)

    def _check_relation(
        self,
        there: np.ndarray,
        here: np.ndarray,
        train: Labelled,
        current: Labelled,
        epoch: int,
    ) -> None:
        """Adds a finding or a note if labels of validation have nothing to do with its samples.

        `there` and `here` are the predicted classes of training and validation.
        """
        assert self.unseen is not None
        lost = gap_between(
            there == train.labels, here == current.labels, train.labels, current.labels
        )
        smaller = min(lost, self.unseen, key=lambda cost: cost.value)
        found = unrelated_labels(smaller, here, current.labels, "validation", "train")
        if found is None:
            return
        if are_exchanged(here, current.labels):
            self._shift.add(replace(found, since=epoch), smaller)
        else:
            self._shift.note(found.explanation)

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        rough = self._rough | {key: cost.by_accuracy for key, cost in self._measured.items()}
        return {
            "priced": [[key, sorted(names), since] for key, (names, since) in self._priced.items()],
            "rough": {
                key: None if cost is None else [cost.value, *cost.interval, cost.num_samples]
                for key, cost in rough.items()
            },
            "mirrored": [[*key, how] for key, how in self._placed.items()],
            "mixes": self._mixes,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state that `state()` returned."""
        self._priced = {key: (frozenset(names), int(n)) for key, names, n in state["priced"]}
        self._placed = {(str(a), str(b)): str(how) for a, b, how in state["mirrored"]}
        self._mixes = bool(state.get("mixes", False))
        self._earlier = {}
        self._rough = {
            key: None if c is None else Cost(c[0], (c[1], c[2]), int(c[3]), is_rough=True)
            for key, c in state["rough"].items()
        }

    def _update(self, pair: Pair, streams: Mapping[str, Stream], epoch: int, is_last: bool) -> None:
        for feature in pair.findings:
            self._rename(pair.against, pair.findings[feature])
        if self._mixes:
            self._call_mixtures(pair)
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

        is_honest = self._shift.is_first_visit and not self._may_be_memorised(streams)
        if is_honest and pair.against == "train" and not apart:
            self._check_mixtures(pair, streams["train"], predict)
        findings = pair.findings.values()
        covariate = [
            f.feature
            for f in findings
            if f.kind == "covariate" and f"{f.feature}/".startswith(f"{source}/")
        ]
        concept = [
            f.feature
            for f in findings
            if f.family == "concept" or (pair.against, f.feature) in self._placed
        ]
        share = min(pair.current.distinct_share, pair.reference.distinct_share)
        costs: dict[str, Cost | None] = {}
        if covariate or concept:
            known = self._measured.get(pair.against)
            if is_new or known is None:
                reference = None
                if pair.against == "train":
                    reference = _labelled(streams["train"], corrected=apart)
                columns = [] if is_image else _columns(covariate, pair.significant, source)
                cost = ShiftCost(current, reference, *_moves(pair, name), columns)
                if self._is_known(pair):
                    cost.by_accuracy = self._rough[pair.against]
                    cost.is_too_early = self._shift.is_too_early
                cost = cost.after(known)
            else:
                cost = known.on(current)
            self._measured[pair.against] = cost
            details = bool(covariate) and not apart
            details = details and (SEARCHES if is_image else bool(cost.columns))
            was_seen = self._may_be_memorised(streams)
            unseen = self.unseen if self.is_unbiased else None
            self._look_for_redrawn(contents(streams["train"]), pair.reference.num_samples)
            visits = visits_of(self._shift, was_seen, epoch, unseen)
            found = cost.measure(predict, visits, details, is_last)
            self._shift.is_too_early = cost.is_too_early
            rough = cost.rough
            if visits.is_augmented:
                found, rough = (each and each.behind_augmentation() for each in (found, rough))
            costs |= dict.fromkeys(covariate, found) | dict.fromkeys(concept, rough)
            is_rough = found is None or found.is_rough or not found.is_sure
            if is_image and (concept or is_rough) and not cost.is_too_early:
                placed = mirrored(predict, current, cost.reference, first) or misplaced(
                    predict, current, cost.reference, first, not visits.is_unaugmented
                )
                if placed and _explains(placed[1].of_dependent(share), cost):
                    costs |= self._placing(pair, [*concept, *covariate], placed)
        step = _step(pair, name) if source in pair.findings and not apart else None
        if step is not None:
            costs[source] = cost_of_step(predict, current, step, first)
        labels = pair.findings.get("labels")
        if labels is not None and labels.kind == "label":
            counts = pair.reference.labels.counts, pair.current.labels.counts
            right = predict([images]) == current.labels
            mix = cost_of_mix(right, current.labels, *counts)
            is_too_early = not has_learnt(right, current.labels)
            if mix is not None and is_too_early:
                low, high = mix.interval
                mix = replace(mix, interval=(min(low, 0.0), high)) if is_last else None
            if not costs:
                self._shift.is_too_early = is_too_early
            costs["labels"] = mix
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

    def _check_mixtures(self, pair: Pair, training: Stream, predict: Predict) -> None:
        """Finds out whether training samples are mixtures rather than labelled wrongly at random.

        Values of other samples (CutMix, swap noise of tables) make classes look more alike, as
        wrong labels do.
        """
        found = pair.findings.get("labels/concept")
        if found is None or found.family != RELABELLED:
            return
        labels = pair.reference.labels, pair.current.labels
        relabelling = find_relabelling(*labels, level=1.0)
        if relabelling is None or relabelling.looks_like or not relabelling.in_reference:
            return
        train = _labelled(training)
        if train is not None and len(train.labels):
            right = predict([train.images]) == train.labels
            self._mixes = fit_their_samples(right, relabelling.wrong)
            if self._mixes:
                self._call_mixtures(pair)

    def _call_mixtures(self, pair: Pair) -> None:
        """Explains wrong labels of training by mixtures, in the findings of a pair."""
        found = pair.findings.get("labels/concept")
        if pair.against == "train" and found is not None and found.family == RELABELLED:
            text = "Classes of training look more alike than those of validation, but the labels "
            text += "fit: samples of training are mixtures, as augmentation makes them"
            named = replace(
                found, kind="covariate", family="augmentation", explanation=text, expected=True
            )
            self._shift.replace(named)

    def _look_for_redrawn(self, now: Set[int], num_samples: int) -> None:
        """Looks for augmentation in the kept training samples, whose `contents` are `now`."""
        if self._first_contents is None:
            self._first_contents = now
        is_same_set = self._shift.distinct_samples is None
        if is_same_set and are_redrawn(self._first_contents, now, num_samples):
            self._shift.call_redrawn()

    def _may_be_memorised(self, streams: Mapping[str, Stream]) -> bool:
        """Whether the model may have seen the training samples before their first epoch ended."""
        if self._repeats is None:
            self._repeats = repeats_samples(streams["train"], streams["validation"])
        return self.was_trained or self._repeats

    def _is_known(self, pair: Pair) -> bool:
        """Whether `_rough` has the cost of a pair, measured on the same samples of both streams."""
        earlier = self._earlier.pop(pair.against, None)
        streams = pair.current, pair.reference
        if earlier and not all(map(same_samples, earlier, streams)):
            self._rough.pop(pair.against, None)
        return pair.against in self._rough

    def _placing(
        self, pair: Pair, features: list[str], found: tuple[str, Cost]
    ) -> dict[str, Cost | None]:
        """Returns the cost of misplaced images for each of `features`.

        The finding with the largest effect then says how the images are misplaced.

        Args:
            pair: The streams with the findings.
            features: The features that the misplacing may explain.
            found: Result of `mirrored` or `misplaced`.
        """
        how, cost = found
        first = max(features, key=lambda name: abs(pair.findings[name].effect_size))
        self._placed[pair.against, first] = how
        self._rename(pair.against, pair.findings[first])
        return dict.fromkeys(features, cost)

    def _rename(self, against: str, finding: Finding) -> None:
        """Explains a finding by misplaced images, if `_placed` has an entry for it."""
        how = self._placed.get((against, finding.feature))
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


def _explains(misplacing: Cost, measured: ShiftCost) -> bool:
    """Whether misplaced images surely cost as much accuracy as the two accuracies differ by."""
    rough = measured.by_accuracy
    is_more = rough is not None and rough.is_sure and rough.value > misplacing.interval[1]
    return misplacing.is_sure and not is_more


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

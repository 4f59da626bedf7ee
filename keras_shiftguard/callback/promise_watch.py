"""`PromiseWatch`: measures, during a fit, what findings on validation cost, by experiments."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from keras_shiftguard.callback.label_watch import LabelWatch
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.callback.spending import Spending
from keras_shiftguard.callback.subjects import Moved, belong_together, columns_moved
from keras_shiftguard.callback.visits import (
    are_redrawn,
    are_unchanged,
    contents,
)
from keras_shiftguard.detection.causes import pipeline_change
from keras_shiftguard.detection.causes.explanation import Explanation
from keras_shiftguard.detection.causes.same_samples import have_same_labels
from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost, cost_of_too_few
from keras_shiftguard.detection.finding import Finding, source_of
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.sentences import misplaced
from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies
from keras_shiftguard.detection.two_sample.tail_probabilities import SMALLEST_P, normal_sf
from keras_shiftguard.errors import BadInputError, warn
from keras_shiftguard.experiments.class_mix import cost_of_mix, cost_of_target_mix, has_learnt
from keras_shiftguard.experiments.difference import (
    ACCURACY,
    PREDICTIONS,
    Difference,
    cost_of_difference,
)
from keras_shiftguard.experiments.judge import Judge, Loss
from keras_shiftguard.experiments.labelled import Labelled, Predict, labelled, remembering
from keras_shiftguard.experiments.masks import ALIGNMENT
from keras_shiftguard.experiments.step import cost_of_step
from keras_shiftguard.instrument.inference import class_probabilities, sample_losses
from keras_shiftguard.instrument.model_outputs import is_classifier
from keras_shiftguard.instrument.sample_losses import SampleLosses
from keras_shiftguard.instrument.undisturbed import undisturbed
from keras_shiftguard.profiles import LabelSummary
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.rows import Rows
from keras_shiftguard.statistics.stream import Stream

# With a smaller p-value, the kept samples count as having another class mix than their stream.
MIN_P_OF_MIX = 1e-3
FIRST_EPOCHS = 4  # the cost of new findings is measured after each of this many epochs


@dataclass(frozen=True)
class _Cause:
    """A cause of a difference, as an experiment found it.

    Args:
        how: What the samples look like, such as `"mirrored left to right"`.
        family: The family that the finding gets.
        noun: What the samples are called.
        original: The finding before it was explained by that; None after `restore`.
    """

    how: str
    family: str
    noun: str = "images"
    original: Finding | None = None


class PromiseWatch:
    """Measures the cost of the findings on validation, in accuracy, with the present weights.

    Each measurement is an experiment on the validation samples that the guard keeps, at most 1024,
    see `experiments.difference`. Measurements are made after the epoch of a new finding, then 1, 2,
    3, 4, 8, 16, ... epochs later, and after the last epoch, because the cost can rise while the
    model learns. If they take too long, fewer samples are used, or none, see `Spending`.

    Args:
        model: The model that is trained.
        shift: The comparisons of the streams. Their findings get the costs.
        sync: Function that copies the present weights to the model's variables.

    Attributes:
        labels: Checks of the labels.
    """

    def __init__(self, model: keras.Model, shift: ShiftWatch, sync: Callable[[], None]) -> None:
        self._model, self._shift, self._sync = model, shift, sync
        # By the stream that validation is compared with: the features with a cost, and the epoch of
        # their first measurement.
        self._priced: dict[str, tuple[frozenset[str], int]] = {}
        # The causes that the latest experiments found, by the other stream and the feature.
        self._causes: dict[tuple[str, str], _Cause] = {}
        # By input: the latest experiment on the kept samples with its epoch, and the families of
        # operations of the latest two: "" if nothing above the tolerance was won.
        self._latest: dict[str, tuple[int, Difference]] = {}
        self._families: dict[str, tuple[str, ...]] = {}
        # Differences that no comparison of the streams shows, by input.
        self._unseen: dict[str, tuple[Finding, Cost]] = {}
        self._has_no_judge = False  # whether no loss of single samples is known
        self.labels = LabelWatch(shift)
        # Whether samples belong together, by how far columns moved.
        self._together: dict[Moved, bool] = {}
        # Hashes of the training samples that were kept at the first measurement, and the labels of
        # that pass.
        self._first_pass: tuple[Set[int], LabelSummary] | None = None
        self._spending = Spending()
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
                is_main = (pair.stream, pair.against) == ("validation", "train")
                if is_main:
                    self._look_for_redrawn(streams["train"], pair.reference.labels)
                if pair.stream == "validation" and (pair.findings or is_main):
                    with undisturbed(self._model), self._spending.measuring():
                        # Costs tell whether the samples are alike, which wrong labels need. If
                        # nothing differs, wrong labels are the likelier cause.
                        labels_first = is_main and not pair.findings
                        if labels_first:
                            self._check_labels(pair, streams, epoch, is_last)
                        if pair.findings or self.labels.is_harder or self._unseen:
                            self._update(pair, streams, epoch, is_last)
                        if is_main and not labels_first:
                            self._check_labels(pair, streams, epoch, is_last)
        except Exception as error:  # the user's own `call` may raise anything
            self._has_failed = True
            warn(f"ShiftGuard could not measure what shifts cost ({error!r}).")

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        return {
            "priced": [[key, sorted(names), since] for key, (names, since) in self._priced.items()],
            "causes": [
                [*key, cause.how, cause.family, cause.noun] for key, cause in self._causes.items()
            ],
            "unseen": [[f.to_dict(), vars(cost)] for f, cost in self._unseen.values()],
            "families": {name: list(found) for name, found in self._families.items()},
            **self.labels.state(),
            "together": dict(self._together),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state that `state()` returned; what it lacks stays as it is."""
        self._priced = {key: (frozenset(names), int(n)) for key, names, n in state["priced"]}
        self._causes = {
            (str(against), str(feature)): _Cause(str(how), str(family), str(noun))
            for against, feature, how, family, noun in state.get("causes", ())
        }
        self._unseen = {
            finding["feature"]: (Finding.from_dict(finding), Cost.from_dict(cost))
            for finding, cost in state.get("unseen", ())
        }
        families = state.get("families", {})
        self._families = {name: tuple(map(str, found)) for name, found in families.items()}
        self.labels.restore(state)
        self._together = dict(state.get("together", {}))

    def _update(self, pair: Pair, streams: Mapping[str, Stream], epoch: int, is_last: bool) -> None:
        self._explain(pair)
        if (pair.stream, pair.against) == ("validation", "train"):
            for finding, cost in self._unseen.values():
                if finding.feature not in pair.findings:
                    self._shift.add(finding, cost)
        self.labels.call_mixtures(pair)
        self.labels.call_wrong(pair)
        if not self._is_due(pair, epoch, is_last):
            return
        # If the streams are corrected in different ways, the correction of each stream is applied
        # to its samples before the measurement, and no preprocessing step is undone.
        apart = _correction(streams["train"]) != _correction(streams["validation"])
        are_classes = pair.current.labels.are_classes and self._is_classifier()
        current, training = (
            labelled(streams[name], corrected=apart, are_classes=are_classes)
            for name in ("validation", "train")
        )
        if current is None:
            return
        if are_classes and not _represents(current.labels, pair.current.labels):
            return  # only the first samples of a sorted pass were kept so far
        self._sync()
        self._remember_priced(pair, epoch, len(current.labels))
        known = [current, training]
        judge: Judge | None = ACCURACY
        if are_classes:
            predict = self._predict(streams["validation"], apart, known)
            seen_once = self._shift.training.is_first_visit
            if seen_once and pair.against == "train" and not apart:
                self.labels.check_mixtures(pair, training, predict)
        else:
            predict, judge = _itself, self._loss(streams["validation"], apart, known)
        if judge is None:
            return
        costs: dict[str, Cost | None] = {}
        inputs = streams["validation"].kept_together()
        for name, kept in inputs.items():
            features = self._features(pair, source_of(name), name == next(iter(inputs)))
            is_asked = bool(features) or self._may_be_unseen(pair, kept.spec)
            found = None
            if is_asked:
                found = self._difference(
                    predict, current, training, kept.spec, epoch, is_last, judge
                )
            if found is None:  # there was no time to measure, so a new finding may not accuse
                new = [name for name in features if not pair.findings[name].cost_words]
                costs |= dict.fromkeys(new, cost_of_too_few(len(current.labels), judge.metric))
            else:
                noun = "samples" if kept.spec.layout == "features" else "images"
                noun += f" of input {name!r}" if len(inputs) > 1 else ""
                if features:
                    costs |= dict.fromkeys(features, found.cost)
                    self._name(pair, found, features, noun)
                else:
                    self._tell_unseen(pair, found, source_of(name), noun, epoch)
            step = None if apart else _step(pair, name)
            if step is not None:
                channels_first = kept.spec.layout == "channels_first"
                costs[source_of(name)] = cost_of_step(
                    predict, current, name, step, channels_first, judge
                )
        if are_classes:
            costs |= self._costs_of_labels(pair, streams, predict, current)
        elif "labels" in pair.findings and training is not None:
            costs["labels"] = _cost_of_targets(judge, current, training)
        share = min(pair.current.distinct_share, pair.reference.distinct_share)
        found_costs = {key: cost and cost.of_dependent(share) for key, cost in costs.items()}
        self._shift.price(pair.stream, pair.against, found_costs)

    def _is_due(self, pair: Pair, epoch: int, is_last: bool) -> bool:
        priced, since = self._priced.get(pair.against, (None, epoch))
        age = epoch - since
        is_due = age < FIRST_EPOCHS or not age & (age - 1)
        is_new = priced != frozenset(pair.findings)
        return is_new or is_last or (is_due and self._spending.allows())

    def _remember_priced(self, pair: Pair, epoch: int, num_samples: int) -> None:
        """Remembers that the present findings of a pair have costs, and since when."""
        features = frozenset(pair.findings)
        priced, since = self._priced.get(pair.against, (None, epoch))
        # If no samples were kept, because validation changed, the next measurement begins anew.
        measured = features if num_samples else frozenset()
        self._priced[pair.against] = measured, epoch if priced != features else since

    def _predict(self, stream: Stream, apart: bool, known: Sequence[Labelled | None]) -> Predict:
        """Returns a function from samples to class probabilities, with the present weights."""
        name = next(iter(stream.sketches))

        def predict(x: Any) -> np.ndarray:
            fed = x if apart else Rows(_corrected(stream, x))
            with self._spending.running(len(x)):
                return class_probabilities(self._model, name, (fed,))

        return remembering(predict, [each.images for each in known if each is not None])

    def _loss(self, stream: Stream, apart: bool, known: Sequence[Labelled | None]) -> Loss | None:
        """Returns the judge of a model that predicts no classes; None if its loss cannot judge."""
        if self._has_no_judge:
            return None
        (current, *_), name = known, next(iter(stream.sketches))
        assert current is not None
        try:
            losses = SampleLosses(self._model)

            def of_samples(x: Any, labels: Rows) -> np.ndarray:
                plain = x.tree if isinstance(x, Rows) else {name: x}
                with self._spending.running(len(labels)):
                    inputs = plain if apart else _corrected(stream, x)
                    return sample_losses(self._model, losses, inputs, labels)

            few = current.first(MIN_SAMPLES)
            scale = float(np.nanmean(np.abs(of_samples(few.images, few.labels))))
        except Exception:  # the user's own loss or `call` may raise anything
            self._has_no_judge = True
            return None
        known_samples = [each.images for each in known if each is not None]
        return Loss(remembering(of_samples, known_samples), losses.name, scale)

    def _features(self, pair: Pair, source: str, is_first: bool) -> list[str]:
        """Returns the features of the findings on the samples of an input themselves.

        Findings on the look of classes are those of the first input.
        """

        def is_here(finding: Finding) -> bool:
            return f"{finding.feature}/".startswith(f"{source}/")

        explained = {
            feature
            for against, feature in self._causes
            if against == pair.against and feature.startswith("labels")
        }
        return [
            f.feature
            for f in pair.findings.values()
            if (f.kind == "covariate" and is_here(f))
            or (is_first and (f.family == "concept" or f.feature in explained))
        ]

    def _difference(
        self,
        predict: Predict,
        current: Labelled,
        training: Labelled | None,
        spec: InputSpec,
        epoch: int,
        is_last: bool,
        judge: Judge,
    ) -> Difference | None:
        """Returns what the difference of the samples costs; None if there is no time to measure.

        All pairs have the same result, because the experiment changes only samples of validation.
        """
        name, families = spec.name, self._families.get(spec.name, ())
        if name not in self._latest or self._latest[name][0] != epoch:  # else it has ended early
            if name not in self._latest:  # so that the time of a prediction is known
                few = current.first(MIN_SAMPLES)
                judge.worth(predict(few.images), few.labels)
            number = self._spending.affordable(len(current.labels), PREDICTIONS)
            if number < MIN_SAMPLES <= len(current.labels):
                if not is_last or families:
                    return None  # an earlier cost stays as it is
                number = MIN_SAMPLES
            if number < len(current.labels):
                current, training = current.first(number), training and training.first(number)
            found = cost_of_difference(
                predict,
                current,
                training,
                spec,
                float(self._shift.tolerance or 0.0),
                seed=epoch,
                may_be_augmented=not self._shift.training.is_unaugmented,
                judge=judge,
            )
            is_costly = found.cost.value > (self._shift.tolerance or 0.0)
            self._latest[name] = epoch, found
            self._families[name] = (*families, found.family if is_costly else "")[-2:]
        return self._seen_twice(self._latest[name][1], self._families[name], is_last)

    @staticmethod
    def _seen_twice(found: Difference, families: Sequence[str], is_last: bool) -> Difference:
        """Returns an experiment, with a cost that is new unless the one before agrees.

        The samples that count an operation have not chosen it, and neither should the weights: a
        model that has learned little does better on changed samples for an epoch, and not in the
        next one. In the only measurement of a fit, no other weights can disagree.
        """
        agrees = is_last if len(families) == 1 else families[0] == found.family
        return replace(found, cost=replace(found.cost, is_new=not agrees))

    def _name(self, pair: Pair, found: Difference, features: Sequence[str], noun: str) -> None:
        """Explains the finding with the largest effect by a cause; takes back earlier ones."""
        for key in [key for key in self._causes if key[0] == pair.against and key[1] in features]:
            original = self._causes.pop(key).original
            if original is not None and key[1] in pair.findings:
                self._shift.replace(original)
        if found.how and found.cost.is_alarm(self._shift.tolerance or 0.0):
            first = max(features, key=lambda name: abs(pair.findings[name].effect_size))
            is_place = found.family in ("geometry", "cover", ALIGNMENT)
            family = "geometry" if is_place else "other"
            self._causes[pair.against, first] = _Cause(found.how, family, noun)
            self._explain(pair)

    def _may_be_unseen(self, pair: Pair, spec: InputSpec) -> bool:
        """Whether a difference may cost something that no comparison of streams shows.

        Columns in another order, or a series that runs backwards, may have the same moments. Of
        images, hardly any difference is like that.
        """
        is_main = (pair.stream, pair.against) == ("validation", "train")
        if not is_main or spec.layout != "features" or self.labels.are_wrong(pair):
            return False
        return self.labels.is_harder or source_of(spec.name) in self._unseen

    def _tell_unseen(
        self, pair: Pair, found: Difference, source: str, noun: str, epoch: int
    ) -> None:
        """Adds a finding if an operation wins back a sure cost, although no test shows it."""
        before = self._unseen.pop(source, None)
        if not (found.how and found.cost.is_alarm(self._shift.tolerance or 0.0)):
            return
        finding = Finding(
            feature=source,
            kind="covariate",
            family="other",
            effect_size=found.cost.value,
            interval=found.cost.interval,
            p_value=max(float(normal_sf(found.cost.sigmas)), SMALLEST_P),
            stream=pair.stream,
            against=pair.against,
            since=epoch if before is None else before[0].since,
            explanation=misplaced(found.how, pair.stream, pair.against, noun),
        )
        self._unseen[source] = finding, found.cost
        self._shift.add(finding, found.cost)

    def _explain(self, pair: Pair) -> None:
        """Explains the findings of a pair by the causes that the latest experiment found."""
        for finding in list(pair.findings.values()):
            key = pair.against, finding.feature
            cause = self._causes.get(key)
            if cause is None:
                continue
            text = misplaced(cause.how, finding.stream, finding.against, cause.noun)
            if finding.explanation != text:
                self._causes[key] = replace(cause, original=finding)
                named = replace(finding, kind="covariate", family=cause.family, explanation=text)
                self._shift.replace(named)

    def _costs_of_labels(
        self,
        pair: Pair,
        streams: Mapping[str, Stream],
        predict: Predict,
        current: Labelled,
    ) -> dict[str, Cost | None]:
        """Returns the cost of the finding on the class mix, by feature; empty without a finding."""
        found = pair.findings.get("labels")
        if found is None:
            return {}
        if found.kind != "label":
            # The labels are wrong, which may have a cost of its own; the class mix has none.
            none = Cost(0.0, (0.0, 0.0), len(current.labels))
            return {"labels": none if self.labels.are_wrong(pair) else None}
        if len(current.labels) < MIN_SAMPLES:
            return {"labels": cost_of_too_few(len(current.labels))}
        counts = pair.reference.labels.counts, pair.current.labels.counts
        right = predict(current.images).argmax(axis=1) == current.labels
        mix = cost_of_mix(right, current.labels, *counts)
        if mix is None:
            return {"labels": None}
        may_be_subjects = pair.against == "train"
        may_be_subjects &= columns_moved(pair.findings.values()) != "far"
        by_chance = may_be_subjects and self._belong_together(streams, "little")
        if by_chance or not has_learnt(right, current.labels):
            # The classes of a few subjects differ by chance, and so do the predictions of a model
            # that has learned little.
            low, high = mix.interval
            mix = replace(mix, interval=(min(low, 0.0), high))
        return {"labels": mix}

    def _look_for_redrawn(self, stream: Stream, labels: LabelSummary) -> None:
        """Looks for augmentation in the kept samples of training, until it is known for sure."""
        passes = self._shift.training
        if passes.was_redrawn or passes.was_unchanged:
            return
        now = contents(stream)
        if self._first_pass is None:
            self._first_pass = now, labels
        before, first_labels = self._first_pass
        is_first = before is now
        if is_first or not have_same_labels(first_labels, labels):
            return
        if self._shift.distinct_samples is None:
            if are_redrawn(before, now, labels.num_samples):
                passes.call_redrawn()
            elif are_unchanged(before, now, labels.num_samples):
                passes.call_unchanged()

    def _check_labels(
        self, pair: Pair, streams: Mapping[str, Stream], epoch: int, is_last: bool
    ) -> None:
        """Looks for labels of validation that do not fit their samples, with two predictions."""
        is_epoch = epoch <= FIRST_EPOCHS or not epoch & (epoch - 1) or is_last
        is_allowed = epoch == 1 or self._spending.allows()
        if not (is_epoch and is_allowed and self.labels.is_due(pair)):
            return
        if not (pair.current.labels.are_classes and self._is_classifier()):
            return
        current, training = (labelled(streams[name]) for name in ("validation", "train"))
        if current is None or not _represents(current.labels, pair.current.labels):
            return
        self._sync()
        predict = self._predict(streams["validation"], False, [current, training])
        together = self._belong_together(streams, columns_moved(pair.findings.values()))
        self.labels.check(pair, predict, current, training, epoch, is_last, together)

    def _belong_together(self, streams: Mapping[str, Stream], moved: Moved) -> bool:
        if moved not in self._together:
            self._together[moved] = belong_together(streams["train"], streams["validation"], moved)
        return self._together[moved]

    def _is_classifier(self) -> bool:
        try:
            return len(getattr(self._model, "outputs", None) or [0]) == 1 and is_classifier(
                self._model
            )
        except BadInputError:  # the shape of the outputs is unknown, or not (samples, classes)
            return False


def _itself(x: Any) -> Any:
    """What is judged by a loss: the samples, on which the judge runs the model batch by batch."""
    return x


def _corrected(stream: Stream, x: Any) -> dict[str, Any]:
    """Returns samples by name of the input, with the corrections of the stream."""
    inputs = x.tree if isinstance(x, Rows) else {next(iter(stream.sketches)): x}
    return {name: stream.corrected(name, values) for name, values in inputs.items()}


def _cost_of_targets(judge: Judge, current: Labelled, training: Labelled) -> Cost | None:
    """Returns the cost of numbers to predict that are distributed otherwise; None if unknown."""
    here, there = (np.asarray(each.labels.tree) for each in (current, training))
    if here.dtype == object or here.size != len(here) or there.size != len(there):
        return None
    worth = judge.worth(current.images, current.labels)
    unit = judge.unit(worth)
    return cost_of_target_mix(worth, here.reshape(-1), there.reshape(-1), unit, judge.metric)


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

"""`LabelWatch`: finds, with the predictions of the model, labels that do not fit their samples."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.detection.cost import Cost, gap_between
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.labels.label_findings import POSSIBLY, RELABELLED
from keras_shiftguard.detection.labels.part_relabelled import Predicted, part_relabelled
from keras_shiftguard.detection.labels.relabelled import find_relabelling, fit_their_samples
from keras_shiftguard.detection.labels.unlikely import (
    MIN_CURRENT_SKILL,
    MIN_SKILL,
    Ranked,
    has_skill,
    unlikely_labels,
)
from keras_shiftguard.detection.labels.unrelated import are_exchanged, unrelated_labels
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.experiments.labelled import Labelled, Predict, labelled
from keras_shiftguard.instrument.inference import class_probabilities
from keras_shiftguard.instrument.undisturbed import undisturbed
from keras_shiftguard.statistics.stream import Stream

# After the first epochs, the model may know wrong labels of training by heart. So up to the last of
# these epochs more conditions must hold, and later none are looked for.
FIRST_EPOCHS, LAST_EPOCH = 2, 10


class LabelWatch:
    """Finds labels of validation that do not fit their samples, and mixtures in training.

    Wrong labels are looked for only if Keras's metrics make them likely, so most healthy fits spend
    nothing on it, and only with a model that has not memorized training samples.

    Args:
        model: The model that is trained, a classifier with one input.
        shift: The comparisons of the streams, which get the findings.
        sync: Function that copies the present weights to the model's variables.

    Attributes:
        unseen: Accuracy on training samples before the model was trained on them, minus that on
            validation after the present epoch; None if that is not known.
        is_harder: Whether the loss on validation is above that on training.
        mixes: Whether the samples of training are known to be mixtures.
    """

    def __init__(self, model: keras.Model, shift: ShiftWatch, sync: Callable[[], None]) -> None:
        self._model, self._shift, self._sync = model, shift, sync
        self.unseen: Cost | None = None
        self.is_harder = False
        self.mixes = False
        # Whether a few wrong labels were looked for with a model that has learned its task, and the
        # first epoch in which to look again.
        self._has_ranked, self._next_ranks = False, 1
        # A part of one class with the label of another, once it was found.
        self._relabelled: tuple[Finding, Cost] | None = None

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        relabelled = None
        if self._relabelled is not None:
            finding, cost = self._relabelled
            relabelled = [finding.to_dict(), vars(cost)]
        return {
            "mixes": self.mixes,
            "ranked": [self._has_ranked, self._next_ranks],
            "relabelled": relabelled,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state that `state()` returned; what it lacks stays as it is."""
        self.mixes = bool(state.get("mixes", False))
        has_ranked, next_ranks = state.get("ranked", (False, 1))
        self._has_ranked, self._next_ranks = bool(has_ranked), int(next_ranks)
        if state.get("relabelled") is not None:
            finding, cost = state["relabelled"]
            interval = tuple(cost["interval"])
            self._relabelled = Finding.from_dict(finding), Cost(**{**cost, "interval": interval})

    def is_due(self, pair: Pair, epoch: int) -> bool:
        """Whether wrong labels of validation are likely, and no other difference explains it."""
        return self._may_be_unrelated(pair) or self._may_rank(pair, epoch)

    def check(self, pair: Pair, streams: Mapping[str, Stream], epoch: int) -> None:
        """Adds a finding or a note if labels of validation do not fit their samples."""
        train, current = (labelled(streams[name]) for name in ("train", "validation"))
        if train is None or current is None or not min(len(train.labels), len(current.labels)):
            return
        self._sync()
        ((name, _),) = streams["validation"].buffers.items()

        def probabilities(stream: str, each: Labelled) -> np.ndarray:
            images = streams[stream].corrected(name, each.images)
            with undisturbed(self._model):
                return class_probabilities(self._model, name, (images,))

        here = probabilities("validation", current)
        may_rank = self._may_rank(pair, epoch)
        # A loss for ordered classes may have fewer outputs than there are classes.
        may_rank &= max(train.labels.max(), current.labels.max()) < here.shape[1]
        if may_rank:
            self._next_ranks = epoch + max(epoch // 2, 1)
            may_rank = Predicted.of(here, current.labels).skill >= MIN_CURRENT_SKILL
        is_unrelated = self._may_be_unrelated(pair)
        if not (is_unrelated or may_rank):
            return  # training, of which more samples are kept, need not be run
        there = probabilities("train", train)
        if is_unrelated:
            self._check_relation(there.argmax(axis=1), here.argmax(axis=1), train, current, epoch)
        if may_rank:
            self._check_ranks(pair, here, there, current.labels, train.labels, epoch)

    def check_mixtures(self, pair: Pair, train: Labelled | None, predict: Predict) -> None:
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
        if train is not None and len(train.labels):
            right = predict(train.images).argmax(axis=1) == train.labels
            self.mixes = fit_their_samples(right, relabelling.wrong)
            self.call_mixtures(pair)

    def call_mixtures(self, pair: Pair) -> None:
        """Explains wrong labels of training by mixtures, if training samples are mixtures."""
        found = pair.findings.get("labels/concept")
        is_relabelled = found is not None and found.family == RELABELLED
        if self.mixes and pair.against == "train" and found is not None and is_relabelled:
            text = "Classes of training look more alike than those of validation, but the labels "
            text += "fit: samples of training are mixtures, as augmentation makes them"
            named = replace(
                found, kind="covariate", family="augmentation", explanation=text, expected=True
            )
            self._shift.replace(named)

    def call_relabelled(self, pair: Pair) -> None:
        """Explains the findings on labels by a part of one class with the label of another."""
        if self._relabelled is None or not self.explains_mix(pair):
            return
        finding, cost = self._relabelled
        found, mix = pair.findings.get(finding.feature), pair.findings.get("labels")
        if found is None or found.explanation != finding.explanation:
            self._shift.add(finding, cost)
        if mix is not None and mix.kind == "label":
            text = f"{mix.explanation.partition(f'; {POSSIBLY}')[0]}; it follows from wrong labels"
            self._shift.replace(replace(mix, kind="concept", family=RELABELLED, explanation=text))

    def explains_mix(self, pair: Pair) -> bool:
        """Whether wrong labels of validation explain its class mix, compared with training."""
        return self._relabelled is not None and pair.against == "train"

    def _may_be_unrelated(self, pair: Pair) -> bool:
        """Whether Keras's metrics show surely more right predictions on unseen training samples."""
        if self.unseen is None or not self.unseen.is_sure:
            return False
        is_dependent = min(pair.current.distinct_share, pair.reference.distinct_share) < 1
        differs = any(not (f.negligible or f.expected) for f in pair.findings.values())
        return not is_dependent and not differs

    def _may_rank(self, pair: Pair, epoch: int) -> bool:
        """Whether a few labels may be wrong, and this is an epoch to look for them."""
        of_labels, others = _parted(pair)
        is_likely = self.is_harder or not all(f.negligible for f in of_labels)
        if not is_likely or self._has_ranked or epoch < self._next_ranks:
            return False
        if epoch > LAST_EPOCH:
            return False
        return self._are_harmless(others, epoch)

    def _are_harmless(self, found: Collection[Finding], epoch: int) -> bool:
        """Whether none of the findings explains why validation is harder than training."""
        if epoch > FIRST_EPOCHS:
            # A model makes mistakes on augmented training also if it knows it by heart, and on
            # images that are broken.
            is_redrawn = self._shift.training.is_redrawn
            return not is_redrawn and all(f.negligible or f.expected for f in found)
        # Findings that surely cost accuracy, or whose cost was not measured yet, explain the loss.
        return not any(f.is_sure or not (f.cost_words or f.negligible or f.expected) for f in found)

    def _check_ranks(
        self,
        pair: Pair,
        here: np.ndarray,
        there: np.ndarray,
        labels: np.ndarray,
        train_labels: np.ndarray,
        epoch: int,
    ) -> None:
        """Adds a finding if a few labels, or a part of those of one class, are wrong.

        Args:
            pair: The comparison of validation with training.
            here: Class probabilities of validation, `(samples, classes)`.
            there: Class probabilities of training.
            labels: Class ids of validation, `(samples,)`.
            train_labels: Class ids of training.
            epoch: The epoch, counted from 1.
        """
        now, before = Ranked.of(here, labels), Ranked.of(there, train_labels)
        has_learned = has_skill(now, before)
        distinct = min(pair.current.distinct_share, pair.reference.distinct_share)
        part = None
        current = Predicted.of(here, labels)
        # If the names of two of a few classes are exchanged, most predictions are wrong.
        if current.skill >= MIN_CURRENT_SKILL and before.skill >= MIN_SKILL:
            reference = Predicted.of(there, train_labels)
            part = part_relabelled(current, reference, "validation", "train", distinct)
        is_harmless = self._are_harmless(pair.findings.values(), epoch)
        found = part
        if part is None and is_harmless:
            is_fresh = epoch <= FIRST_EPOCHS
            found = unlikely_labels(now, before, "validation", "train", is_fresh)
        self._has_ranked = has_learned and (is_harmless or part is not None)
        if found is not None:
            since = epoch if self._relabelled is None else self._relabelled[0].since
            finding, cost = replace(found[0], since=since), found[1].of_dependent(distinct)
            self._shift.add(finding, cost)
            self._relabelled = (finding, cost) if part is not None else None

    def _check_relation(
        self, there: np.ndarray, here: np.ndarray, train: Labelled, current: Labelled, epoch: int
    ) -> None:
        """Adds a finding or a note if the labels have nothing to do with the samples.

        This must show in the predictions for the kept samples as well: with batch norm, a model may
        be right only in training mode.

        Args:
            there: Predicted classes of training.
            here: Predicted classes of validation.
            train: The kept samples of training.
            current: The kept samples of validation.
            epoch: The epoch, counted from 1.
        """
        assert self.unseen is not None
        rights = there == train.labels, here == current.labels
        lost = gap_between(*rights, train.labels, current.labels)
        smaller = min(lost, self.unseen, key=lambda cost: cost.value)
        found = unrelated_labels(smaller, here, current.labels, "validation", "train")
        if found is None:
            return
        if are_exchanged(here, current.labels):
            self._shift.add(replace(found, since=epoch), smaller)
        else:
            self._shift.note(found.explanation)


def _parted(pair: Pair) -> tuple[list[Finding], list[Finding]]:
    """Returns the findings on labels, and the others."""
    parts: tuple[list[Finding], list[Finding]] = [], []
    for finding in pair.findings.values():
        parts[finding.feature.partition("/")[0] != "labels"].append(finding)
    return parts

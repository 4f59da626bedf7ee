"""Finding that a part of one class has the label of another class, by the predictions of a model.

Samples of class 0 that are labelled 1 are predicted as 0, and as surely as samples that are
labelled 0. If a model that has not memorized its training samples does so for many more samples
with label 1 in validation than in training, and makes no other mistakes more often, these labels
are wrong. If validation is only harder, mistakes of several kinds are more frequent, and the model
is less sure of them.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from keras_shiftguard.detection.cost import SIGMAS, Cost
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.labels.label_findings import RELABELLED
from keras_shiftguard.detection.sentences import percent, stream_name
from keras_shiftguard.detection.two_sample.hypergeometric import hypergeometric_two_sided
from keras_shiftguard.detection.two_sample.tail_probabilities import SMALLEST_P

MAX_P_VALUE = 0.01  # corrected for all pairs of classes
# The label must be predicted as the other class so many times as often as in training, and at least
# as often as MIN_EXCESS more.
MIN_RATIO, MIN_EXCESS = 4.0, 0.08
# Smallest rank of the median confidence of these predictions, among the right predictions of the
# other class: 0.5 is as sure as those.
MIN_CONFIDENCE_RANK = 0.25
# Mistakes of all other kinds in training must be at least this many times as frequent as in
# validation. If they are not, the model has memorized training, or validation is harder.
MIN_MISTAKES = 0.7
# The names of two classes are exchanged if samples with either label are predicted as the other
# class this many times as often as their own. Neither memorized nor harder samples explain that.
MIN_EXCHANGED = 3.0


@dataclass(frozen=True)
class Predicted:
    """Labels, and what a model predicts for their samples.

    Args:
        classes: Predicted classes, `(samples,)`.
        confidence: Probabilities of these classes, `(samples,)`.
        labels: Class ids, `(samples,)`.
        num_classes: Number of classes.
    """

    classes: np.ndarray
    confidence: np.ndarray
    labels: np.ndarray
    num_classes: int

    @classmethod
    def of(cls, probabilities: np.ndarray, labels: np.ndarray) -> "Predicted":
        """Returns the predictions of probabilities, `(samples, classes)`."""
        classes, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
        return cls(classes, confidence, labels, probabilities.shape[1])

    @cached_property
    def pairs(self) -> "Pairs":
        """How many samples have each label and each prediction."""
        return Pairs.of(self.labels, self.classes, self.num_classes)

    @property
    def skill(self) -> float:
        """Accuracy if labels may be exchanged, from 0 (always the commonest class) to 1.

        Each label stands for the class that is predicted most often for it. If this is the same
        class for several labels, only the one with the most samples counts.
        """
        pairs, right = self.pairs, np.zeros(self.num_classes)
        order = np.lexsort((pairs.classes, -pairs.counts, pairs.labels))
        often = order[np.unique(pairs.labels[order], return_index=True)[1]]
        np.maximum.at(right, pairs.classes[often], pairs.counts[often])
        total, commonest = len(self.labels), np.bincount(self.labels).max()
        return float((right.sum() - commonest) / max(total - commonest, 1))


@dataclass(frozen=True)
class Pairs:
    """How many samples have each label and each prediction; only pairs that occur are stored.

    A table of all pairs would take 80 GB for 100,000 classes.

    Args:
        keys: Label times `num_classes` plus prediction, of each pair that occurs, sorted.
        counts: Number of samples of these pairs.
        sizes: Number of samples of each label, `(num_classes,)`.
    """

    keys: np.ndarray
    counts: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, classes: np.ndarray, num_classes: int) -> "Pairs":
        """Returns the pairs of labels and predicted classes, `(samples,)` each."""
        keys = labels.astype("int64") * num_classes + classes
        return cls(*np.unique(keys, return_counts=True), np.bincount(labels, minlength=num_classes))

    @property
    def labels(self) -> np.ndarray:
        """The label of each pair."""
        return self.keys // len(self.sizes)

    @property
    def classes(self) -> np.ndarray:
        """The predicted class of each pair."""
        return self.keys % len(self.sizes)

    def count(self, labels: Any, classes: Any) -> Any:
        """Returns the number of samples with a label and a prediction, or of arrays of them."""
        key = np.asarray(labels, "int64") * len(self.sizes) + classes
        place = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        return np.where(self.keys[place] == key, self.counts[place], 0)

    def rate(self, label: int, other: int) -> float:
        """Returns the share of the samples with a label that are predicted as another class."""
        return float(self.count(label, other) / max(self.sizes[label], 1))


def part_relabelled(
    current: Predicted, reference: Predicted, stream: str, against: str, distinct: float = 1.0
) -> tuple[Finding, Cost] | None:
    """Returns a finding and its cost if a part of one class has the label of another class.

    Args:
        current: Predictions for the stream.
        reference: Predictions for the other stream, on which the model is trained.
        stream: Name of the stream.
        against: Name of the other stream.
        distinct: Share of the samples that are independent, as of frames of a clip.
    """
    now, before = current.pairs, reference.pairs
    suspected = _suspected(now, before, distinct)
    if not suspected:
        return None
    (label, other), p_value = next(iter(suspected.items()))
    is_exchange = (other, label) in suspected
    mistakes = [_other_mistakes(each, label, other) for each in (before, now)]
    is_harder = mistakes[0] < MIN_MISTAKES * mistakes[1]
    if is_harder and not (is_exchange and _are_exchanged(now, label, other)):
        return None
    if _confidence_rank(current, reference, label, other) < MIN_CONFIDENCE_RANK:
        return None
    size = int(now.sizes[label])
    rate, usual = now.rate(label, other), before.rate(label, other)
    margin = SIGMAS * float(np.sqrt(max(rate * (1 - rate), 1 / size) / size))
    excess = np.array([rate - usual, rate - usual - margin, rate - usual + margin])
    # The model recognizes only a part of the samples of the other class.
    recognized = max(before.rate(other, other), rate - usual)
    share, low, high = map(float, np.clip(excess / recognized, 0, 1))
    total = now.sizes.sum()
    lost = excess * size / total
    if is_exchange:
        back = now.rate(other, label) - before.rate(other, label)
        lost += back * now.sizes[other] / total
    here, there = stream_name(stream), stream_name(against)
    finding = Finding(
        feature="labels/concept",
        kind="concept",
        family=RELABELLED,
        effect_size=share,
        interval=(low, high),
        p_value=max(p_value, SMALLEST_P),
        stream=stream,
        against=against,
        since=None,
        explanation=(
            f"About {percent(share)} of the {here} samples with label {label} seem to be of class "
            f"{other}{', and others the other way round' if is_exchange else ''}: the model takes "
            f"{percent(rate)} of them for class {other}, as surely as samples with that label, and "
            f"{percent(usual)} in {there}; effect size {share:.2g} (share of the label)"
        ),
    )
    return finding, Cost(float(lost[0]), (float(lost[1]), float(lost[2])), size)


def _suspected(now: Pairs, before: Pairs, distinct: float) -> dict[tuple[int, int], float]:
    """Returns which labels and predictions go together surely more often than before.

    The keys are pairs of a label and a prediction, the most frequent pair first. The values are the
    p-values of Fisher's exact test, corrected for the number of pairs.

    Args:
        now: Number of samples with each label and prediction.
        before: The same of the reference.
        distinct: Share of the samples that are independent.
    """
    chosen = np.flatnonzero((now.labels != now.classes) & (before.sizes[now.labels] > 0))
    chosen = chosen[np.argsort(-now.counts[chosen], kind="stable")]
    labels, others, drawn = (each[chosen] for each in (now.labels, now.classes, now.counts))
    drawn_before = before.count(labels, others)
    size, size_before = (each.sizes[labels] for each in (now, before))
    counts = drawn, size, drawn + drawn_before, size + size_before
    p = hypergeometric_two_sided(*(count * distinct for count in counts))
    number = len(now.sizes)
    p = np.minimum(p * (number * (number - 1)), 1.0)
    rate, usual = drawn / size, drawn_before / size_before
    is_found = (p <= MAX_P_VALUE) & (rate - usual >= MIN_EXCESS) & (rate >= MIN_RATIO * usual)
    found = zip(*(each[is_found].tolist() for each in (labels, others, p)), strict=True)
    return {(label, other): value for label, other, value in found}


def _other_mistakes(pairs: Pairs, label: int, other: int) -> float:
    """Returns the share of wrong predictions among the samples with another label or prediction.

    Both directions are left out, because the names of two classes may be exchanged.
    """
    labels, classes = pairs.labels, pairs.classes
    is_left_out = ((labels == label) & (classes == other)) | (
        (labels == other) & (classes == label)
    )
    counts = np.where(is_left_out, 0, pairs.counts)
    return float(1 - counts[labels == classes].sum() / max(counts.sum(), 1))


def _are_exchanged(pairs: Pairs, label: int, other: int) -> bool:
    """Whether most samples with either of two labels are predicted as the other class."""
    both = ((label, other), (other, label))
    return all(pairs.count(a, b) >= MIN_EXCHANGED * pairs.count(a, a) for a, b in both)


def _confidence_rank(current: Predicted, reference: Predicted, label: int, other: int) -> float:
    """Returns how sure the model is of the predictions in question, as a rank in [0, 1].

    The rank is that of their median confidence among the right predictions of the same class.
    """
    in_question = (current.labels == label) & (current.classes == other)
    right = [
        each.confidence[(each.labels == other) & (each.classes == other)]
        for each in (current, reference)
    ]
    known = right[0] if len(right[0]) >= 5 else right[1]
    return float((known < np.median(current.confidence[in_question])).mean()) if len(known) else 0.0

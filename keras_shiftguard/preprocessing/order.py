"""Channel order: how probable it is that red and blue are exchanged in the images as fed.

Three kinds of evidence add up, in log-odds: batch norm, the trial, and the order in which the
per-channel means were subtracted. A color cast looks like a swap to batch norm, and untrained
networks often prefer a swap, so no evidence alone is enough, except for a statement of the order
with means that were subtracted in the other one.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from keras_shiftguard.conventions import MODES_WITH_ORDER
from keras_shiftguard.preprocessing.case import Case
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import Transform
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.hypothesis_names import as_observed
from keras_shiftguard.preprocessing.limits import (
    MIN_IMAGES,
    MIN_MISMATCH,
    MIN_OK,
)
from keras_shiftguard.preprocessing.witnesses.preference import HELPS, Preference


class OrderWeights(NamedTuple):
    """What each evidence counts, in log-odds of a swap.

    `examples/benchmarks/verdict_weights.py` chooses at least as large ones with a network left out
    in turn. Batch norm counts less than it chooses, because a color cast looks like a swap to it.

    Args:
        usual: Of the usual order: most image readers give RGB, and most networks expect it.
        likely: Of an order that is only likely: BGR for `caffe`, RGB where BGR is expected, and the
            order in which the means were subtracted.
        stated: Of the order of the means if the expected order is stated or published.
        memory: Of each standard error of batch norm.
        trial: Of each standard error of the trial.
        most: Batch norm, and the trial, count up to so much. So neither proves a swap alone.
    """

    usual: float = 2.4
    likely: float = 0.7
    stated: float = 5.0
    memory: float = 1.25
    trial: float = 2.0
    most: float = 3.0


WEIGHTS = OrderWeights()


class OrderEvidence(NamedTuple):
    """All evidence for a swap, before it is weighed.

    Args:
        prior: Log-odds of a swap by the usual order, the means and the statements.
        memory: Evidence of batch norm, in standard errors; below 0 if the order is right.
        trial: The same of the trial; 0 if it has not been run or cannot tell.
        is_vetoed: Whether logits that tell no images apart speak against a swap. They prove
            nothing, but they can prevent a mismatch.
        by_labels: Whether the trial compares the probabilities of labels, which prove a swap alone.
    """

    prior: float
    memory: float
    trial: float = 0.0
    is_vetoed: bool = False
    by_labels: bool = False

    def counted(self, weights: OrderWeights = WEIGHTS) -> tuple[float, float]:
        """Returns the log-odds that batch norm and the trial add."""
        memory = np.clip(weights.memory * self.memory, -weights.most, weights.most)
        most = np.inf if self.by_labels else weights.most
        trial = np.clip(weights.trial * self.trial, -most, most)
        return float(memory), float(min(trial, 0.0) if self.is_vetoed else trial)

    def probability(self, weights: OrderWeights = WEIGHTS) -> float:
        """Returns the probability that red and blue are exchanged."""
        return float(1 / (1 + np.exp(-(self.prior + sum(self.counted(weights))))))

    def with_trial(self, trial: Preference | None) -> "OrderEvidence":
        """Returns the evidence with that of a trial."""
        if trial is None or not trial.can_tell:
            return self
        sigmas = trial.sigmas if trial.head_tells else trial.without_head().sigmas
        return self._replace(trial=sigmas, is_vetoed=trial.sigmas < 0, by_labels=trial.by_labels)


SAID = WEIGHTS.memory  # evidence of more than this is told


@dataclass(frozen=True)
class Order:
    """The channel order of the images as fed, compared with the expected one.

    Args:
        probability: That red and blue are exchanged.
        assumed: Whether a fix of the scale swaps them as well. It departs from what the means
            show, or else from the usual order, only if it is as sure of it as of a mere swap.
        evidence: Sentences with numbers.
        is_possible: Whether at least one kind of evidence suggests a swap.
        is_proven: Whether the trial or a statement shows that the swap helps.
        is_sure: Whether a fix of the scale may be offered. It may not if the order that it would
            bring about is the less probable one.
        is_unusual: Whether red and blue are in place, although the usual order of the mode asks for
            a swap.
        is_usual: Whether `assumed` rests on the order that most networks expect, and on nothing
            that is known of this one.
        weighed: What the probability rests on; None if there is no order.
    """

    probability: float = 0.0
    assumed: bool = False
    evidence: tuple[str, ...] = ()
    is_possible: bool = False
    is_proven: bool = False
    is_sure: bool = True
    is_unusual: bool = False
    is_usual: bool = False
    weighed: OrderEvidence | None = None

    @property
    def status(self) -> str:
        """The status of images that are in the expected scale."""
        if self.probability >= MIN_MISMATCH:
            return "mismatch"
        return "ok" if 1 - self.probability >= MIN_OK else "unknown"


def order_of(case: Case, expected: InputConvention, in_fix: bool = False) -> Order:
    """Returns the channel order of images that should be in the convention `expected`.

    Args:
        case: What is known about the input.
        expected: What the model must receive.
        in_fix: Whether the scale of the images is wrong as well. A swap is then tried together
            with the fix of the scale.
    """
    if case.summary.num_channels != 3 or expected.channel_order not in ("rgb", "bgr"):
        return Order()
    by_means = means_swapped(case.observation.convention, expected)
    prior, of_means = _prior(case, expected, in_fix)
    assumed = prior > 0 if in_fix else by_means
    evidence, trial = OrderEvidence(prior, _memory(case, expected)), None
    if not case.structure.fresh and _can_decide(case, evidence, assumed, in_fix):
        trial = try_swap(case, expected, in_fix)
        evidence = evidence.with_trial(trial)
    probability, (memory, seen) = evidence.probability(), evidence.counted()
    of_assumed = probability if assumed else 1 - probability
    departs = 1 - of_assumed >= MIN_MISMATCH
    sentences = []
    if abs(memory) > SAID and isinstance(case.reading, Reading):
        sentences.append(
            f"Batch norm says that red and blue are {'swapped' if memory > 0 else 'in place'} "
            f"({abs(evidence.memory):.1f} standard errors over {case.reading.num_images} images)."
        )
    sentences += of_means
    if trial is not None and (memory > SAID or seen > 0):
        sentences.append(trial.in_words().replace("the fix", "red and blue exchanged"))
    if not sentences:
        sentences.append(
            "Whether red or blue comes first cannot be told from these images; RGB is assumed, "
            "as most readers give it (OpenCV gives BGR)."
        )
    helps = trial is not None and trial.can_tell and trial.sigmas > HELPS
    return Order(
        probability,
        assumed != departs,
        tuple(sentences),
        is_possible=by_means or memory > SAID or seen > SAID,
        is_proven=helps or (case.stated and by_means),
        is_sure=departs or of_assumed >= 0.5,
        is_unusual=departs and assumed and _is_only_usual(case, expected),
        is_usual=not (case.stated or case.trusted) and assumed and memory + seen < SAID,
        weighed=evidence,
    )


def means_swapped(observed: InputConvention, expected: InputConvention) -> bool:
    """Whether the per-channel means were subtracted in the reverse of the expected order."""
    return {observed.channel_order, expected.channel_order} == {"rgb", "bgr"}


def _prior(case: Case, expected: InputConvention, in_fix: bool) -> tuple[float, list[str]]:
    """Returns the log-odds of a swap before batch norm and the trial, and a sentence on them."""
    order, is_rgb = case.observation.convention.channel_order, expected.channel_order == "rgb"
    is_published = case.stated or case.trusted
    if order not in ("rgb", "bgr"):
        if is_rgb or (in_fix and is_published):
            return -WEIGHTS.usual if is_rgb else WEIGHTS.usual, []
        return WEIGHTS.likely if in_fix else -WEIGHTS.likely, []
    words = [f"The means were subtracted in {order.upper()} order."]
    if order == expected.channel_order:
        return -WEIGHTS.stated if is_published else -WEIGHTS.usual, words
    if case.stated:
        return WEIGHTS.stated, words
    is_clear = in_fix and not _is_only_usual(case, expected)
    return WEIGHTS.usual if is_clear else WEIGHTS.likely, words


def _is_only_usual(case: Case, expected: InputConvention) -> bool:
    """Whether the expected order is only that in which the means of a mode usually are."""
    return expected.mode in MODES_WITH_ORDER and not (case.stated or case.trusted)


def _memory(case: Case, expected: InputConvention) -> float:
    """Returns the evidence of batch norm for a swap, in standard errors."""
    reading = case.reading
    if not isinstance(reading, Reading) or reading.choice.mode != expected.mode:
        return 0.0
    if reading.num_images < MIN_IMAGES:
        return 0.0
    return reading.swap_sigmas * (1 if reading.choice.swap else -1)


def _can_decide(case: Case, evidence: OrderEvidence, assumed: bool, in_fix: bool) -> bool:
    """Whether the trial could change the result; without batch norm it is worth a hint as well."""
    probable = [evidence._replace(trial=sigmas).probability() for sigmas in (-np.inf, np.inf)]
    if in_fix:
        return (1 - probable[0] if assumed else probable[1]) >= MIN_MISMATCH
    claims = {Order(each).status for each in probable}
    return len(claims) > 1 or isinstance(case.reading, str)


def try_swap(case: Case, expected: InputConvention, in_fix: bool) -> Preference | None:
    """Returns the trial with red and blue exchanged; None if it cannot be run."""
    observed, channels = case.observation.convention, case.summary.num_channels
    fix = case.map_between(as_observed(observed, expected, swap=True), expected)
    than = Transform(None, (1.0,) * channels, (0.0,) * channels)
    if in_fix:
        than = case.map_between(as_observed(observed, expected, swap=False), expected)
    return case.compare(fix, than)

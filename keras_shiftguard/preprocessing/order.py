"""Channel order: how probable it is that red and blue are exchanged in the images as fed.

Three kinds of evidence add up, in log-odds: batch norm, the trial, and the order in which the
per-channel means were subtracted. A color cast looks like a swap to batch norm, and untrained
networks often prefer a swap, so no evidence alone is enough, except for a statement of the order
with means that were subtracted in the other one.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from keras_shiftguard.preprocessing.case import Case
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import Transform
from keras_shiftguard.preprocessing.expected.batch_norm_reading import MIN_IMAGES, Reading
from keras_shiftguard.preprocessing.expected.hypothesis_names import as_observed
from keras_shiftguard.preprocessing.posterior import MIN_MISMATCH, MIN_OK
from keras_shiftguard.preprocessing.witnesses.trial import (
    FIRST_IMAGES,
    HELPS,
    MAX_TRIAL_IMAGES,
    Preference,
)


class OrderWeights(NamedTuple):
    """What each evidence counts, in log-odds of a swap.

    Args:
        usual: Of images in no known order: most image readers give RGB, and RGB is expected.
        bgr: The same if BGR is expected. Then nothing is claimed without more evidence.
        means: Of means that were subtracted in the other order than expected,
        stated: and if the expected order is stated.
        memory: Of each standard error of batch norm, which counts up to `most_memory`.
        most_memory: See `memory`.
        trial: Of each standard error of the trial above `HELPS`.
        most_trial: The trial counts up to so much for a swap,
        least_trial: and down to so much against it.
    """

    usual: float = -2.4
    bgr: float = -0.84
    means: float = 0.7
    stated: float = 5.0
    memory: float = 0.775
    most_memory: float = 3.1
    trial: float = 1.5
    most_trial: float = 1.5
    least_trial: float = -3.0


WEIGHTS = OrderWeights()
SAID = 1.0  # evidence of so many log-odds is told


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
    """

    probability: float = 0.0
    assumed: bool = False
    evidence: tuple[str, ...] = ()
    is_possible: bool = False
    is_proven: bool = False

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
    prior, of_means = _prior(case, expected)
    by_means = means_swapped(case.observation.convention, expected)
    assumed = by_means or (not of_means and expected.channel_order == "bgr")
    if in_fix:
        prior = max(abs(prior), abs(WEIGHTS.usual)) * (1 if assumed else -1)
    sigmas, memory = _memory(case, expected)
    trial, seen = None, 0.0
    if not case.structure.fresh and _can_decide(case, prior, memory, in_fix):
        trial = _try_swap(case, expected, in_fix)
        seen = _weighed(trial)
    probability = float(1 / (1 + np.exp(-(prior + memory + seen))))
    departs = (1 - probability if assumed else probability) >= MIN_MISMATCH
    sentences = []
    if abs(memory) > SAID and isinstance(case.reading, Reading):
        sentences.append(
            f"Batch norm says that red and blue are {'swapped' if memory > 0 else 'in place'} "
            f"({abs(sigmas):.1f} standard errors over {case.reading.num_images} images)."
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
    )


def means_swapped(observed: InputConvention, expected: InputConvention) -> bool:
    """Whether the per-channel means were subtracted in the reverse of the expected order."""
    return {observed.channel_order, expected.channel_order} == {"rgb", "bgr"}


def _prior(case: Case, expected: InputConvention) -> tuple[float, list[str]]:
    """Returns the log-odds of a swap before batch norm and the trial, and a sentence on them."""
    order = case.observation.convention.channel_order
    if order not in ("rgb", "bgr"):
        return (WEIGHTS.bgr if expected.channel_order == "bgr" else WEIGHTS.usual), []
    words = [f"The means were subtracted in {order.upper()} order."]
    if order == expected.channel_order:
        return -WEIGHTS.stated, words
    return (WEIGHTS.stated if case.stated else WEIGHTS.means), words


def _memory(case: Case, expected: InputConvention) -> tuple[float, float]:
    """Returns the evidence of batch norm for a swap, in standard errors and in log-odds."""
    reading = case.reading
    if not isinstance(reading, Reading) or reading.choice.mode != expected.mode:
        return 0.0, 0.0
    if reading.num_images < MIN_IMAGES:
        return 0.0, 0.0
    sigmas = reading.swap_sigmas * (1 if reading.choice.swap else -1)
    most = WEIGHTS.most_memory
    return sigmas, float(np.clip(WEIGHTS.memory * sigmas, -most, most))


def _can_decide(case: Case, prior: float, memory: float, in_fix: bool) -> bool:
    """Whether the trial could change the result; without batch norm it is worth a hint as well."""
    odds = np.array([WEIGHTS.least_trial, WEIGHTS.most_trial]) + prior + memory
    probable = 1 / (1 + np.exp(-odds))
    if in_fix:
        return bool((1 - probable[0] if prior > 0 else probable[1]) >= MIN_MISMATCH)
    claims = {Order(float(each)).status for each in probable}
    return len(claims) > 1 or isinstance(case.reading, str)


def _weighed(trial: Preference | None) -> float:
    """Returns the log-odds of a swap according to the trial."""
    if trial is None or not trial.can_tell:
        return 0.0
    sigmas = trial.sigmas if trial.head_tells else trial.without_head().sigmas
    # Logits that tell no images apart prove nothing, but they can prevent a mismatch.
    most = WEIGHTS.most_trial if trial.sigmas >= 0 else 0.0
    return float(np.clip(WEIGHTS.trial * (sigmas - HELPS), WEIGHTS.least_trial, most))


def _try_swap(case: Case, expected: InputConvention, in_fix: bool) -> Preference | None:
    """Returns the trial with red and blue exchanged; None if it cannot be run.

    Odd images are tried with the levels of ordinary photos. Else a swap may seem to help because it
    tones a color cast down.
    """
    observed, channels = case.observation.convention, case.summary.num_channels
    fix = case.map_between(as_observed(observed, expected, swap=True), expected)
    than = Transform(None, (1.0,) * channels, (0.0,) * channels)
    if in_fix:
        than = case.map_between(as_observed(observed, expected, swap=False), expected)
    if case.levels is not None:
        fix, than = fix.after(*case.levels), than.after(*case.levels)
    # In a fix, the order does not change the verdict, so fewer images are enough.
    return case.compare(fix, than, FIRST_IMAGES if in_fix else MAX_TRIAL_IMAGES)

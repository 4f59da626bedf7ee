"""Channel order: decides whether red and blue are swapped in the images as fed."""

from dataclasses import dataclass

from keras_shiftguard.preprocessing.case import Case
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.hypothesis_names import as_observed
from keras_shiftguard.preprocessing.limits import (
    FIRST_IMAGES,
    MAX_FAIR_FIT,
    MIN_HELP_SIGMAS,
    MIN_IMAGES,
    MIN_IMAGES_ALONE,
    MIN_LIKELY_SWAP_SIGMAS,
    MIN_SWAP_GAP,
    MIN_SWAP_SIGMAS,
    MIN_TRIAL_SIGMAS,
    MIN_TRIAL_SIGMAS_SUPPORTED,
)
from keras_shiftguard.preprocessing.witnesses.trial import Preference


@dataclass(frozen=True)
class Order:
    """The decision on the channel order.

    Args:
        swap: Whether red and blue are probably swapped.
        is_certain: Whether `swap` is certain. Only a certain swap is a mismatch.
        evidence: Sentences with numbers.
        swap_is_possible: Whether at least one source of evidence suggests a swap that is not
            certain.
        is_proven: Whether the swap is certain because of the trial, or because of a stated
            convention and the order of the subtracted means.
    """

    swap: bool
    is_certain: bool
    evidence: tuple[str, ...] = ()
    swap_is_possible: bool = False
    is_proven: bool = False


def order_for(case: Case, expected: InputConvention, fixed: bool = False) -> Order:
    """Decides the channel order of images that should be in the convention `expected`.

    There are three sources of evidence: batch norm, the trial (`witnesses/trial.py`), and the order
    of the subtracted per-channel means. A swap is certain if two of them show it and neither batch
    norm nor the trial contradicts it. Batch norm alone is not enough, because a color cast looks
    like a swap. If the convention is stated, the order of the subtracted means is enough.

    Args:
        case: What is known about the input.
        expected: What the model must receive.
        fixed: Whether the mode of the images is wrong as well. A swap is then tried together
            with the fix of the mode.
    """
    if case.summary.num_channels != 3 or expected.channel_order not in ("rgb", "bgr"):
        return Order(False, True)
    usual = case.observation.convention.channel_order
    by_means = usual in ("rgb", "bgr")
    by_feed = means_swapped(case.observation.convention, expected)
    memory = _memory(case, expected)
    sentences = []
    if memory > MIN_SWAP_SIGMAS or memory < -MIN_SWAP_SIGMAS:
        number = case.reading.num_images if isinstance(case.reading, Reading) else 0
        sentences.append(
            f"Batch norm says that red and blue are {'swapped' if memory > 0 else 'in place'} "
            f"({abs(memory):.1f} standard errors over {number} images)."
        )
    if by_means:
        sentences.append(f"The means were subtracted in {usual.upper()} order.")
    if memory < -MIN_LIKELY_SWAP_SIGMAS and not by_feed:
        return Order(False, True, tuple(sentences))
    trial = None
    if memory > -MIN_LIKELY_SWAP_SIGMAS and not case.structure.fresh:
        trial = _try_swap(case, expected, fixed)
    helps = trial.sigmas if trial is not None and trial.can_tell else None
    # `helps` is computed with the logits, and can contradict a certain swap. `seen` decides whether
    # a swap is likely. It is computed without the logits if they do not distinguish the images.
    seen = helps
    if trial is not None and trial.can_tell and not trial.head_tells:
        seen = trial.without_head().sigmas
    if trial is not None and (memory > MIN_LIKELY_SWAP_SIGMAS or (helps or 0) > 1):
        sentences.append(trial.in_words().replace("the fix", "red and blue exchanged"))
    alone = trial is not None and trial.num_images >= MIN_IMAGES_ALONE
    by_trial = helps is not None and (
        helps > MIN_TRIAL_SIGMAS_SUPPORTED
        if memory > MIN_SWAP_SIGMAS
        else helps > MIN_TRIAL_SIGMAS and alone
    )
    sure = sum((memory > MIN_SWAP_SIGMAS, by_trial, by_feed))
    vetoed = memory < -MIN_LIKELY_SWAP_SIGMAS or (helps is not None and helps < 0)
    if case.stated and by_feed:  # the statement and the subtracted means agree
        return Order(True, True, tuple(sentences), is_proven=True)
    if sure >= 2 and not vetoed and not by_feed and _may_be_a_cast(case, expected, sentences):
        vetoed = True
    if sure >= 2 and not vetoed:
        return Order(True, True, tuple(sentences), is_proven=by_trial)
    possible = (
        by_feed
        or memory > MIN_LIKELY_SWAP_SIGMAS
        or (helps is not None and helps > MIN_TRIAL_SIGMAS_SUPPORTED)
    )
    # The trial alone gives only a hint: untrained networks often prefer a swap.
    against = memory < -MIN_LIKELY_SWAP_SIGMAS or (seen is not None and seen < 0)
    likely = not against and (by_feed or memory > MIN_LIKELY_SWAP_SIGMAS)
    if fixed:
        # The mode is wrong anyway, so its fix uses the likelier order.
        if by_feed or memory > MIN_LIKELY_SWAP_SIGMAS:
            likely = memory > -MIN_LIKELY_SWAP_SIGMAS
            likely = likely and (seen or 0) > -MIN_TRIAL_SIGMAS_SUPPORTED
        elif by_means:  # the means were subtracted in the expected order
            likely = False
        else:
            usual_swap = expected.channel_order == "bgr"  # most image readers return RGB
            lean = memory + (seen or 0) if memory > 0 else min(seen or 0, 0)
            likely = usual_swap if abs(lean) < MIN_LIKELY_SWAP_SIGMAS else lean > 0
    if not possible and not by_means and abs(memory) < MIN_LIKELY_SWAP_SIGMAS:
        sentences.append(
            "Whether red or blue comes first cannot be told from these images; RGB is assumed, "
            "as most readers give it (OpenCV gives BGR)."
        )
        return Order(expected.channel_order == "bgr", False, tuple(sentences))
    return Order(likely, False, tuple(sentences), swap_is_possible=possible)


def _may_be_a_cast(case: Case, expected: InputConvention, sentences: list[str]) -> bool:
    """Whether a color cast explains what looks like a swap; adds a sentence if so.

    Batch norm and the trial may both prefer a swap because it tones the cast down. If the swap is
    real, it also helps after the levels of the images were corrected.
    """
    swapped = as_observed(case.observation.convention, expected, swap=True)
    trial = case.try_swap_after_levels(swapped, expected)
    if trial is None or not trial.can_tell or trial.sigmas > MIN_HELP_SIGMAS:
        return False
    sentences.append(
        "These images are unusually pale, dark or tinted. With the levels of ordinary photos, the "
        "network does not see better if red and blue are exchanged."
    )
    return True


def means_swapped(observed: InputConvention, expected: InputConvention) -> bool:
    """Whether the per-channel means were subtracted in the reverse of the expected order."""
    orders = {observed.channel_order, expected.channel_order}
    return orders == {"rgb", "bgr"}


def _memory(case: Case, expected: InputConvention) -> float:
    """Returns the evidence of batch norm for a swap of red and blue, in standard errors.

    The number is positive for a swap, negative against a swap, and 0 if batch norm cannot decide.
    """
    reading = case.reading
    if not isinstance(reading, Reading) or reading.choice.mode != expected.mode:
        return 0.0
    choice, fit = reading.choice, reading.scores.misfit
    others = [
        i
        for i, h in enumerate(reading.hypotheses)
        if h.mode == choice.mode and h.swap != choice.swap and h.inverted == choice.inverted
    ]
    if not others or reading.num_images < MIN_IMAGES or fit[reading.best] > MAX_FAIR_FIT:
        return 0.0
    same_means = [i for i in others if reading.hypotheses[i].means == choice.means] or others
    gap, _ = reading.scores.gap(same_means[0], reading.best)
    sigmas = reading.swap_sigmas
    if gap < MIN_SWAP_GAP and choice.means is None:  # with a small gap, a swap is never certain
        sigmas = min(sigmas, MIN_SWAP_SIGMAS)
    return sigmas if choice.swap else -sigmas


def _try_swap(case: Case, expected: InputConvention, fixed: bool) -> Preference | None:
    """Returns the trial with red and blue exchanged; None if the trial cannot be run.

    If the mode is wrong as well, both fixes together are compared with the fix of the mode alone.
    The order then changes only the fix, not the verdict, so fewer images are enough.
    """
    observed = case.observation.convention
    swapped = as_observed(observed, expected, swap=True)
    if not fixed:
        return case.try_fix(swapped, expected)
    than = as_observed(observed, expected, swap=False)
    return case.try_fix(swapped, expected, than, limit=FIRST_IMAGES)

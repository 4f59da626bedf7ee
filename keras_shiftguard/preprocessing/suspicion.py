"""Suspicion: the convention that the model seems to expect, if none is stated.

The suspected convention is the one that batch norm fits best or, without batch norm, the published
convention of the architecture. If the two conventions differ and the evidence of batch norm is not
clear, the trial decides between them.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.preprocessing.case import Case
from keras_shiftguard.preprocessing.channel_order import is_about, means_swapped
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.hypothesis_names import (
    as_convention,
    as_observed,
    both_conventions,
    same_numbers,
)
from keras_shiftguard.preprocessing.limits import (
    MAX_FAIR_FIT,
    MAX_GOOD_FIT,
    MIN_IMAGES,
    MIN_LIKELY_SWAP_SIGMAS,
    MIN_MODE_GAP,
    MIN_MODE_SIGMAS,
    MIN_TRIAL_SIGMAS_SUPPORTED,
)


@dataclass(frozen=True)
class Suspicion:
    """The convention that the model seems to expect.

    Args:
        expected: The convention.
        observed: The convention of the images as fed, if the suspicion is right.
        index: Index of the hypothesis in the batch-norm reading; None without a reading.
        evidence: Sentences that say where the suspicion comes from.
    """

    expected: InputConvention
    observed: InputConvention
    index: int | None
    evidence: tuple[str, ...]


def suspicion_of(case: Case) -> Suspicion | None:
    """Returns the suspicion from batch norm, else from the architecture; None if neither exists."""
    prior = case.structure.convention if case.trusted else None
    reading, fed = case.reading, case.observation.convention
    if isinstance(reading, str):
        if prior is None:
            return None
        evidence = case.structure.evidence
        if not case.structure.fresh:
            evidence = (*evidence, reading)
        return Suspicion(prior, as_observed(fed, prior, means_swapped(fed, prior)), None, evidence)
    best = reading.best
    published: tuple[str, ...] = ()
    if prior is not None:
        published = case.structure.evidence
        of_prior = _best_about(reading, prior)
        if of_prior is not None and not is_about(reading.choice, prior):
            if is_better(reading, best, of_prior):
                trained_on = as_convention(reading.choice, "unknown")
                gap, _ = reading.scores.gap(of_prior, best)
                text = (
                    f"The structure and the weights disagree: {case.made_for(prior)}, but the "
                    f"batch norm fits images in {trained_on} better: the misfit is "
                    f"{np.exp(gap):.1f} times smaller."
                )
                published = (text, *published)
            elif _published_is_likelier(case, reading, of_prior):
                best = of_prior
    else:
        best = _settled_by_trial(case, reading)
    hypothesis = reading.hypotheses[best]
    if not (prior and is_about(hypothesis, prior)):
        best = _with_usual_means(reading, best)
        hypothesis = reading.hypotheses[best]
    if prior is not None and is_about(hypothesis, prior):
        expected, observed = prior, as_observed(fed, prior, hypothesis.swap)
    else:
        expected, observed = both_conventions(hypothesis, fed)
        orders = {fed.channel_order, expected.channel_order}
        is_weak = abs(reading.swap_sigmas) < MIN_LIKELY_SWAP_SIGMAS
        if is_weak and hypothesis.means is None and orders <= {"rgb", "bgr"}:
            # Batch norm cannot tell the order, so the model is assumed to expect RGB. The images
            # are in the order in which their means were subtracted.
            expected, observed = as_convention(hypothesis, "rgb"), fed
    return Suspicion(expected, observed, best, (_memory_in_words(reading, best), *published))


def memory_of_expected(case: Case) -> int:
    """Returns whether batch norm supports the convention that the structure expects: 1, -1 or 0.

    It is 1 if the images fit clearly better in this convention than as fed, -1 for the reverse.
    """
    reading, expected = case.reading, case.structure.convention
    if isinstance(reading, str) or same_numbers(
        as_observed(case.observation.convention, expected, swap=False), expected
    ):
        return 0
    index, fed = _best_about(reading, expected), reading.as_fed
    if index is None:
        return 0
    return int(is_better(reading, index, fed)) - int(is_better(reading, fed, index))


def is_better(reading: Reading, index: int, than: int) -> bool:
    """Whether one hypothesis fits well, and significantly better than another hypothesis."""
    gap, sigmas = reading.scores.gap(than, index)
    return bool(
        reading.num_images >= MIN_IMAGES
        and reading.scores.misfit[index] < MAX_GOOD_FIT
        and gap > MIN_MODE_GAP
        and sigmas > MIN_MODE_SIGMAS
    )


def is_known_well(reading: Reading) -> bool:
    """Whether the best mode fits well, and clearly better than the second-best mode."""
    gap, _ = reading.scores.gap(reading.rival(reading.best), reading.best)
    return bool(
        reading.num_images >= MIN_IMAGES
        and reading.scores.misfit[reading.best] < MAX_GOOD_FIT
        and gap > MIN_MODE_GAP
    )


def _published_is_likelier(case: Case, reading: Reading, of_prior: int) -> bool:
    """Whether to suspect the published convention, though batch norm fits another one better.

    The trial decides by comparing the images in both conventions. If the trial cannot decide, the
    published convention must fit batch norm fairly well.
    """
    of_best = reading.hypotheses[reading.best]
    trial = case.try_transform(of_best.transform, reading.hypotheses[of_prior].transform)
    if trial is not None and trial.can_tell:
        return trial.sigmas < 0
    return bool(reading.scores.misfit[of_prior] < MAX_FAIR_FIT)


def _settled_by_trial(case: Case, reading: Reading) -> int:
    """Returns the index of the hypothesis to suspect: the best one, or its closest rival.

    If two modes fit batch norm about equally well, and the images are fed in neither, the mode in
    which the network clearly sees better is suspected.
    """
    best = reading.best
    rival, fed = reading.rival(best), reading.hypotheses[reading.as_fed].mode
    if fed in (reading.hypotheses[best].mode, reading.hypotheses[rival].mode):
        return best
    gap, sigmas = reading.scores.gap(rival, best)
    if gap > MIN_MODE_GAP and sigmas > MIN_MODE_SIGMAS:
        return best
    trial = case.try_transform(
        reading.hypotheses[rival].transform, reading.hypotheses[best].transform
    )
    is_clear = trial is not None and trial.can_tell and trial.sigmas > MIN_TRIAL_SIGMAS_SUPPORTED
    return rival if is_clear else best


def _best_about(reading: Reading, convention: InputConvention) -> int | None:
    """Returns the index of the best-fitting hypothesis for `convention`; None if there is none."""
    agreeing = [
        i for i, h in enumerate(reading.hypotheses) if is_about(h, convention) and not h.inverted
    ]
    return min(agreeing, key=lambda i: reading.scores.misfit[i], default=None)


def _with_usual_means(reading: Reading, best: int) -> int:
    """Returns the index of the hypothesis with the per-channel means in their usual order.

    The usual order is BGR for `caffe`, else RGB. The per-channel means differ too little for batch
    norm to determine their order. So a hypothesis with another order is kept only with clear
    evidence.
    """
    chosen = reading.hypotheses[best]
    usual = "bgr" if chosen.mode == "caffe" else "rgb"
    as_fed = best == reading.as_fed and reading.swap_sigmas > MIN_LIKELY_SWAP_SIGMAS
    if chosen.means in (None, usual) or as_fed:
        return best
    others = [
        i
        for i, h in enumerate(reading.hypotheses)
        if h.mode == chosen.mode and h.means == usual and h.inverted == chosen.inverted
    ]
    other = min(others, key=lambda i: reading.scores.misfit[i], default=best)
    gap, sigmas = reading.scores.gap(other, best)
    return best if gap > MIN_MODE_GAP and sigmas > MIN_MODE_SIGMAS else other


def _memory_in_words(reading: Reading, best: int) -> str:
    """Returns a sentence that compares the misfits."""
    choice = reading.hypotheses[best]
    misfits = [reading.misfit(i) for i in (best, reading.as_fed, reading.rival(best))]
    fits = "fits best" if misfits[0] <= min(misfits) else "is possible, though another fits better"
    changed = " with red and blue swapped" if choice.swap else ""
    changed += " with dark and bright exchanged" if choice.inverted else ""
    number = f"{reading.num_images} image{'s' if reading.num_images != 1 else ''}"
    levels = ""
    if reading.is_levelled:
        levels = (
            "These images are unusually pale, dark, hazy or tinted, so they are compared with the "
            "levels of ordinary photos. "
        )
    return (
        f"{levels}The model's first batch-norm layers remember how its training images were "
        "prepared: "
        f"{as_convention(choice, 'unknown')}{changed} {fits} (misfit {misfits[0]:.2f}, as fed "
        f"{misfits[1]:.2f}, next best scale {misfits[2]:.2f}; {number})."
    )

"""Verdict by evidence, if neither a statement nor layers determine what the model expects.

`posterior.py` weighs batch norm, the trial and the published convention. Without batch norm, only
the published convention is suspected, and the trial alone decides. The feed (the images as fed) has
a veto: values that may be pale or dark images in the expected convention accuse nobody.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.preprocessing.acquittal import acquitted_by_trial
from keras_shiftguard.preprocessing.case import Case, Verdict
from keras_shiftguard.preprocessing.channel_order import means_swapped, order_for
from keras_shiftguard.preprocessing.correction.convention import UNKNOWN, InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.hypothesis_names import (
    as_convention,
    as_observed,
    both_conventions,
    is_about,
    ordered,
    same_numbers,
)
from keras_shiftguard.preprocessing.limits import (
    MAX_INVERTED_FIT,
    MIN_CERTAINTY,
    MIN_CERTAINTY_WIDE_GAP,
    MIN_HEAD_SIGMAS,
    MIN_HELP_SIGMAS,
    MIN_IMAGES,
    MIN_IMAGES_ALONE,
    MIN_LIKELY_SWAP_SIGMAS,
    MIN_MISMATCH,
    MIN_MODE_GAP,
    MIN_MODE_SIGMAS,
    MIN_OBVIOUS_GAP,
    MIN_OK,
    MIN_TRIAL_SIGMAS,
    MIN_TRIAL_SIGMAS_SUPPORTED,
)
from keras_shiftguard.preprocessing.posterior import LEAST, Kind, Posterior, posterior
from keras_shiftguard.preprocessing.witnesses.feed import (
    are_near,
    could_be_the_subject,
    shows_its_convention,
)
from keras_shiftguard.preprocessing.witnesses.trial import Preference

NEGATIVE = "With dark and bright exchanged, the images fit as well: they may be negatives."
PALER = "The training images may have been paler than these, with larger numbers for a pixel."


@dataclass(frozen=True)
class Suspicion:
    """The convention that the model seems to expect.

    Args:
        expected: The convention.
        observed: The convention of the images as fed, if the suspicion is right.
        index: Index of the hypothesis in the batch-norm reading; None without a reading.
        is_inverted: Whether dark and bright are exchanged in the images as fed.
    """

    expected: InputConvention
    observed: InputConvention
    index: int | None = None
    is_inverted: bool = False


def from_evidence(case: Case) -> Verdict | None:
    """Decides by batch norm, the trial and the feed; None if there is too little evidence."""
    if not case.observation.convention.is_known:
        return None
    if isinstance(case.reading, Reading):
        return _with_batch_norm(case, case.reading)
    return _without_batch_norm(case, case.reading)


def memory_of_expected(case: Case) -> int:
    """Returns whether batch norm supports the convention that the structure expects: 1, -1 or 0.

    It is 1 if this convention is probable, and -1 if that of the images as fed is.
    """
    reading, expected = case.reading, case.structure.convention
    in_place = as_observed(case.observation.convention, expected, swap=False)
    if isinstance(reading, str) or same_numbers(in_place, expected):
        return 0
    found = posterior(case, reading, tries=0)
    if reading.num_images < MIN_IMAGES or (expected.mode, False) not in found.probability:
        return 0
    of_expected = found.probability[expected.mode, False]
    return int(of_expected >= MIN_MISMATCH) - int(found.of_fed >= MIN_MISMATCH)


def _with_batch_norm(case: Case, reading: Reading) -> Verdict:
    """Decides by the posterior of a network with batch norm."""
    observation = case.observation
    published = case.structure.convention if case.trusted else None
    found = posterior(case, reading, published)
    is_enough = reading.num_images >= MIN_IMAGES
    if found.of_fed >= MIN_OK and is_enough:
        suspicion = _suspicion(case, reading, found.fed)
        return _right(case, suspicion, _evidence(case, reading, found, suspicion))
    if all(hypothesis.kind != found.rival for hypothesis in reading.hypotheses):
        suspicion = _suspicion(case, reading, found.fed)
        evidence = _evidence(case, reading, found, suspicion)
        is_scale = found.rival[1] and found.of_fed + found.of_rival >= MIN_OK
        expected = suspicion.expected if is_scale else UNKNOWN
        reason = NEGATIVE if found.rival[1] else PALER
        if found.of_rival > LEAST:
            evidence = (reason, *evidence)
        return Verdict("unknown", expected, ordered(observation.convention, expected), evidence)
    suspicion = _suspicion(case, reading, found.rival)
    trial = found.trials.get(found.rival)
    evidence = _evidence(case, reading, found, suspicion)
    is_sure = found.of_rival >= MIN_MISMATCH and is_enough
    if suspicion.is_inverted:
        fit = reading.misfit(suspicion.index or 0)
        is_sure = is_sure and np.log(fit) < MAX_INVERTED_FIT
    veto = _veto_of_feed(case, suspicion, trial) or _veto_of_head(case, suspicion, trial)
    if is_sure and not veto:
        return _mismatch(case, suspicion, evidence, _is_proven(reading, suspicion, trial))
    if is_sure:
        evidence = (veto, *evidence)
    expected = suspicion.expected if is_sure else UNKNOWN
    if published is not None and not is_sure:
        expected = published
    return Verdict("unknown", expected, ordered(observation.convention, expected), evidence)


def _without_batch_norm(case: Case, reason: str) -> Verdict | None:
    """Decides by the trial; None if nothing is suspected and the trial does not acquit."""
    published, fed = case.structure.convention, case.observation.convention
    if not case.trusted:
        return acquitted_by_trial(case, ())
    suspicion = Suspicion(published, as_observed(fed, published, means_swapped(fed, published)))
    of_structure = case.structure.evidence
    if not case.structure.fresh:
        of_structure = (*of_structure, reason)
    if same_numbers(suspicion.observed, published):
        return _right(case, suspicion, (*of_structure, *case.observation.evidence))
    trial = None if case.structure.fresh else case.try_fix(suspicion.observed, published)
    if trial is not None and not trial.head_tells and not are_near(suspicion.observed, published):
        trial = trial.without_head()  # no classifier learns from input so far out of scale
    words = (trial.in_words(),) if trial is not None else ()
    evidence = (*words, *of_structure, *case.observation.evidence)
    certain = case.observation.certainty >= MIN_CERTAINTY
    veto = _veto_of_feed(case, suspicion, trial) or _veto_of_head(case, suspicion, trial)
    if trial_alone_says(trial) and certain and not veto:
        return _mismatch(case, suspicion, evidence, is_proven=True)
    if trial is not None and trial.can_tell and trial.sigmas < 0:
        acquitted = acquitted_by_trial(case, evidence)
        if acquitted is not None:
            return acquitted
    weights = "look untrained" if case.structure.fresh else "do not confirm it"
    sentence = case.made_for(published)
    text = f"{sentence[0].upper()}{sentence[1:]}; these weights {weights}."
    return Verdict("unknown", published, ordered(fed, published), (text, *evidence))


def trial_alone_says(trial: Preference | None) -> bool:
    """Whether the network surely sees better with the fix, without other evidence for it."""
    if trial is None or trial.num_images < MIN_IMAGES_ALONE:
        return False
    return _helps(trial, MIN_TRIAL_SIGMAS)


def _right(case: Case, suspicion: Suspicion, evidence: tuple[str, ...]) -> Verdict:
    """Decides on images in the expected mode; only their channel order may be wrong."""
    order = order_for(case, suspicion.expected)
    observed = as_observed(case.observation.convention, suspicion.expected, order.swap)
    told = (*order.evidence, *evidence) if order.swap else (*evidence, *order.evidence)
    if order.swap and order.is_certain:
        return Verdict("mismatch", suspicion.expected, observed, told, is_proven=order.is_proven)
    status = "unknown" if order.swap else "ok"
    return Verdict(
        status, suspicion.expected, observed, told, swap_is_possible=order.swap_is_possible
    )


def _mismatch(
    case: Case, suspicion: Suspicion, evidence: tuple[str, ...], is_proven: bool
) -> Verdict:
    """Returns the verdict on images in another mode, with the order that the fix assumes."""
    expected, observed = suspicion.expected, suspicion.observed
    order = order_for(case, expected, fixed=True)
    if not suspicion.is_inverted:
        observed = as_observed(case.observation.convention, expected, order.swap)
    return Verdict(
        "mismatch",
        expected,
        observed,
        (*evidence, *order.evidence),
        swap_is_possible=order.swap_is_possible and not order.swap,
        is_proven=is_proven,
    )


# --- what may speak against a mismatch -----------------------------------------------------------


def _veto_of_feed(case: Case, suspicion: Suspicion, trial: Preference | None) -> str:
    """Returns why the images as fed may be in the expected convention after all; else "".

    The suspected mean and deviation of a custom convention follow from the images as fed. So images
    of another scene, exposure or sensor give another suspicion, unless the scale is far off.
    """
    observed, expected, observation = suspicion.observed, suspicion.expected, case.observation
    by_range = not observation.by_grid and not suspicion.is_inverted
    # With batch norm, the posterior compares such images with the levels of ordinary photos.
    has_levels = isinstance(case.reading, Reading) and case.levels is not None
    if not has_levels and could_be_the_subject(case.summary, observed, expected):
        return f"Pale, dark or hazy images in {expected} may look like these."
    if by_range and not shows_its_convention(
        case.summary, observed, expected, observation.is_fitted
    ):
        return f"Pale or dark images in {expected} may have the values of these."
    is_derived = observed.mode == expected.mode == "custom" and not suspicion.is_inverted
    if is_derived and expected != case.structure.convention:
        if are_near(observed, expected) or not _helps(trial, MIN_TRIAL_SIGMAS_SUPPORTED):
            return (
                "The training images may have had another mean and deviation than these because "
                "they show another scene, or are of another exposure or sensor."
            )
    if observation.certainty < MIN_CERTAINTY_WIDE_GAP:
        return "The convention that the images were fed in is not certain."
    return ""


def _veto_of_head(case: Case, suspicion: Suspicion, trial: Preference | None) -> str:
    """Returns why the user's own classifier may have learned from images as fed; else "".

    A classifier on a frozen backbone may have been trained on another input than the backbone, and
    batch norm only shows the input of the backbone. So if the observed and the expected convention
    are close, the fix must clearly help in the trial.
    """
    if case.structure.head != "own" or trial is None:
        return ""
    is_near = are_near(suspicion.observed, suspicion.expected)
    if is_near and not trial.by_labels:
        permits = _helps(trial, MIN_HEAD_SIGMAS)
    else:
        if not (trial.by_labels or trial.head_tells):
            trial = trial.without_head()  # no classifier learns from input so far out of scale
        permits = _helps(trial, MIN_TRIAL_SIGMAS_SUPPORTED) or not trial.can_tell
    if permits:
        return ""
    return (
        "The classifier at the end of the network may have learned from images like these. Labels "
        "would tell: `diagnose(model, (images, labels))`."
    )


def _helps(trial: Preference | None, sigmas: float) -> bool:
    """Whether the network surely sees better with the fix, by so many standard errors."""
    return trial is not None and trial.can_tell and trial.sigmas > sigmas


def _is_proven(reading: Reading, suspicion: Suspicion, trial: Preference | None) -> bool:
    """Whether the fix of a mismatch is known to help, so that it may be offered."""
    if trial is not None and trial.can_tell:
        return trial.sigmas > MIN_HELP_SIGMAS
    assert suspicion.index is not None
    gap, _ = reading.scores.gap(reading.as_fed, suspicion.index)
    return gap > MIN_OBVIOUS_GAP


# --- from a hypothesis to conventions ------------------------------------------------------------


def _suspicion(case: Case, reading: Reading, kind: Kind) -> Suspicion:
    """Returns the conventions of the best hypothesis of a kind."""
    fed, prior = case.observation.convention, None
    if case.trusted and not kind[1] and kind[0] == case.structure.convention.mode:
        prior = case.structure.convention
    index = _index_of(reading, kind, prior)
    hypothesis = reading.hypotheses[index]
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
    return Suspicion(expected, observed, index, hypothesis.inverted)


def _index_of(reading: Reading, kind: Kind, prior: InputConvention | None) -> int:
    """Returns the index of the hypothesis of a kind to assume.

    Of the published mode, it has the published order of the means. Else the order of the channels
    is that of `reading.best`, and the per-channel means are in their usual order (BGR for `caffe`,
    else RGB) unless another order fits clearly better: they differ too little to tell.
    """
    fed = reading.hypotheses[reading.as_fed]
    of_kind = [
        i
        for i, h in enumerate(reading.hypotheses)
        if h.kind == kind or (h.is_identity and kind == fed.kind)
    ]
    if prior is not None:
        of_kind = [i for i in of_kind if is_about(reading.hypotheses[i], prior)] or of_kind
    misfit = reading.scores.misfit
    best = reading.best if reading.best in of_kind else min(of_kind, key=lambda i: misfit[i])
    chosen = reading.hypotheses[best]
    usual = "bgr" if chosen.mode == "caffe" else "rgb"
    as_fed = best == reading.as_fed and reading.swap_sigmas > MIN_LIKELY_SWAP_SIGMAS
    if prior is not None or chosen.means in (None, usual) or as_fed:
        return best
    others = [i for i in of_kind if reading.hypotheses[i].means == usual]
    other = min(others, key=lambda i: misfit[i], default=best)
    gap, sigmas = reading.scores.gap(other, best)
    return best if gap > MIN_MODE_GAP and sigmas > MIN_MODE_SIGMAS else other


# --- words ---------------------------------------------------------------------------------------


def _evidence(
    case: Case, reading: Reading, found: Posterior, suspicion: Suspicion
) -> tuple[str, ...]:
    """Returns the sentences on batch norm, the trial, the structure and the feed."""
    index = reading.as_fed if suspicion.index is None else suspicion.index
    kind = reading.hypotheses[index].kind
    trial = found.trials.get(kind if kind != found.fed else found.rival)
    words = (trial.in_words(),) if trial is not None and kind != found.fed else ()
    published = case.structure.evidence if case.trusted else ()
    of_structure = case.structure.convention
    disagree = kind != (of_structure.mode, False) and found.probability[kind] > MIN_OK
    if case.trusted and disagree and reading.num_images >= MIN_IMAGES:
        text = (
            f"The structure and the weights disagree: {case.made_for(of_structure)}, but the batch "
            f"norm fits images in {as_convention(reading.hypotheses[index], 'unknown')} better."
        )
        published = (text, *published)
    return (_in_words(reading, index, found), *words, *published, *case.observation.evidence)


def _in_words(reading: Reading, index: int, found: Posterior) -> str:
    """Returns a sentence that compares the misfits, with the probability."""
    choice = reading.hypotheses[index]
    misfits = [reading.misfit(i) for i in (index, reading.as_fed, reading.rival(index))]
    fits = "fits best" if misfits[0] <= min(misfits) else "is possible, though another fits better"
    changed = " with red and blue swapped" if choice.swap else ""
    changed += " with dark and bright exchanged" if choice.inverted else ""
    number = f"{reading.num_images} image{'s' if reading.num_images != 1 else ''}"
    kind = found.fed if choice.is_identity else choice.kind
    fed, rival = (
        f"as fed {100 * found.of_fed:.0f} %",
        f"{found.rival[0]} {100 * found.of_rival:.0f} %",
    )
    rival = f"inverted {rival}" if found.rival[1] else rival
    probable = f"probability {100 * found.probability[kind]:.0f} %"
    probable = f"{probable}, {rival if kind == found.fed else fed}"
    levels = ""
    if reading.is_levelled:
        levels = (
            "These images are unusually pale, dark, hazy or tinted, so they are compared with the "
            "levels of ordinary photos. "
        )
    return (
        f"{levels}The model's first batch-norm layers remember how its training images were "
        "prepared: "
        f"{as_convention(choice, 'unknown')}{changed} {fits} ({probable}; misfit "
        f"{misfits[0]:.2f}, as fed {misfits[1]:.2f}, next best scale {misfits[2]:.2f}; {number})."
    )

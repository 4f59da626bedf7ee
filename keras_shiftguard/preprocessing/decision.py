"""The decision between "ok", "mismatch" and "unknown" on one input.

What a model expects has a posterior probability (`posterior.py`). Somebody's word makes one
convention certain, and so do the model's own layers unless the weights contradict them; then only
the values of the images as fed can be in doubt (`witnesses/feed.py`). Labels that the network has
learned come next (`witnesses/labels.py`). Otherwise the probability of the images as fed decides
for "ok", and that of another hypothesis for a mismatch. The order of the channels has a posterior
of its own (`order.py`).
"""

from dataclasses import replace

import numpy as np

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.case import Case, Verdict
from keras_shiftguard.preprocessing.correction.convention import RAW, UNKNOWN, InputConvention
from keras_shiftguard.preprocessing.doubts import (
    doubt_about,
    doubt_of_feed,
    doubts_about_layers,
    helps_alone,
)
from keras_shiftguard.preprocessing.evidence_words import (
    evidence_of,
    scaled_twice,
    without_fix_in_words,
)
from keras_shiftguard.preprocessing.expected.batch_norm_reading import MIN_IMAGES, Reading
from keras_shiftguard.preprocessing.expected.hypotheses import STANDARDISED
from keras_shiftguard.preprocessing.expected.hypothesis_names import (
    Suspicion,
    as_observed,
    ordered,
    same_numbers,
    suspicion_of,
)
from keras_shiftguard.preprocessing.garbled import Garbling
from keras_shiftguard.preprocessing.observation import SURE as CERTAIN
from keras_shiftguard.preprocessing.order import means_swapped, order_of
from keras_shiftguard.preprocessing.posterior import (
    LEAST,
    MIN_MISMATCH,
    MIN_OK,
    posterior,
    posterior_of_trial,
)
from keras_shiftguard.preprocessing.witnesses.feed import (
    are_near,
    fills_stated_range,
    is_fed_another,
    is_narrower,
    why_as_expected,
)
from keras_shiftguard.preprocessing.witnesses.labels import by_labels
from keras_shiftguard.preprocessing.witnesses.trial import HELPS, Preference

# Largest misfit of gray images whose dark and bright are exchanged: images of other subjects may
# look like that. A convention.
MAX_INVERTED_FIT = np.log(0.2)
# Gap by which the expected mode must fit better for the fix to be offered, if the trial cannot
# tell. Only raw pixels in place of small numbers, and the reverse, give such a gap. A convention.
MIN_OBVIOUS_GAP = np.log(5.0)


def decide(case: Case) -> Verdict:
    """Returns the verdict of the first source that gives one; "unknown" if none does."""
    for source in SOURCES:
        verdict = source(case)
        if verdict is not None:
            return verdict
    needed = case.reading if isinstance(case.reading, str) else ""
    evidence = (*case.structure.evidence, needed, *case.observation.evidence)
    observed = ordered(case.observation.convention, case.structure.convention)
    expected = case.structure.convention if case.trusted else UNKNOWN
    return Verdict("unknown", expected, observed, tuple(s for s in evidence if s))


def with_garbling(
    verdict: Verdict,
    garbling: Garbling,
    trial: Preference | None,
    probability: float,
    stated: bool,
) -> Verdict:
    """Returns the verdict on the convention, changed if the images look garbled.

    Args:
        verdict: The verdict on the convention.
        garbling: The suspected garbling.
        trial: The trial of the repaired images.
        probability: The probability of the garbling.
        stated: Whether the convention that the model expects is stated.
    """
    if probability >= MIN_MISMATCH:
        words = () if trial is None else (trial.in_words(),)
        text = f"The probability that the images are garbled is {100 * probability:.0f} %."
        evidence = (garbling.sentence, text, *words, *verdict.evidence)
        return replace(verdict, status="mismatch", evidence=evidence)
    is_acquitted = trial is not None and trial.can_tell and trial.sigmas <= 0
    if garbling.is_plain and not is_acquitted and verdict.status == "ok" and not stated:
        # The images look garbled, and the trial does not contradict this.
        return replace(verdict, status="unknown", evidence=(garbling.sentence, *verdict.evidence))
    return verdict


def _from_broken_images(case: Case) -> Verdict | None:
    """Decides on non-finite or constant values, and on images that were standardized one by one."""
    kind, evidence = case.observation.kind, case.observation.evidence
    expected = case.structure.convention if case.trusted else UNKNOWN
    if kind == "nonfinite" and case.cleaned:
        text = "The network turns these values into finite ones, so it may be made for them."
        return Verdict("unknown", expected, UNKNOWN, (*evidence, text))
    if kind == "nonfinite":
        return Verdict("mismatch", expected, UNKNOWN, evidence)
    if kind == "constant":  # possibly black frames, or uint8 divided as integers
        return Verdict("unknown", expected, UNKNOWN, evidence)
    if kind == "per_image_standardised" and expected.is_known:
        # A network with a left-over `Rescaling` in front may have been trained on such images.
        status = "mismatch" if case.stated else "unknown"
        return Verdict(status, expected, UNKNOWN, (*evidence, *case.structure.evidence))
    return None


def _from_training(case: Case) -> Verdict | None:
    """Decides on a network that is trained from scratch, which can learn any convention."""
    if not case.scratch or case.stated:
        return None
    text = (
        f"{case.name} is trained from scratch here: it learns the convention that it is fed, so "
        "none is wrong. Use the same one when predicting."
    )
    observed = ordered(case.observation.convention, UNKNOWN)
    evidence = (text, *case.observation.evidence)
    learnt = observed if case.begins and case.learnt is None else case.learnt
    if learnt is None or (learnt.is_known and not observed.is_known):
        return Verdict("unknown", UNKNOWN, observed, evidence)
    if observed.mode == learnt.mode:
        return Verdict("ok", observed, observed, evidence, trained_here=case.begins)
    text = f"{case.name} was trained from scratch in this program, on {learnt} at first."
    return Verdict("unknown", learnt, observed, (text, *case.observation.evidence))


# --- somebody's word ------------------------------------------------------------------------------


def _from_word(case: Case) -> Verdict | None:
    """Decides by a statement, or by the model's own layers.

    Layers do not count if batch norm clearly fits the images as fed: the weights were then trained
    on another input than these layers are made for.
    """
    if not case.trusted or not (case.stated or case.structure.speaks):
        return None
    remembered = 0 if case.stated else memory_of_expected(case)
    if remembered == -1:
        return None
    verdict = _against_word(case)
    if case.stated or verdict is None or verdict.status != "mismatch":
        return verdict
    doubts = doubts_about_layers(case, verdict, is_remembered=remembered == 1)
    if doubts is None:
        return verdict
    return replace(verdict, status="unknown", evidence=(*doubts, *verdict.evidence))


def _against_word(case: Case) -> Verdict | None:
    """Compares what is fed with a convention that is certain."""
    expected, observation = case.structure.convention, case.observation
    as_fed, summary = observation.convention, case.summary
    evidence = (*observation.evidence, *case.structure.evidence)
    of_word = (*case.structure.evidence, *observation.evidence)
    if case.stated:
        evidence = of_word
        if expected.mode == "custom" and fills_stated_range(observation, summary, expected):
            return Verdict("ok", expected, expected, evidence)
    why_right = why_as_expected(observation, summary, expected, case.stated)
    right = Verdict("ok", expected, expected, (why_right, *of_word)) if why_right else None
    if not as_fed.is_known:
        return right
    in_place = as_observed(as_fed, expected, means_swapped(as_fed, expected))
    is_scale_right = same_numbers(in_place, expected)
    order = order_of(case, expected, in_fix=not is_scale_right)
    evidence = (*evidence, *order.evidence)
    swap = order.status != "ok" if is_scale_right else order.assumed
    observed = as_observed(as_fed, expected, swap)
    if is_scale_right:
        possible = order.is_possible
        return Verdict(order.status, expected, observed, evidence, swap_is_possible=possible)
    if is_fed_another(observation, summary, observed, expected):
        is_raw = expected.mode == "raw" and is_narrower(observed, expected)
        if is_raw and not are_near(observed, expected) and not case.stated:
            evidence = (scaled_twice(case), *evidence)
        return Verdict("mismatch", expected, observed, evidence)
    return right or Verdict("unknown", expected, observed, evidence)


def memory_of_expected(case: Case) -> int:
    """Returns whether batch norm supports the convention that the structure expects: 1, -1 or 0.

    It is 1 if this convention is probable, and -1 if that of the images as fed is.
    """
    reading, expected = case.reading, case.structure.convention
    as_fed = case.observation.convention
    if isinstance(reading, str) or reading.num_images < MIN_IMAGES:
        return 0
    if same_numbers(as_observed(as_fed, expected, swap=False), expected):
        return 0
    found = posterior(case, reading, is_tried=False)
    if (expected.mode, False) not in found.probability:
        return 0
    of_expected = found.probability[expected.mode, False]
    return int(of_expected >= MIN_MISMATCH) - int(found.of_fed >= MIN_MISMATCH)


# --- labels ---------------------------------------------------------------------------------------


def _from_labels(case: Case) -> Verdict | None:
    """Decides by the labels of the images, if the network has learned them."""
    found = by_labels(case)
    if found is None:
        return None
    expected, trial = found
    fed, known = case.observation.convention, case.structure.convention
    evidence = (trial.in_words(), *case.observation.evidence)
    if expected is None:
        is_known = case.trusted and same_numbers(as_observed(fed, known, swap=False), known)
        return _right(case, known if is_known else ordered(fed, RAW), evidence)
    if case.trusted and known.mode == expected.mode:
        expected = known
    suspicion = Suspicion(expected, as_observed(fed, expected, means_swapped(fed, expected)))
    doubt = doubt_of_feed(case, suspicion, trial)
    if doubt:
        return Verdict("unknown", expected, ordered(fed, expected), (doubt, *evidence))
    return _mismatch(case, suspicion, evidence, is_proven=True)


# --- evidence -------------------------------------------------------------------------------------


def _from_evidence(case: Case) -> Verdict | None:
    """Decides by batch norm, the trial and the feed; None if there is too little evidence."""
    if not case.observation.convention.is_known:
        return None
    if isinstance(case.reading, Reading):
        return _with_batch_norm(case, case.reading)
    return _without_batch_norm(case, case.reading)


def _with_batch_norm(case: Case, reading: Reading) -> Verdict:
    """Decides by the posterior of a network with batch norm."""
    fed = case.observation.convention
    published = case.structure.convention if case.trusted else None
    found = posterior(case, reading, published)
    is_enough = reading.num_images >= MIN_IMAGES
    is_right = found.of_fed >= MIN_OK and is_enough
    has_fix = any(hypothesis.kind == found.rival for hypothesis in reading.hypotheses)
    kind = found.rival if has_fix and not is_right else found.fed
    prior = published if kind == (getattr(published, "mode", None), False) else None
    suspicion = suspicion_of(reading, kind, fed, prior)
    evidence = evidence_of(case, reading, found, suspicion)
    if is_right:
        return _right(case, suspicion.expected, evidence)
    if not has_fix:
        is_scale = found.rival[1] and found.of_fed + found.of_rival >= MIN_OK
        expected = suspicion.expected if is_scale else UNKNOWN
        if found.of_rival > LEAST:
            evidence = (without_fix_in_words(found.rival), *evidence)
        return Verdict("unknown", expected, ordered(fed, expected), evidence)
    trial = found.trials.get(kind)
    is_probable = found.of_rival >= MIN_OK and is_enough
    if suspicion.is_inverted:
        fits = np.log(reading.misfit(suspicion.index)) < MAX_INVERTED_FIT
        is_probable = found.of_rival >= MIN_MISMATCH and is_enough and fits
    if not is_probable:
        expected = UNKNOWN if published is None else published
        return Verdict("unknown", expected, ordered(fed, expected), evidence)
    # Images of unusual subjects fit no hypothesis well, the right one neither. So what counts is
    # how little is left for the images as fed, not how much is left for "none of these".
    is_sure = found.of_fed <= LEAST
    trial = found.trials.get(kind)
    doubt = doubt_about(case, suspicion, trial) if is_sure else ""
    if doubt or not is_sure:
        evidence = (doubt, *evidence) if doubt else evidence
        expected = suspicion.expected
        return Verdict("unknown", expected, ordered(fed, expected), evidence)
    gap, _ = reading.scores.gap(reading.as_fed, suspicion.index)
    is_proven = gap > MIN_OBVIOUS_GAP
    if trial is not None and trial.can_tell:
        is_proven = trial.sigmas > HELPS
    return _mismatch(case, suspicion, evidence, is_proven)


def _without_batch_norm(case: Case, reason: str) -> Verdict | None:
    """Decides by the trial; None if nothing is suspected and the trial does not acquit.

    A published convention alone accuses nobody: it only is what the trial compares.
    """
    expected, fed = case.structure.convention, case.observation.convention
    fresh, of_feed = case.structure.fresh, case.observation.evidence
    if not case.trusted:
        return _right_by_trial(case, ())
    evidence = (*case.structure.evidence, *(() if fresh else (reason,)), *of_feed)
    observed = as_observed(fed, expected, means_swapped(fed, expected))
    if same_numbers(observed, expected):
        return _right(case, expected, evidence)
    trial = None if fresh else case.compare(case.map_between(observed, expected))
    if trial is not None:
        evidence = (trial.in_words(), *evidence)
        suspicion = Suspicion(expected, observed)
        compared = trial
        if not trial.head_tells and not are_near(observed, expected):
            compared = trial.without_head()  # no classifier learns from input so far out of scale
        is_sure = case.observation.certainty >= CERTAIN and helps_alone(compared)
        if is_sure and not doubt_about(case, suspicion, compared):
            return _mismatch(case, suspicion, evidence, is_proven=True)
        right = _right_by_trial(case, evidence) if trial.can_tell and trial.sigmas < 0 else None
        if right is not None:
            return right
    weights = "look untrained" if fresh else "do not confirm it"
    made = case.made_for(expected)
    text = f"{made[0].upper()}{made[1:]}; these weights {weights}."
    return Verdict("unknown", expected, ordered(fed, expected), (text, *evidence))


def _right_by_trial(case: Case, evidence: tuple[str, ...]) -> Verdict | None:
    """Returns "ok" if the network sees worse in every other mode; else None.

    In many networks without normalization, larger pixel values make images easier to distinguish,
    up to some size. So large values prove nothing if they score best.
    """
    fed = ordered(case.observation.convention, RAW)
    small = [mode for mode in MODES if mode not in ("raw", "caffe")]
    if case.summary.num_channels != 3 or case.structure.fresh or fed.mode not in small:
        return None
    others = [(mode, False) for mode in MODES if mode != fed.mode]
    found = posterior_of_trial(case, [*others, STANDARDISED])
    if found.of_fed < MIN_OK:
        return None
    least = -max(found.evidence.sigmas.values())
    text = (
        f"Trial: the network sees worse in every other mode, by {least:.1f} standard errors or "
        "more."
    )
    return _right(case, fed, (text, *evidence, *case.observation.evidence))


# --- verdicts -------------------------------------------------------------------------------------


def _right(case: Case, expected: InputConvention, evidence: tuple[str, ...]) -> Verdict:
    """Decides on images in the expected mode; only their channel order may be wrong."""
    order = order_of(case, expected)
    swap = order.status != "ok"
    return Verdict(
        order.status,
        expected,
        as_observed(case.observation.convention, expected, swap),
        (*order.evidence, *evidence) if swap else (*evidence, *order.evidence),
        swap_is_possible=order.is_possible and order.status != "mismatch",
        is_proven=order.is_proven,
    )


def _mismatch(
    case: Case, suspicion: Suspicion, evidence: tuple[str, ...], is_proven: bool
) -> Verdict:
    """Returns the verdict on images in another mode, with the order that the fix assumes."""
    expected, observed = suspicion.expected, suspicion.observed
    order = order_of(case, expected, in_fix=True)
    if order.is_unusual and isinstance(case.reading, Reading):
        expected = _with_means_that_fit(case.reading, expected)
    if not suspicion.is_inverted:
        observed = as_observed(case.observation.convention, expected, order.assumed)
    return Verdict(
        "mismatch",
        expected,
        observed,
        (*evidence, *order.evidence),
        swap_is_possible=order.is_possible and not order.assumed,
        order_is_usual=order.assumed and order.is_usual,
        is_proven=is_proven and order.is_sure,
    )


def _with_means_that_fit(reading: Reading, expected: InputConvention) -> InputConvention:
    """Returns the convention with its means in the order that fits the channels as fed."""
    misfit = {
        h.means: reading.scores.misfit[i]
        for i, h in enumerate(reading.hypotheses)
        if h.mode == expected.mode and h.means is not None and not h.swap
    }
    order = min(misfit, key=lambda means: misfit[means], default=expected.channel_order)
    return InputConvention(expected.mode, order)


SOURCES = (_from_broken_images, _from_training, _from_word, _from_labels, _from_evidence)

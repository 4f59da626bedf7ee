"""Rules that decide between "ok", "mismatch" and "unknown", in the order in which they apply.

The first source that determines the expected convention decides: a statement (`expects=`, a profile
attached to the file, the model's own preprocessor), then the layers inside the model, then the
evidence in `by_evidence.py`. A published convention alone decides nothing.
"""

from dataclasses import replace

import numpy as np

from keras_shiftguard.conventions import Form, forms
from keras_shiftguard.preprocessing.by_evidence import (
    from_evidence,
    memory_of_expected,
    trial_alone_says,
)
from keras_shiftguard.preprocessing.case import Case, Verdict
from keras_shiftguard.preprocessing.channel_order import means_swapped, order_for
from keras_shiftguard.preprocessing.correction.convention import UNKNOWN, InputConvention
from keras_shiftguard.preprocessing.expected.hypothesis_names import (
    as_observed,
    ordered,
    same_numbers,
)
from keras_shiftguard.preprocessing.limits import (
    MAX_EXTREME_OUTSIDE,
    MAX_MANY_OUTSIDE,
    MAX_OUTSIDE,
    MAX_PALE_SPAN,
    MIN_ACQUITTAL_SIGMAS,
    MIN_APART_TO_OBJECT,
    MIN_CERTAINTY,
    MIN_CERTAINTY_WIDE_GAP,
    MIN_HELP_SIGMAS,
    MIN_LAYERS_SIGMAS,
    MIN_OBJECTION_SIGMAS,
    MIN_SPAN_FROM_BLACK,
    MIN_SPAN_RATIO,
    MIN_STATED_SPAN,
    MIN_TRIAL_IMAGES,
)
from keras_shiftguard.preprocessing.observation import MAX_GAP, hits_an_end
from keras_shiftguard.preprocessing.witnesses.feed import are_near, reaches_own_end
from keras_shiftguard.preprocessing.witnesses.trial import Preference
from keras_shiftguard.profiles import InputSummary

LEARNED_AS_FED = (
    "With the fix, the network distinguishes these images less well. So it may have learned from "
    "images like these, whatever its layers are made for."
)


def decide(case: Case) -> Verdict:
    """Returns the verdict of the first rule that gives one; "unknown" if no rule gives one."""
    guesses = (_trained_from_scratch, _from_layers, from_evidence)
    for rule in (_broken, *((_from_statement, _from_word) if case.stated else guesses)):
        verdict = rule(case)
        if verdict is not None:
            return verdict
    needed = case.reading if isinstance(case.reading, str) else ""
    evidence = (*case.structure.evidence, needed, *case.observation.evidence)
    observed = ordered(case.observation.convention, case.structure.convention)
    expected = case.structure.convention if case.trusted else UNKNOWN
    return Verdict("unknown", expected, observed, tuple(s for s in evidence if s))


def _broken(case: Case) -> Verdict | None:
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


def _from_statement(case: Case) -> Verdict | None:
    """Decides on a stated convention without a name, which `observe` cannot recognize.

    The verdict is "ok" if the values come from pixels in 0..255 and span enough of that range.
    The values must also reach black or white, unless the observed convention is uncertain.
    """
    expected, summary = case.structure.convention, case.summary
    if expected.mode != "custom":
        return None
    form = Form(("stated",), "", np.asarray(expected.scale), np.asarray(expected.offset))
    if not form.span(summary.minimum, summary.maximum):
        return None
    if case.observation.certainty < MIN_CERTAINTY or hits_an_end(form, summary):
        evidence = (*case.structure.evidence, *case.observation.evidence)
        return Verdict("ok", expected, expected, evidence)
    return None


def _trained_from_scratch(case: Case) -> Verdict | None:
    """Decides on a network that is trained from scratch, which can learn any convention."""
    if not case.scratch:
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


def _from_layers(case: Case) -> Verdict | None:
    """Decides from the model's own layers, if they show what the model's input must receive.

    The rule returns None if batch norm clearly fits the images as fed: the weights were then
    trained on another input than these layers are made for. A network that is not recognized may
    have been trained on other input from the beginning, and so may the user's own head of a
    recognized one. So the trial can turn a mismatch into "unknown". Large numbers without a named
    convention, such as those of 12-bit images, may be what an unrecognized network has learned:
    then batch norm or the trial must support the mismatch.
    """
    if not case.trusted or not case.structure.speaks:
        return None
    memory = memory_of_expected(case)
    if memory == -1:
        return None
    verdict = _from_word(case)
    if verdict is None or verdict.status != "mismatch":
        return verdict
    conventions = verdict.observed, verdict.expected
    is_recognized = case.structure.architecture is not None
    if is_recognized and (case.structure.head != "own" or same_numbers(*conventions)):
        return verdict
    trial = None if case.structure.fresh else case.try_fix(*conventions)
    if is_recognized:
        doubt = _doubt_about_head(case, trial)
        status = "unknown" if doubt else "mismatch"
        return replace(verdict, status=status, evidence=(*doubt, *verdict.evidence))
    objects = trial is not None and _objects(trial)
    is_doubtful = case.observation.is_fitted and not _is_narrower(*conventions)
    if not objects and (not is_doubtful or memory == 1 or trial_alone_says(trial)):
        return verdict
    words = () if trial is None else (trial.in_words(),)
    if objects and trial is not None and not trial.can_tell:
        words = (LEARNED_AS_FED,)
    return replace(verdict, status="unknown", evidence=(*words, *verdict.evidence))


def _objects(trial: Preference) -> bool:
    """Whether a network distinguishes images less well with the fix that its layers suggest.

    A fault makes images hard to distinguish, so here even a weak trial counts.
    """
    if trial.can_tell and trial.sigmas <= -MIN_ACQUITTAL_SIGMAS:
        return True
    can_tell = trial.num_images >= MIN_TRIAL_IMAGES and trial.told_apart >= MIN_APART_TO_OBJECT
    return can_tell and trial.at_best < 0 and trial.sigmas <= -MIN_OBJECTION_SIGMAS


def _doubt_about_head(case: Case, trial: Preference | None) -> tuple[str, ...]:
    """Returns sentences if the user's head may have learned from images as fed, else ().

    The backbone sees better with the fix in any case, because its own training was with the layers'
    input. So the fix must help by far, or make labels that the head has learned more probable.
    """
    text = f"The head behind {case.name} may have learned from images like these"
    if trial is None or trial.num_images < MIN_TRIAL_IMAGES:
        return (f"{text}, and there are too few images to try the fix.",)
    gain, needed = trial.at_best, MIN_LAYERS_SIGMAS
    if trial.by_labels:
        gain, needed = trial.sigmas, MIN_HELP_SIGMAS
    if gain > needed:
        return ()
    if gain < 0:
        return trial.in_words(), f"{text}."
    return (
        f"{text}: with the fix the network sees better by only {gain:.1f} standard errors "
        f"({needed} are needed).",
    )


def _from_word(case: Case) -> Verdict | None:
    """Decides from a statement, or from layers inside the model."""
    if not case.trusted:
        return None
    if not case.observation.convention.is_known:
        return _fits_the_word(case) or _lies_within_the_word(case)
    expected, observation = case.structure.convention, case.observation
    evidence = (*observation.evidence, *case.structure.evidence)
    if case.stated:
        evidence = (*case.structure.evidence, *observation.evidence)
    as_fed = observation.convention
    in_place = as_observed(as_fed, expected, means_swapped(as_fed, expected))
    order = order_for(case, expected, fixed=not same_numbers(in_place, expected))
    observed = as_observed(observation.convention, expected, order.swap)
    evidence = (*evidence, *order.evidence)
    if same_numbers(observed, expected):
        status = "ok" if not order.swap else "mismatch" if order.is_certain else "unknown"
        return Verdict(
            status, expected, observed, evidence, swap_is_possible=order.swap_is_possible
        )
    is_far = not are_near(observed, expected)
    # The range of pale images in [-1, 1] can be that of images in [0, 1], and augmentation takes
    # values out of the expected range. The black or white of another convention is no chance.
    is_shown = observation.by_grid or (
        not observation.is_fitted and reaches_own_end(case.summary, observed, expected)
    )
    is_sure = observation.certainty >= MIN_CERTAINTY and (is_far or is_shown)
    # A single broken pixel can widen a fitted range, but not narrow it.
    could_be_one_pixel = observation.is_fitted and not _is_narrower(observed, expected)
    is_clear = observation.certainty >= MIN_CERTAINTY_WIDE_GAP and not could_be_one_pixel
    is_sure = is_sure or (is_clear and is_far)
    if is_sure or _outside(case.summary, expected, MAX_MANY_OUTSIDE):
        is_raw = expected.mode == "raw" and is_far and _is_narrower(observed, expected)
        if is_raw and case.structure.speaks and not case.stated:
            evidence = (_scaled_twice(case), *evidence)
        return Verdict("mismatch", expected, observed, evidence)
    verdict = _fits_the_word(case) or _lies_within_the_word(case)
    return verdict or Verdict("unknown", expected, observed, evidence)


def _scaled_twice(case: Case) -> str:
    """Returns the sentence that images are scaled before the model and in it."""
    layers = " and ".join(repr(name) for name in case.structure.scaling[:2])
    where = f"in its layer {layers}" if layers else "by its own layers"
    return (
        f"The images are scaled twice: once before the model, and once {where}. Remove one of the "
        "two."
    )


def _fits_the_word(case: Case) -> Verdict | None:
    """Decides on images of uncertain convention that fit the expected convention.

    Resizing with a sharp filter and changes of brightness take single values out of the range.
    Dark collections do not reach white, but their black has the right value. Pale collections whose
    white has the right value are not decided: white is 1 both in [0, 1] and in [-1, 1].
    """
    expected, observation = case.structure.convention, case.observation
    if observation.kind is not None or observation.certainty >= MIN_CERTAINTY_WIDE_GAP:
        return None
    low, high = _as_raw(case.summary, expected, 0.01, 0.99)
    darkest, brightest = _ends_as_raw(case.summary, expected)
    excess = max(-darkest.min(), brightest.max() - 255)
    if excess > MAX_EXTREME_OUTSIDE * 255 or _outside(case.summary, expected, MAX_OUTSIDE):
        return None
    span = (high.min() - low.max()) / 255
    reaches_an_end = np.all(darkest < MAX_GAP) or np.all(brightest > 255 - MAX_GAP)
    if span >= MIN_STATED_SPAN and reaches_an_end:
        text = f"The values fill the range of {expected}, with few outside, as augmentation does."
    elif np.all(np.abs(darkest) < MAX_GAP) and span >= MIN_SPAN_FROM_BLACK:
        text = f"The values begin at black of {expected}, and stay in a part of its range."
    else:
        return None
    evidence = (text, *case.structure.evidence, *observation.evidence)
    return Verdict("ok", expected, expected, evidence)


def _lies_within_the_word(case: Case) -> Verdict | None:
    """Decides on pale or dark images that no other named convention explains as well.

    They lie in the range of a stated convention and span enough of it. Images in another convention
    may lie there as well, but then span more of the range of this one, or reach its black or white.
    If the means were subtracted in the other order, the channels differ less in that order.
    """
    expected, summary = case.structure.convention, case.summary
    if not case.stated or case.observation.kind not in (None, "scaled_twice"):
        return None
    if case.observation.certainty >= MIN_CERTAINTY:
        return None
    ends = summary.minimum, summary.maximum
    own = Form(("stated",), "", np.asarray(expected.scale), np.asarray(expected.offset))
    span = own.span(*ends)
    if not span or span > MAX_PALE_SPAN:
        return None
    for rival in forms(summary.num_channels):
        other = rival.span(*ends)
        if rival.has_two_steps or not other:
            continue
        low, high = rival.to_raw(np.stack(ends))
        reaches_an_end = bool(np.all(low < MAX_GAP) or np.all(high > 255 - MAX_GAP))
        if rival.steps == (expected.mode,):
            is_likelier = other < span - 1e-6
        else:
            is_likelier = reaches_an_end or span < MIN_SPAN_RATIO * other
        if is_likelier:
            return None
    text = f"The values lie in the range of {expected}, and span {100 * span:.0f} % of it."
    evidence = (text, *case.structure.evidence, *case.observation.evidence)
    return Verdict("ok", expected, expected, evidence)


def _is_narrower(observed: InputConvention, expected: InputConvention) -> bool:
    """Whether pixels become smaller numbers in the observed convention than in the expected one."""
    return bool(np.all(np.abs(np.asarray(observed.scale)) < np.abs(np.asarray(expected.scale))))


def _outside(summary: InputSummary, expected: InputConvention, share: float) -> bool:
    """Whether more than 5 % of the values leave the expected range by `share` of it or more."""
    low, high = _as_raw(summary, expected, 0.05, 0.95)
    return bool(low.min() < -share * 255 or high.max() > (1 + share) * 255)


def _as_raw(summary: InputSummary, expected: InputConvention, *shares: float) -> np.ndarray:
    """Returns quantiles of the values as raw pixels, `(shares, channels)`."""
    values = summary.channel_quantiles(*shares)
    return np.asarray((values - np.asarray(expected.offset)) / np.asarray(expected.scale))


def _ends_as_raw(summary: InputSummary, expected: InputConvention) -> np.ndarray:
    """Returns the smallest and largest value of each channel as raw pixels, `(2, channels)`."""
    ends = np.stack([summary.minimum, summary.maximum])
    return np.asarray((ends - np.asarray(expected.offset)) / np.asarray(expected.scale))

"""Verdict by evidence, if neither a statement nor layers determine what the model expects.

There are three independent sources of evidence, called witnesses. Batch norm holds statistics of
the training images. The trial measures whether the network distinguishes images better with the
fix. The feed (the images as fed) can show its own convention. The witnesses test a suspicion: a
published convention, or the best fit of batch norm. The verdict is "mismatch" if two witnesses
clearly support the suspicion, no witness contradicts it, and the user's own classifier, if any,
permits it.
"""

from keras_shiftguard.preprocessing.acquittal import acquitted_by_trial
from keras_shiftguard.preprocessing.case import Case, Verdict
from keras_shiftguard.preprocessing.channel_order import means_swapped, order_for
from keras_shiftguard.preprocessing.correction.convention import UNKNOWN
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.hypothesis_names import (
    as_observed,
    both_conventions,
    ordered,
    same_numbers,
)
from keras_shiftguard.preprocessing.limits import (
    MAX_CLEAR_FIT,
    MAX_FAIR_FIT,
    MAX_GOOD_FIT,
    MAX_INVERTED_FIT,
    MIN_CERTAINTY,
    MIN_CERTAINTY_WIDE_GAP,
    MIN_HEAD_SIGMAS,
    MIN_HELP_SIGMAS,
    MIN_IMAGES,
    MIN_IMAGES_ALONE,
    MIN_INVERTED_GAP,
    MIN_MODE_GAP,
    MIN_MODE_SIGMAS,
    MIN_OBVIOUS_GAP,
    MIN_TRIAL_SIGMAS,
    MIN_TRIAL_SIGMAS_SUPPORTED,
)
from keras_shiftguard.preprocessing.suspicion import (
    Suspicion,
    is_better,
    is_known_well,
    suspicion_of,
)
from keras_shiftguard.preprocessing.witnesses.feed import (
    are_near,
    could_be_the_subject,
    shows_its_convention,
)
from keras_shiftguard.preprocessing.witnesses.trial import Preference


def from_witnesses(case: Case) -> Verdict | None:
    """Decides by batch norm, the trial and the feed; None if there is too little evidence."""
    if not case.observation.convention.is_known:
        return None
    suspicion = suspicion_of(case)
    if suspicion is None:
        return acquitted_by_trial(case, ())
    if same_numbers(suspicion.observed, suspicion.expected):
        return _right_mode(case, suspicion)
    return _wrong_mode(case, suspicion)


def _right_mode(case: Case, suspicion: Suspicion) -> Verdict | None:
    """Decides on images in the expected mode; only their channel order may be wrong."""
    reading, expected = case.reading, suspicion.expected
    evidence = (*suspicion.evidence, *case.observation.evidence)
    if isinstance(reading, Reading) and not _is_published(case):
        index = reading.as_fed if suspicion.index is None else suspicion.index
        is_clear = reading.scores.misfit[index] < MAX_CLEAR_FIT and _is_far_from_rivals(
            reading, index
        )
        if reading.scores.misfit[index] > MAX_FAIR_FIT and not is_clear:
            # No convention fits well, so it proves nothing that the images as fed fit best.
            return acquitted_by_trial(case, evidence)
        doubt = _doubt_about_paleness(reading, index)
        if doubt:
            fed = ordered(case.observation.convention, UNKNOWN)
            return Verdict("unknown", UNKNOWN, fed, (*doubt, *evidence))
    order = order_for(case, expected)
    observed = as_observed(case.observation.convention, expected, order.swap)
    evidence = (*order.evidence, *evidence) if order.swap else (*evidence, *order.evidence)
    if order.swap and order.is_certain:
        return Verdict("mismatch", expected, observed, evidence, is_proven=order.is_proven)
    status = "unknown" if order.swap else "ok"
    return Verdict(status, expected, observed, evidence, swap_is_possible=order.swap_is_possible)


def _wrong_mode(case: Case, suspicion: Suspicion) -> Verdict | None:
    """Decides on images in another mode than the suspected one."""
    reading, observation = case.reading, case.observation
    expected, observed = suspicion.expected, suspicion.observed
    memory = _memory_says(case, suspicion)
    if case.structure.fresh:
        trial = None
    else:
        trial = case.try_fix(observed, expected)
    if trial is not None and not trial.head_tells and not are_near(observed, expected):
        trial = trial.without_head()  # no classifier learns from input so far out of scale
    by_trial = trial_says(trial, memory)
    doubt: tuple[str, ...] = ()
    if memory == 1 and by_trial < 1 and (doubt := _doubt_about_contrast(case, suspicion)):
        memory = 0
    doubt = (*doubt, *_doubt_about_scene(case, suspicion))
    feed = _feed_says(case, suspicion)
    words = (trial.in_words(),) if trial is not None else ()
    witnesses = (memory, by_trial, feed)
    evidence = (*words, *suspicion.evidence, *observation.evidence)
    if isinstance(reading, Reading):  # the numbers of batch norm come first
        evidence = (*suspicion.evidence, *words, *observation.evidence)
    evidence = (*doubt, *evidence)
    head_agrees = _head_agrees(case, suspicion, trial, by_trial)
    if witnesses.count(1) >= 2 and -1 not in witnesses and head_agrees:
        order = order_for(case, expected, fixed=True)
        observed = (
            observed
            if _is_inverted(case, suspicion)
            else as_observed(observation.convention, expected, order.swap)
        )
        return Verdict(
            "mismatch",
            expected,
            observed,
            (*evidence, *order.evidence),
            swap_is_possible=order.swap_is_possible and not order.swap,
            is_proven=_is_proven(case, suspicion, trial),
        )
    if isinstance(reading, Reading) and memory < 1:
        fed = reading.as_fed
        to_fed = reading.scores.gap(fed, reading.best)
        near = to_fed[0] < MIN_MODE_GAP or to_fed[1] < MIN_MODE_SIGMAS
        fits = reading.scores.misfit[fed] < MAX_FAIR_FIT and not _doubt_about_paleness(reading, fed)
        if near and by_trial < 1 and fits:
            right, _ = both_conventions(reading.hypotheses[fed], observation.convention)
            return Verdict("ok", right, right, evidence)
    is_odd = could_be_the_subject(case.summary, observed, expected)
    if memory < 1 and is_odd and _is_published(case) and observation.certainty >= MIN_CERTAINTY:
        published = case.structure.convention
        text = (
            "Pale, dark or hazy images may fit other conventions by chance; these are in the "
            "published one."
        )
        return Verdict("ok", published, published, (text, *evidence))
    if memory < 1 and by_trial == -1:
        acquitted = acquitted_by_trial(case, evidence)
        if acquitted is not None:
            return acquitted
    if case.trusted and same_numbers(suspicion.expected, case.structure.convention):
        weights = "look untrained" if case.structure.fresh else "do not confirm it"
        sentence = case.made_for(expected)
        text = f"{sentence[0].upper()}{sentence[1:]}; these weights {weights}."
        evidence = (text, *evidence)
    elif memory < 1 or trial is None:
        if isinstance(reading, Reading) and (doubt or not is_known_well(reading)):
            return Verdict("unknown", UNKNOWN, ordered(observation.convention, UNKNOWN), evidence)
    return Verdict("unknown", expected, ordered(observation.convention, expected), evidence)


def _head_agrees(case: Case, suspicion: Suspicion, trial: Preference | None, by_trial: int) -> bool:
    """Whether the trial permits a mismatch; True without a trial or a classifier of the user.

    A classifier on a frozen backbone may have been trained on another input than the backbone, and
    batch norm only shows the input of the backbone. So if the observed and the expected convention
    are close, the fix must clearly help in the trial.
    """
    if case.structure.head != "own" or trial is None:
        return True
    if trial.by_labels or not are_near(suspicion.observed, suspicion.expected):
        return by_trial == 1 or not trial.can_tell
    return trial.can_tell and trial.sigmas > MIN_HEAD_SIGMAS


def _is_published(case: Case) -> bool:
    """Whether the images are in the convention that the architecture is published for."""
    fed, published = case.observation.convention, case.structure.convention
    return case.trusted and same_numbers(
        as_observed(fed, published, means_swapped(fed, published)), published
    )


def _is_proven(case: Case, suspicion: Suspicion, trial: Preference | None) -> bool:
    """Whether the fix of a mismatch is known to help, so that it may be offered."""
    if trial is not None and trial.can_tell:
        return trial.sigmas > MIN_HELP_SIGMAS
    reading, index = case.reading, suspicion.index
    if isinstance(reading, str) or index is None:
        return False
    gap, _ = reading.scores.gap(reading.as_fed, index)
    return gap > MIN_OBVIOUS_GAP


# --- the witnesses: 1 supports the suspicion, -1 contradicts it, 0 decides nothing -------------


def _memory_says(case: Case, suspicion: Suspicion) -> int:
    """Returns whether batch norm supports the suspicion: 1, -1 or 0."""
    reading, index = case.reading, suspicion.index
    if isinstance(reading, str) or index is None or reading.num_images < MIN_IMAGES:
        return 0
    if is_better(reading, reading.as_fed, index):
        return -1
    gap, sigmas = reading.scores.gap(reading.as_fed, index)
    if reading.hypotheses[index].inverted:
        max_fit, min_gap = MAX_INVERTED_FIT, MIN_INVERTED_GAP
    elif gap > MIN_OBVIOUS_GAP and _is_far_from_rivals(reading, index):
        # A network that has trained for a short time fits its own images no better.
        max_fit, min_gap = MAX_CLEAR_FIT, MIN_OBVIOUS_GAP
    else:
        max_fit, min_gap = MAX_GOOD_FIT, MIN_MODE_GAP
    is_sure = reading.scores.misfit[index] < max_fit and gap > min_gap and sigmas > MIN_MODE_SIGMAS
    return int(is_sure)


def _is_far_from_rivals(reading: Reading, index: int) -> bool:
    """Whether a mode clearly fits batch norm better than each other mode."""
    gap, sigmas = reading.scores.gap(reading.rival(index), index)
    return bool(gap > MIN_MODE_GAP and sigmas > MIN_MODE_SIGMAS)


def _doubt_about_contrast(case: Case, suspicion: Suspicion) -> tuple[str, ...]:
    """Returns a sentence if less contrast in training images explains the suspicion, else ()."""
    reading, index = case.reading, suspicion.index
    misfit = None
    if isinstance(reading, Reading) and index is not None:
        misfit = reading.without_contrast(index)
    if misfit is None:
        return ()
    return (
        "The training images may have been paler or smoother than these: as fed, but with half of "
        f"their contrast, they have a misfit of {misfit:.2f}.",
    )


def _doubt_about_scene(case: Case, suspicion: Suspicion) -> tuple[str, ...]:
    """Returns a sentence if another scene explains the suspicion of another mean, else ().

    The suspected mean and deviation follow from the images as fed. So other images in the right
    convention, such as those of another exposure or sensor, give another suspicion, which the trial
    may support as well. A scale that is far off, and exchanged dark and bright, are no such case.
    """
    conventions = suspicion.observed, suspicion.expected
    is_fitted = all(each.mode == "custom" for each in conventions)
    is_derived = is_fitted and suspicion.expected != case.structure.convention
    if not is_derived or not are_near(*conventions) or _is_inverted(case, suspicion):
        return ()
    return (
        "The training images may have had another mean and deviation than these because they show "
        "another scene, or are of another exposure or sensor.",
    )


def _doubt_about_paleness(reading: Reading, index: int) -> tuple[str, ...]:
    """Returns a sentence if the model may expect paler images with larger numbers, else ()."""
    misfit = reading.paler_rival_of(index)
    if misfit is None:
        return ()
    return (
        "The model may as well expect numbers twice as large, if its training images were paler "
        f"than these: with half of their contrast, they then have a misfit of {misfit:.2f}.",
    )


def trial_says(trial: Preference | None, memory: int) -> int:
    """Returns whether the trial supports the fix: 1, -1 or 0."""
    if trial is None or not trial.can_tell:
        return 0
    if trial.sigmas < 0:
        return -1
    if memory == 1:
        return int(trial.sigmas > MIN_TRIAL_SIGMAS_SUPPORTED)
    return int(trial.sigmas > MIN_TRIAL_SIGMAS and trial.num_images >= MIN_IMAGES_ALONE)


def _feed_says(case: Case, suspicion: Suspicion) -> int:
    """Returns whether the feed is certainly in the suspected convention: 1, -1 or 0."""
    observation = case.observation
    conventions = suspicion.observed, suspicion.expected
    if could_be_the_subject(case.summary, *conventions) or _doubt_about_scene(case, suspicion):
        return -1
    by_range = not observation.by_grid and not _is_inverted(case, suspicion)
    if by_range and not shows_its_convention(case.summary, *conventions, observation.is_fitted):
        return -1
    if suspicion.observed.mode == suspicion.expected.mode == "custom":
        return 0  # the suspected mean and deviation are those of the images as fed
    if observation.certainty >= MIN_CERTAINTY:
        return 1
    reading, index = case.reading, suspicion.index
    if isinstance(reading, Reading) and index is not None:
        gap, _ = reading.scores.gap(reading.as_fed, index)
        if observation.certainty >= MIN_CERTAINTY_WIDE_GAP and gap > 2 * MIN_MODE_GAP:
            return 1
    return 0


def _is_inverted(case: Case, suspicion: Suspicion) -> bool:
    reading, index = case.reading, suspicion.index
    return isinstance(reading, Reading) and index is not None and reading.hypotheses[index].inverted

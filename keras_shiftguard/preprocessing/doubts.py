"""What may speak against a mismatch: why images may be right although another scale is probable.

These doubts are no evidence for a convention. They only turn "mismatch" into "unknown".
"""

from keras_shiftguard.preprocessing.case import Case, Verdict
from keras_shiftguard.preprocessing.expected.hypothesis_names import Suspicion, same_numbers
from keras_shiftguard.preprocessing.limits import MIN_OK, MIN_TRIAL_IMAGES
from keras_shiftguard.preprocessing.witnesses.feed import (
    are_near,
    is_narrower,
    shows_its_convention,
)
from keras_shiftguard.preprocessing.witnesses.preference import HELPS, LIKELY, STRONG, Preference

# A network that tells images apart less well than this, as fed and with the fix, does not object to
# the fix: a fault makes images hard to tell apart. A convention.
MIN_APART_TO_OBJECT = 0.1


def doubt_about(
    case: Case, suspicion: Suspicion, trial: Preference | None, is_retrained: bool = False
) -> str:
    """Returns why the images as fed may be right after all; "" if nothing speaks for it.

    A head may have learned from other images than its backbone, but hardly if the backbone was
    itself trained anew (`is_retrained`): both then learned from the same images.
    """
    is_near = are_near(suspicion.observed, suspicion.expected)
    of_feed = doubt_of_feed(case, suspicion, trial)
    return of_feed if of_feed or is_retrained else _of_head(case, trial, is_near)


def helps(trial: Preference | None, sigmas: float = STRONG) -> bool:
    """Whether the network sees better with the fix, by so many standard errors."""
    return trial is not None and trial.can_tell and trial.sigmas > sigmas


def doubt_of_feed(case: Case, suspicion: Suspicion, trial: Preference | None) -> str:
    """Returns why the images as fed may be in the expected convention after all; else "".

    The suspected mean and deviation of a custom convention follow from the images as fed. So images
    of another scene, exposure or sensor give another suspicion, unless the scale is far off.
    """
    observed, expected, observation = suspicion.observed, suspicion.expected, case.observation
    by_range = not observation.by_grid and not suspicion.is_inverted
    if by_range and not shows_its_convention(
        case.summary, observed, expected, observation.is_fitted
    ):
        return f"Pale or dark images in {expected} may have the values of these."
    is_derived = observed.mode == expected.mode == "custom" and not suspicion.is_inverted
    if is_derived and expected != case.structure.convention:
        if are_near(observed, expected) or not helps(trial, LIKELY):
            return (
                "The training images may have had another mean and deviation than these because "
                "they show another scene, or are of another exposure or sensor."
            )
    # Without it, dark photos that are scaled twice get a line that makes them worse.
    if observation.certainty < MIN_OK:
        return "The convention that the images were fed in is not certain."
    return ""


def _of_head(case: Case, trial: Preference | None, is_near: bool) -> str:
    """Returns why the user's own classifier may have learned from images as fed; else "".

    A classifier on a frozen backbone may have been trained on another input than the backbone, and
    the backbone sees better with the fix in any case: a classifier of Lite0's features of images in
    0..255 learns all its labels, though Lite0 expects [-1, 1]. Labels tell. Without them, a fix of
    a near convention must clearly help in the trial. If the two are far apart, the classes must
    tell more of the images with the fix, and at least hardly less if nothing is frozen.
    """
    if not case.structure.has_own_head or trial is None:
        return ""
    is_transferred = case.structure.head == "transferred"
    if trial.by_labels:
        permits = helps(trial, LIKELY)
    elif is_near:
        permits = helps(trial)
    elif trial.of_classes is None or not trial.can_tell:
        permits = not is_transferred
    else:
        permits = trial.of_classes > (HELPS if is_transferred else -HELPS)
    if permits:
        return ""
    return (
        "The classifier at the end of the network may have learned from images like these. Labels "
        "would tell: `diagnose(model, (images, labels))`."
    )


def doubts_about_layers(
    case: Case, verdict: Verdict, is_remembered: bool
) -> tuple[str, ...] | None:
    """Returns sentences if images may be right that a model's own layers speak against; else None.

    A network that is not recognized may have been trained on other input from the beginning, and so
    may the user's own head of a recognized one. Large numbers without a named convention, such as
    those of 12-bit images, may be what an unrecognized network has learned: then batch norm or the
    trial must support the mismatch.

    Args:
        case: The facts on the input.
        verdict: The mismatch that the layers show.
        is_remembered: Whether batch norm supports what the layers are made for.
    """
    conventions = verdict.observed, verdict.expected
    is_recognized = case.structure.architecture is not None
    if is_recognized and (not case.structure.has_own_head or same_numbers(*conventions)):
        return None
    trial = None if case.structure.fresh else case.compare(case.map_between(*conventions))
    words = () if trial is None else (trial.in_words(),)
    if is_recognized:
        untried = Preference(0.0, 0.0, 0)
        doubt = _of_head(case, trial or untried, is_near=True)
        return (doubt, *words) if doubt else None
    if trial is not None and _objects(trial):
        return words
    is_doubtful = case.observation.is_fitted and not is_narrower(*conventions)
    return words if is_doubtful and not is_remembered and not helps(trial) else None


def _objects(trial: Preference) -> bool:
    """Whether a network distinguishes images less well with the fix that its layers suggest.

    On Fashion-MNIST, networks that had learned from images scaled twice reached 2.3 or more.
    Networks that were fed wrongly reached 1.2 at most.
    """
    is_enough = trial.num_images >= MIN_TRIAL_IMAGES and trial.told_apart >= MIN_APART_TO_OBJECT
    return is_enough and trial.agreed < 0 and trial.sigmas <= -LIKELY

"""Verdict "ok" from the trial alone (`witnesses/trial.py`), for a network without batch norm.

The trial measures whether the network distinguishes the images better in another convention.
"""

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.case import Case, Verdict
from keras_shiftguard.preprocessing.correction.convention import RAW, InputConvention
from keras_shiftguard.preprocessing.expected.hypothesis_names import ordered
from keras_shiftguard.preprocessing.limits import (
    MIN_ACQUITTAL_SIGMAS,
)
from keras_shiftguard.preprocessing.witnesses.trial import Preference


def acquitted_by_trial(case: Case, evidence: tuple[str, ...]) -> Verdict | None:
    """Returns "ok" if every other mode scores clearly worse in the trial than the mode as fed.

    Otherwise the result is None.

    The test requires three channels, images in a named mode with small values, trained weights, and
    a network that distinguishes the images.
    """
    fed = ordered(case.observation.convention, RAW)
    if case.summary.num_channels != 3 or case.structure.fresh or fed.mode not in MODES:
        return None
    # In many networks without normalization, larger pixel values make images easier to
    # distinguish, up to some size. So large values prove nothing if they score best.
    if fed.mode in ("raw", "caffe"):
        return None
    rivals = [InputConvention(mode, fed.channel_order) for mode in MODES if mode != fed.mode]
    worst: Preference | None = None
    for rival in rivals:
        trial = case.try_transform(case.transform_between(fed, rival))
        if trial is None or not trial.can_tell or trial.at_best > -MIN_ACQUITTAL_SIGMAS:
            return None
        worst = trial if worst is None or trial.at_best > worst.at_best else worst
    assert worst is not None
    text = (
        f"Trial: the network sees worse in every other mode, by {-worst.at_best:.1f} standard "
        "errors or more."
    )
    return Verdict("ok", fed, fed, (text, *evidence, *case.observation.evidence))

"""Label evidence: the scale in which the network names most images as they are labelled.

Labels settle what nothing else can: what a classifier has learned on a frozen backbone, and what a
network without batch norm expects.
"""

from keras_shiftguard.conventions import MODES, MODES_WITH_ORDER
from keras_shiftguard.preprocessing.case import Case
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import Transform
from keras_shiftguard.preprocessing.witnesses.trial import LIKELY, SURE, Preference


def by_labels(case: Case) -> tuple[InputConvention | None, Preference] | None:
    """Returns the scale that the labels speak for, with the trial that shows it most clearly.

    The scale is None if the images as fed are right. The result is None if there are no labels, if
    the network has not learned them, or if two scales are about as good.

    Args:
        case: The facts on the input.
    """
    fed = case.observation.convention
    if case.trial is None or case.structure.fresh or not (case.trial.has_labels and fed.is_known):
        return None
    trials: dict[str, Preference] = {}
    for mode, fix in _fixes(case, fed).items():
        trial = case.compare(fix)
        if trial is not None and trial.by_labels:
            trials[mode] = trial
    if not trials:
        return None
    best, *others = sorted(trials, key=lambda mode: -trials[mode].sigmas)
    if trials[best].sigmas < -LIKELY:
        return None, trials[best]
    if trials[best].sigmas <= SURE:
        return None
    if others:
        fixes = _fixes(case, fed)
        rival = case.compare(fixes[best], fixes[others[0]])
        if rival is None or rival.sigmas <= LIKELY:
            return None
    order = fed.channel_order
    if order == "unknown" and case.summary.num_channels == 3:
        order = "bgr" if best == "caffe" else "rgb"
    return InputConvention(best, order), trials[best]


def _fixes(case: Case, fed: InputConvention) -> dict[str, Transform]:
    """Returns the map of the images as fed to each other mode, in the channel order as fed."""
    is_colour = case.summary.num_channels == 3
    return {
        mode: case.map_between(fed, InputConvention(mode, fed.channel_order))
        for mode in MODES
        if mode != fed.mode and (is_colour or mode not in MODES_WITH_ORDER)
    }

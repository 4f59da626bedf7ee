"""Label evidence: the scale in which the network names most images as they are labelled.

Labels settle what nothing else can: what a classifier has learned on a frozen backbone, and what a
network without batch norm expects.
"""

from keras_shiftguard.conventions import MODES, MODES_WITH_ORDER
from keras_shiftguard.preprocessing.case import Case
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import Transform
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.hypothesis_names import as_convention
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
    fixes = _fixes(case, fed)
    trials: dict[InputConvention, Preference] = {}
    for convention, fix in fixes.items():
        trial = case.compare(fix)
        if trial is not None and trial.by_labels:
            trials[convention] = trial
    if not trials:
        return None
    best, *others = sorted(trials, key=lambda convention: -trials[convention].sigmas)
    if trials[best].sigmas < -LIKELY:
        return None, trials[best]
    if trials[best].sigmas <= SURE:
        return None
    if others:
        rival = case.compare(fixes[best], fixes[others[0]])
        if rival is None or rival.sigmas <= LIKELY:
            return None
    return best, trials[best]


def _fixes(case: Case, fed: InputConvention) -> dict[InputConvention, Transform]:
    """Returns the map to each other convention, in the channel order of the images as fed."""
    is_colour, order = case.summary.num_channels == 3, fed.channel_order
    found = {}
    for mode in MODES:
        if mode == fed.mode or (mode in MODES_WITH_ORDER and not is_colour):
            continue
        usual = "bgr" if mode == "caffe" else "rgb"
        expected = InputConvention(mode, usual if is_colour and order == "unknown" else order)
        found[expected] = case.map_between(fed, InputConvention(mode, order))
    if isinstance(case.reading, Reading):  # its data set may have had numbers of its own
        found |= {
            as_convention(each, "rgb" if order == "unknown" else order): each.transform
            for each in case.reading.hypotheses
            if each.mode == "custom" and not (each.swap or each.inverted or each.is_identity)
        }
    return found

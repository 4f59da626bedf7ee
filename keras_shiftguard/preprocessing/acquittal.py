"""Verdict "ok" from the trial alone (`witnesses/trial.py`), if other evidence cannot decide.

The trial measures whether the network distinguishes the images better in another convention.
"""

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.case import Case, Verdict
from keras_shiftguard.preprocessing.correction.convention import RAW, InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import Transform
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.hypothesis_names import ordered
from keras_shiftguard.preprocessing.limits import (
    FAR_FACTOR,
    MAX_CLEAR_FIT,
    MIN_ACQUITTAL_SIGMAS,
)
from keras_shiftguard.preprocessing.witnesses.trial import Preference


def acquitted_by_trial(case: Case, evidence: tuple[str, ...]) -> Verdict | None:
    """Returns "ok" if every other mode scores clearly worse in the trial than the mode as fed.

    Otherwise the result is None.


    The test requires three channels, images in a named mode, trained weights, and a network that
    distinguishes the images. The result is also None if the images as fed have a high misfit to
    batch norm: garbled images can score worse in every other mode as well.
    """
    fed, reading = ordered(case.observation.convention, RAW), case.reading
    if case.summary.num_channels != 3 or case.structure.fresh or fed.mode not in MODES:
        return None
    if isinstance(reading, Reading) and reading.scores.misfit[reading.as_fed] > MAX_CLEAR_FIT:
        return None
    rivals = [InputConvention(mode, fed.channel_order) for mode in MODES if mode != fed.mode]
    maps = [case.transform_between(fed, rival) for rival in rivals]
    if isinstance(reading, str) and fed.mode in ("raw", "caffe"):
        # In many networks without normalization, larger pixel values make images easier to
        # distinguish. So values `FAR_FACTOR` times as large must also score worse.
        maps.append(Transform(None, (FAR_FACTOR,) * 3, (0.0,) * 3))
    worst: Preference | None = None
    for rival in maps:
        trial = case.try_transform(rival)
        if trial is None or not trial.can_tell or trial.at_best > -MIN_ACQUITTAL_SIGMAS:
            return None
        worst = trial if worst is None or trial.at_best > worst.at_best else worst
    assert worst is not None
    text = (
        f"Trial: the network sees worse in every other mode, by {-worst.at_best:.1f} standard "
        "errors or more."
    )
    return Verdict("ok", fed, fed, (text, *evidence, *case.observation.evidence))

"""A verdict on the preprocessing of images: wrong, corrected, or doubtful."""

import re
from collections.abc import Mapping
from typing import Any

from keras_shiftguard.detection.verdicts.parts import (
    ACT,
    CORRECTED,
    LOOK,
    NOT_MEASURED,
    capital,
    parts_of,
)
from keras_shiftguard.detection.words.sentences import stream_name
from tensorboard_plugin_shiftguard.metadata import MODES_IN_WORDS
from tensorboard_plugin_shiftguard.words import listed

NOTHING_LOST = "Inside fit nothing is lost."
UNCORRECTED = "`model.predict` is not corrected until you run the line above."
_MISFITS = re.compile(r" \((?:probability|misfit) [^()]*\)")
_MODE = re.compile(rf"\b({'|'.join(MODES_IN_WORDS)}) \([^()]*\)")
OWN_LAYERS = parts_of(
    LOOK,
    "The model's own layers are made for another input than it is fed.",
    step="print(guard.diagnosis)",
    about=("preprocessing", "preprocessing"),
)


def mismatch(wrong: Mapping[str, Any], in_run: bool) -> dict[str, Any]:
    """Returns the parts of a verdict on wrong preprocessing that nothing corrects."""
    diagnosis = _worst_input(next(iter(wrong.values())))
    fed, expected = diagnosis.observed, diagnosis.expected
    is_swapped = {fed.channel_order, expected.channel_order} == {"rgb", "bgr"}
    images = _images(wrong)
    if diagnosis.garbled:
        cause = f"{images} are fed as {diagnosis.garbled}."
    elif is_swapped and fed.mode == expected.mode:
        cause = f"{images} have red and blue swapped."
    elif {fed.mode, expected.mode} <= set(MODES_IN_WORDS) and fed.mode != expected.mode:
        swapped = " (red and blue swapped)" if is_swapped else ""
        words = MODES_IN_WORDS[fed.mode], MODES_IN_WORDS[expected.mode]
        cause = f"{images} are fed as {words[0]}{swapped}; the model expects {words[1]}."
    else:
        cause = capital(diagnosis.problem)
    return parts_of(
        ACT,
        cause,
        since=1 if in_run else None,
        step=diagnosis.advice or capital(diagnosis.needed),
        cost_words=NOT_MEASURED if in_run else "",
        detail=_plainly(next(iter(diagnosis.evidence), "")),
        about=("preprocessing", "preprocessing"),
    )


def corrected(
    wrong: Mapping[str, Any], corrected: Mapping[str, int], late: int = 0
) -> dict[str, Any]:
    """Returns the parts of a verdict on wrong preprocessing that is corrected inside the fit.

    `corrected` is the first corrected epoch by stream, and `late` the number of batches of an
    evaluation or a prediction that ran before the correction.
    """
    diagnosis = _worst_input(next(iter(wrong.values())))
    fed, expected = (MODES_IN_WORDS.get(c.mode) for c in (diagnosis.observed, diagnosis.expected))
    what = f"{_images(wrong)} are not prepared as the model expects"
    if fed and expected and fed != expected:
        what = f"{_images(wrong)} are fed as {fed}, the model expects {expected}"
    first = "The first batch" if late == 1 else f"The first {late} batches"
    return parts_of(
        CORRECTED,
        f"{what}; the guard corrects it{'' if late else ' inside fit'}.",
        since=min(corrected.values()),
        step="model = guard.diagnosis.apply(model)",
        detail="" if late else NOTHING_LOST,
        notes=(f"{first} ran uncorrected: run the line above, and repeat.",)
        if late
        else (UNCORRECTED,),
        about=("preprocessing", "preprocessing"),
    )


def doubt(doubted: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parts of a verdict on preprocessing that may be wrong."""
    diagnosis = _worst_input(next(iter(doubted.values())))
    return parts_of(
        LOOK,
        capital(diagnosis.problem),
        step=capital(diagnosis.needed),
        detail=_plainly(next(iter(diagnosis.evidence), "")),
        about=("preprocessing", "preprocessing"),
    )


def _plainly(evidence: str) -> str:
    """Returns a sentence of a diagnosis with the range of the values in place of a mode's name.

    >>> _plainly("tf ([-1, 1]) fits best (misfit 0.11, as fed 0.53; 16 images).")
    '-1 to 1 fits best.'
    """
    return _MODE.sub(lambda found: MODES_IN_WORDS[found[1]], _MISFITS.sub("", evidence))


def _images(diagnoses: Mapping[str, Any]) -> str:
    """Returns the images of streams as the beginning of a sentence."""
    names = [stream_name(name) for name in diagnoses if name]
    return f"{listed(names)} images".lstrip().capitalize() if len(names) == 1 else "Images"


def _worst_input(diagnosis: Any) -> Any:
    parts = [each for each in diagnosis.by_input.values() if each.status == diagnosis.status]
    return parts[0] if parts else diagnosis

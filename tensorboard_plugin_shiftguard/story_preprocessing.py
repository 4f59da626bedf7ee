"""The story of a run whose images are prepared in another way than the model expects."""

import re
from collections.abc import Mapping
from typing import Any

from tensorboard_plugin_shiftguard.story_parts import ACT, CORRECTED, new_story
from tensorboard_plugin_shiftguard.story_sentences import capital
from tensorboard_plugin_shiftguard.words import listed, stream_name

MODES = {
    "raw": "0 to 255",
    "unit": "0 to 1",
    "tf": "\u22121 to 1",
    "torch": "0 to 1 with ImageNet's mean and deviation",
    "caffe": "0 to 255 minus ImageNet's mean",
}
# The modes as a diagnosis names them, with the name of Keras's function.
_NAMED_MODES = {
    "raw (0..255)": MODES["raw"],
    "unit ([0, 1])": MODES["unit"],
    "tf ([-1, 1])": MODES["tf"],
    "torch ([0, 1], ImageNet mean and deviation)": MODES["torch"],
    "caffe (0..255 minus the ImageNet mean)": MODES["caffe"],
}
_MISFITS = re.compile(r" \((?:probability|misfit) [^()]*\)")
RESULT = (
    "Inside fit the input is corrected, so nothing is lost there. "
    "Plain model.predict is not corrected."
)
KEEP = (
    "Leave the input of fit as it is. After fit, put the correction into the model, so that plain "
    "predict gets it too:"
)


def mismatch(wrong: Mapping[str, Any], gap: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns the story of wrong preprocessing that nothing corrects."""
    streams, diagnosis = _streams(wrong)
    what, short = mismatch_in_words(wrong) or (
        f"{streams} are not prepared as the model expects.",
        "wrong preprocessing",
    )
    found = {"short": short, "what": what, "since": 1, "about": ["preprocessing", "preprocessing"]}
    for row in (gap or {}).get("rows") or []:
        if row["cause"] == "preprocessing":
            found |= {"cost": row["points"], "cost_interval": row["interval"]}
    todo = "Change the input in this way, in your pipeline:"
    advice = diagnosis["advice"]
    why = [plainly(text) for text in diagnosis["evidence"][:3]]
    return new_story(ACT, **found, why=why, todo=todo if advice else None, code=advice)


def mismatch_in_words(wrong: Mapping[str, Any]) -> tuple[str, str] | None:
    """Returns a sentence on wrong preprocessing, and a short form of it.

    Returns None if the conventions do not tell what is wrong.
    """
    streams, diagnosis = _streams(wrong)
    fed, expected = diagnosis["observed"] or {}, diagnosis["expected"] or {}
    mode, other = (MODES.get(one.get("mode") or "") for one in (fed, expected))
    orders = {fed.get("channel_order"), expected.get("channel_order")}
    reversed_channels = orders == {"rgb", "bgr"}
    if reversed_channels and fed.get("mode") == expected.get("mode"):
        return f"{streams} have red and blue swapped.", "red and blue swapped"
    if not mode or not other or mode == other:
        return None
    what = f"{streams} are fed as {mode}; the model expects {other}."
    if reversed_channels:
        what = f"{what[:-1]}, and red and blue are swapped."
    return what, "wrong scale"


def plainly(text: str) -> str:
    """Returns a text of a diagnosis with the range of the values in place of a mode's name.

    Misfits are left out: the section on preprocessing shows them.

    >>> plainly("tf ([-1, 1]) fits best (misfit 0.11, as fed 0.53; 16 images).")
    '\u22121 to 1 fits best.'
    """
    for name, plain in _NAMED_MODES.items():
        text = text.replace(name, plain)
    return _MISFITS.sub("", text)


def correction(wrong: Mapping[str, Any], corrected: Mapping[str, int]) -> dict[str, Any]:
    """Returns the story of wrong preprocessing that the guard corrects inside `fit`."""
    what, diagnosis = correction_in_words(wrong), _streams(wrong)[1]
    since = min(corrected.values())
    return new_story(
        CORRECTED,
        short=f"corrected since epoch {since}",
        what=what,
        since=since,
        about=["preprocessing", "preprocessing"],
        why=[RESULT, *map(plainly, diagnosis["evidence"][:3])],
        todo=KEEP,
        code="model = guard.diagnosis.apply(model)",
    )


def correction_in_words(wrong: Mapping[str, Any]) -> str:
    """Returns a sentence on wrong preprocessing that the guard corrects inside `fit`."""
    streams, diagnosis = _streams(wrong)
    fed, expected = ((diagnosis[key] or {}).get("mode") for key in ("observed", "expected"))
    what = f"The wrong preprocessing of {streams[0].lower() + streams[1:]} is corrected inside fit."
    if fed != expected and fed in MODES and expected in MODES:
        what = f"{what[:-1]}: {MODES[fed]} is turned into {MODES[expected]}."
    return what


def _streams(diagnoses: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Returns the images of the streams as the beginning of a sentence, and the first diagnosis.

    Outside of a run, a stream has no name; the beginning is then "Images".
    """
    words = f"{listed([stream_name(name) for name in diagnoses])} images".lstrip()
    first = next(iter(diagnoses.values()))
    parts = [part for part in first["by_input"].values() if part["status"] == "mismatch"]
    return capital(words), parts[0] if parts else first

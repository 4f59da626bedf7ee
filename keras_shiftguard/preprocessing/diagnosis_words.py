"""The text of a diagnosis: its headline, what was seen and the way out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.correction.convention_words import difference_in_words, in_words

if TYPE_CHECKING:
    from keras_shiftguard.preprocessing.diagnosis import Diagnosis

STATUSES = ("ok", "unknown", "mismatch")  # from good to bad
MAX_LINE_LENGTH = 240  # characters of one line of the printed verdict


def text(diagnosis: "Diagnosis") -> str:
    """Returns the verdict in at most four lines."""
    lines = [headline(diagnosis)]
    if not diagnosis.trained_here and (seen := _seen(diagnosis)):
        lines.append(f"  Seen: {seen}")
    if diagnosis.status != "ok":
        if diagnosis.evidence:
            reason = "Sure because" if diagnosis.status == "mismatch" else "Known so far"
            lines.append(f"  {reason}: {diagnosis.evidence[0]}")
        lines.append(f"  {_way_out(diagnosis)}")
    if diagnosis.hints:
        surest = max(diagnosis.hints, key=lambda hint: hint.certainty)
        lines.append(f"  Also worth a look: {surest.sentence}")
    return "\n".join(_clip(line) for line in lines)


def headline(diagnosis: "Diagnosis") -> str:
    """Returns the verdict in one sentence."""
    status = diagnosis.status
    where = ""
    if len(diagnosis.by_input) > 1:
        if status == "ok":
            number = len(diagnosis.by_input)
            return f"Preprocessing is right: each of {number} inputs is fed what it expects."
        where = f" at input {worst_input(diagnosis.by_input)!r}"
    if status == "mismatch" and diagnosis.garbled:
        return f"Preprocessing mismatch{where}: the model is fed {diagnosis.garbled}."
    expected, observed = diagnosis.expected, diagnosis.observed
    if status == "mismatch":
        return f"Preprocessing mismatch{where}: {difference_in_words(expected, observed)}"
    if diagnosis.trained_here:
        fed = in_words(observed) if observed.is_known else "images in no named convention"
        return f"Preprocessing: the model is being trained here, on {fed}."
    if status == "ok":
        return f"Preprocessing is right: the model is fed what it expects, {in_words(expected)}."
    if not expected.is_known:
        return f"Preprocessing unknown{where}: nothing in the model tells what it expects."
    if observed.mode in ("unknown", "custom"):
        return (
            f"Preprocessing unknown{where}: the model expects {in_words(expected)}, "
            "but the convention of what it is fed is not clear."
        )
    if observed.mode == expected.mode:
        doubt = (
            "red and blue may be swapped"
            if {observed.channel_order, expected.channel_order} == {"rgb", "bgr"}
            else "something else about the images may be wrong"
        )
        scale = InputConvention(expected.mode, "unknown")
        return f"Preprocessing unknown{where}: the scale, {scale}, is right, but {doubt}."
    return (
        f"Preprocessing unknown{where}: the model seems to expect {in_words(expected)}, and is fed "
        f"{in_words(observed)}. Which of the two is right is not certain."
    )


def worst_input(by_input: "Mapping[str, Diagnosis]") -> str:
    """Returns the name of the input with the worst status."""
    return max(by_input, key=lambda name: STATUSES.index(by_input[name].status))


def finite_range(value_range: tuple[float, float] | None) -> list[float] | None:
    """Returns the range, or None if an end is not finite."""
    if value_range is None or not np.isfinite(value_range).all():
        return None
    return [float(value) for value in value_range]


def _seen(diagnosis: "Diagnosis") -> str:
    count = diagnosis.num_samples
    parts = []
    if finite := finite_range(diagnosis.value_range):
        low, high = finite
        over = f" over {count} image{'s' if count != 1 else ''}" if count else ""
        parts.append(f"values from {_number(low)} to {_number(high)}{over}")
    elif count:
        parts.append(f"{count} images")
    if diagnosis.architecture:
        parts.append(f"the model is recognised as {diagnosis.architecture}")
    return f"{'; '.join(parts)}." if parts else ""


def _way_out(diagnosis: "Diagnosis") -> str:
    if diagnosis.status == "mismatch":
        if not diagnosis.advice:
            return "Fix: none that a layer could do; look at how the images are read."
        offer = '   [or ShiftGuard(on_mismatch="fix")]' if diagnosis.fix is not None else ""
        return f"Fix: {diagnosis.advice}{offer}"
    if diagnosis.advice:
        return f"Needed: {diagnosis.advice}"
    if diagnosis.observed.mode in ("unknown", "custom") and diagnosis.expected.is_known:
        number = "at least 8 " if diagnosis.num_samples < 8 else ""
        return (
            f"Needed: {number}ordinary images that differ from one another, and together reach "
            "from black to white."
        )
    mode = diagnosis.expected.mode if diagnosis.expected.mode in MODES else "torch"
    more = "at least 16 different images, or " if diagnosis.num_samples < 16 else ""
    return (
        f"Needed: {more}the word of whoever trained it, as in `expects={mode!r}`. The code "
        "that prepared the training images shows it."
    )


def _number(value: float) -> str:
    return f"{value:.2f}" if value == 0 or 0.01 <= abs(value) < 1e4 else f"{value:.3g}"


def _clip(line: str) -> str:
    """Returns the text as one line, cut at `MAX_LINE_LENGTH`. A fix to paste is never cut."""
    line = " ".join(line.split("\n"))
    if len(line) <= MAX_LINE_LENGTH or line.startswith("  Fix:"):
        return line
    return line[: MAX_LINE_LENGTH - 3].rstrip() + "..."

"""The sentences of a `Diagnosis`: what was found, what was seen, and what to do.

In all functions, `diagnosis` is a `Diagnosis`, which imports this module.
"""

from typing import Any

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.correction.convention_words import (
    difference_in_words,
    fed_in_words,
    in_words,
)
from keras_shiftguard.preprocessing.limits import MIN_IMAGES
from keras_shiftguard.preprocessing.observed.observation import MIN_OBSERVED


def found(diagnosis: Any) -> tuple[str, str]:
    """Returns the verdict in two or three words, and a sentence on it."""
    where, several = "", diagnosis.by_input
    if len(several) > 1:
        if all(each.trained_here for each in several.values()):
            fed = "; ".join(f"{name!r}: {in_words(d.observed)}" for name, d in several.items())
            return "Preprocessing", f"the model is being trained here, on {fed}."
        if diagnosis.status == "ok":
            right = f"each of {len(several)} inputs is fed what it expects."
            return "Preprocessing is right", right
        where = f" at input {diagnosis.worst_name!r}"
    if diagnosis.status == "mismatch":
        return f"Preprocessing mismatch{where}", _mismatch(diagnosis)
    if diagnosis.trained_here:
        is_known = diagnosis.observed.is_known
        fed = in_words(diagnosis.observed) if is_known else "images in no named convention"
        return "Preprocessing", f"the model is being trained here, on {fed}."
    if diagnosis.status == "ok":
        expected = in_words(diagnosis.expected)
        return "Preprocessing is right", f"the model is fed what it expects, {expected}."
    if diagnosis.advice and not diagnosis.num_samples:  # which says what images would be
        return "Preprocessing is not checked", "none of the inputs takes images."
    return f"Preprocessing unknown{where}", _unknown(diagnosis)


def _mismatch(diagnosis: Any) -> str:
    if diagnosis.garbled:
        return f"the model is fed {diagnosis.garbled}."
    if diagnosis.standardised:
        return (
            "each image was standardised by itself, but the model expects "
            f"{in_words(diagnosis.expected)}."
        )
    return difference_in_words(diagnosis.expected, diagnosis.observed)


def _unknown(diagnosis: Any) -> str:
    fed, expected, number = diagnosis.observed, diagnosis.expected, diagnosis.num_samples
    if not expected.is_known and 0 < number < MIN_IMAGES:
        images = "1 image is" if number == 1 else f"{number} images are"
        return f"{images} too few to tell what the model expects."
    if not expected.is_known:
        return "what the model expects is not clear."
    if diagnosis.standardised:
        return (
            "each image was standardised by itself, and the model seems to expect "
            f"{in_words(expected)}. Which of the two is right is not certain."
        )
    if fed.mode in ("unknown", "custom"):
        return (
            f"the model expects {in_words(expected)}, but the convention of what it is fed is not "
            "clear."
        )
    if fed.mode == expected.mode:
        is_swap = {fed.channel_order, expected.channel_order} == {"rgb", "bgr"}
        doubt = "something else about the images may be wrong"
        doubt = "red and blue may be swapped" if is_swap else doubt
        return f"the scale, {InputConvention(expected.mode, 'unknown')}, is right, but {doubt}."
    return (
        f"the model seems to expect {in_words(expected)}, and is fed "
        f"{fed_in_words(fed, expected)}. Which of the two is right is not certain."
    )


def seen(diagnosis: Any) -> str:
    """Returns what the model was fed, as one line; "" if nothing was measured."""
    parts, count = [], diagnosis.num_samples
    if finite := diagnosis.finite_range():
        low, high = map(_number, finite)
        over = f" over {count} image{'s' if count != 1 else ''}" if count else ""
        parts.append(f"values from {low} to {high}{over}")
    elif count:
        parts.append(f"{count} images")
    if diagnosis.architecture:
        parts.append(f"the model is recognised as {diagnosis.architecture}")
    return f"{'; '.join(parts)}." if parts else ""


def way_out(diagnosis: Any) -> tuple[str, str]:
    """Returns "Fix" and the fix of a mismatch, or "Needed" and what is needed for a verdict."""
    if diagnosis.status == "mismatch":
        if not diagnosis.advice and diagnosis.standardised:
            return "Fix", "feed the raw 0..255 pixels, without standardising each image."
        if not diagnosis.advice:
            return "Fix", "none that a layer could do; look at how the images are read."
        offer = '   [or ShiftGuard(on_mismatch="fix")]' if diagnosis.fix is not None else ""
        return "Fix", f"{diagnosis.advice}{offer}"
    return "Needed", diagnosis.advice or _needed(diagnosis)


def _needed(diagnosis: Any) -> str:
    count = diagnosis.num_samples
    if diagnosis.standardised:
        return (
            "a look at the code that prepared the training images. If it standardised each of them "
            "by itself, these are right."
        )
    if diagnosis.observed.mode in ("unknown", "custom") and diagnosis.expected.is_known:
        number = f"at least {MIN_OBSERVED} " if count < MIN_OBSERVED else ""
        return (
            f"{number}ordinary images that differ from one another, and together reach from black "
            "to white."
        )
    if diagnosis.hints and _is_as_expected(diagnosis):
        return "images without this fault."
    more = "at least 16 different images; or " if count < 16 else ""
    words = _possible_words(diagnosis)
    if not words:
        return (
            f"{more}the numbers that its training images were normalised with, as in "
            "`expects={'mean': ..., 'std': ...}`, or some of these images: "
            "`keras_shiftguard.compare(training, images)`."
        )
    if len(words) > 1:
        return f"{more}pass {' or '.join(words)}, whichever the model was trained on."
    return (
        f"{more}pass {words[0]} if the images that the model was first trained on were scaled like "
        "these; else their scale."
    )


def _is_as_expected(diagnosis: Any) -> bool:
    """Whether scale and order of the images are the expected ones."""
    fed, expected = diagnosis.observed, diagnosis.expected
    same = (fed.mode, fed.channel_order) == (expected.mode, expected.channel_order)
    return same and expected.is_known and expected.mode != "custom"


def _possible_words(diagnosis: Any) -> list[str]:
    """Returns what the user may say by `expects`: the expected convention and the fed one."""
    named = [c for c in (diagnosis.expected, diagnosis.observed) if c.mode in MODES]
    words = list(dict.fromkeys(repr(c.mode) for c in named))
    orders = dict.fromkeys(c.channel_order for c in named)
    if len(words) == 1 and set(orders) == {"rgb", "bgr"}:  # the scale is not in doubt
        words = [f"InputConvention({words[0]}, {order!r})" for order in orders]
    if len(diagnosis.by_input) > 1:
        words = [f"{{{diagnosis.worst_name!r}: {word}}}" for word in words]
    return [f"`expects={word}`" for word in words]


def _number(value: float) -> str:
    return f"{value:.2f}" if value == 0 or 0.01 <= abs(value) < 1e4 else f"{value:.3g}"

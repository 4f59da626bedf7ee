"""Phrases for input conventions, for the text of the diagnosis."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from keras_shiftguard.conventions import MODES, WORDS, forms
from keras_shiftguard.preprocessing.correction.convention import InputConvention

# A convention that differs from a known mistake by less gets its name. A convention.
NAME_TOLERANCE = 0.02


def in_words(convention: InputConvention) -> str:
    """Returns a phrase for the convention: the known mistake that leads to it, or its name."""
    mistake = mistake_in_words(convention)
    if mistake is None:
        return str(convention)
    order = convention.channel_order
    return mistake if order in ("unknown", "gray") else f"{mistake}, {order.upper()}"


def difference_in_words(expected: InputConvention, observed: InputConvention) -> str:
    """Returns what the model is fed and what it expects instead, in one or two sentences."""
    if not observed.is_known:
        more = f", but it expects {in_words(expected)}" if expected.is_known else ""
        return f"what the model is fed fits nothing known{more}."
    orders = (observed.channel_order, expected.channel_order)
    if expected.mode == observed.mode != "custom" and set(orders) == {"rgb", "bgr"}:
        scale = str(InputConvention(expected.mode, "unknown"))
        return (
            f"red and blue are swapped. The model is fed {orders[0].upper()} but expects "
            f"{orders[1].upper()}; the scale, {scale}, is right."
        )
    return f"the model is fed {fed_in_words(observed, expected)}, but expects {in_words(expected)}."


def fed_in_words(observed: InputConvention, expected: InputConvention) -> str:
    """Returns a phrase for what a model is fed. A channel order that was not seen is said to be so.

    The observed order is relative to the expected one: that images are BGR is only assumed where
    the model expects BGR and nothing shows that red and blue are swapped.
    """
    are_both_bgr = observed.channel_order == expected.channel_order == "bgr"
    if not are_both_bgr or np.ptp(np.asarray(observed.offset)):  # the order of the means was seen
        return in_words(observed)
    return f"{in_words(replace(observed, channel_order='unknown'))}, BGR as expected (assumed)"


def mistake_in_words(convention: InputConvention) -> str | None:
    """Returns the known preprocessing mistake that leads to a convention, or None."""
    if convention.mode != "custom" or convention.scale is None or convention.offset is None:
        return None
    for text, scale, offset in _known_mistakes():
        if _is_close(convention, scale, offset):
            return text
    return None


def _is_close(convention: InputConvention, scale: np.ndarray, offset: np.ndarray) -> bool:
    """Whether a convention has this scale and offset, up to `NAME_TOLERANCE`."""
    found_scale, found_offset = np.asarray(convention.scale), np.asarray(convention.offset)
    if len(found_scale) != len(scale):
        scale, offset = scale.mean(keepdims=True), offset.mean(keepdims=True)
    span = 255 * np.abs(scale)  # the range of the values; offsets are compared relative to it
    return bool(
        np.all(np.abs(found_scale - scale) <= NAME_TOLERANCE * np.abs(scale))
        and np.all(np.abs(found_offset - offset) <= NAME_TOLERANCE * span)
    )


def _known_mistakes() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yields text, scale and offset of each known mistake.

    A mistake is two steps in a row, or one step on pixels of another range.
    """
    for form in forms(3):
        if form.has_two_steps:
            first, second = (WORDS[step].step.replace("-1..1", "[-1, 1]") for step in form.steps)
            text = f"{first} twice" if first == second else f"{first}, then {second} once more"
            yield f"0..255 {text}", form.scale, form.offset
    text = f"0..255 {WORDS['torch'].step} of [0, 1] pixels"
    scale, offset = np.asarray(MODES["torch"].scale) * 255, np.asarray(MODES["torch"].offset)
    yield text, scale, offset
    yield text, scale[::-1], offset[::-1]

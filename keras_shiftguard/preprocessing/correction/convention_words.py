"""Conventions in the words of a person: the headline of the verdict."""

import numpy as np

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.correction.convention import InputConvention

SAME = 0.02  # relative difference up to which a fitted convention gets a name


def in_words(convention: InputConvention) -> str:
    """The convention, named also where it is a well-known accident."""
    accident = accident_in_words(convention)
    if accident is None:
        return str(convention)
    order = convention.channel_order
    return accident if order in ("unknown", "gray") else f"{accident}, {order.upper()}"


def difference_in_words(expected: InputConvention, observed: InputConvention) -> str:
    """One sentence that says what is fed and what is expected instead."""
    if not observed.is_known:
        return f"what the model is fed fits nothing known, but it expects {in_words(expected)}."
    orders = (observed.channel_order, expected.channel_order)
    if expected.mode == observed.mode != "custom" and set(orders) == {"rgb", "bgr"}:
        scale = str(InputConvention(expected.mode, "unknown"))
        return (
            f"red and blue are swapped. The model is fed {orders[0].upper()} but expects "
            f"{orders[1].upper()}; the scale, {scale}, is right."
        )
    return f"the model is fed {in_words(observed)}, but expects {in_words(expected)}."


def accident_in_words(convention: InputConvention) -> str | None:
    """What went wrong if two named steps were done one after the other."""
    if convention.mode != "custom" or convention.scale is None or convention.offset is None:
        return None
    for text, scale, offset in _accidents():
        for step in (1, -1):
            if _close(convention, scale[::step], offset[::step]):
                return text
    return None


def _close(convention: InputConvention, scale: np.ndarray, offset: np.ndarray) -> bool:
    found_scale, found_offset = np.asarray(convention.scale), np.asarray(convention.offset)
    if len(found_scale) != len(scale):
        scale, offset = scale.mean(keepdims=True), offset.mean(keepdims=True)
    # An offset matters as much as it moves the values, which span 255 scales.
    span = 255 * np.abs(scale)
    return bool(
        np.all(np.abs(found_scale - scale) <= SAME * np.abs(scale))
        and np.all(np.abs(found_offset - offset) <= SAME * span)
    )


def _accidents() -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Steps that are often done twice, or to pixels in the wrong range."""
    steps = {
        "unit": "divided by 255",
        "tf": "scaled from 0..255 to [-1, 1]",
        "torch": "normalised with the ImageNet mean and deviation",
        "caffe": "reduced by the ImageNet mean",
    }
    found = []
    for first, first_words in steps.items():
        for second, second_words in steps.items():
            inner, outer = MODES[first], MODES[second]
            scale = np.asarray(inner.scale) * np.asarray(outer.scale)
            offset = np.asarray(inner.offset) * np.asarray(outer.scale) + np.asarray(outer.offset)
            text = (
                f"0..255 {first_words} twice"
                if first == second
                else f"0..255 {first_words}, then {second_words} once more"
            )
            found.append((text, scale, offset))
    mean_std = MODES["torch"]
    found.append(
        (
            "0..255 normalised with the ImageNet mean and deviation of [0, 1] pixels",
            np.asarray(mean_std.scale) * 255,
            np.asarray(mean_std.offset),
        )
    )
    return found

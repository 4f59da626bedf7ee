"""Computes what a model's input must receive, from its front and what its backbone expects."""

import numpy as np

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.front import RANGES, Front, FrontError, probes


def invert(fronts: list[Front], wanted: InputConvention) -> tuple[InputConvention, Front]:
    """Returns what must go into a model so that `wanted` comes out of its front.

    Args:
        fronts: The possible fronts of the model, from `front.fit`.
        wanted: A known convention with the channel order `"rgb"` or `"bgr"`.

    Returns:
        The convention of the input, and the front that applies to it. Each front gives its own
        convention; the front applies if its range contains the values of images in that convention.

    Raises:
        FrontError: If no front or several fronts give an answer, or if the channels of the input
            would be neither RGB nor BGR.
    """
    answers = []
    for front in fronts:
        answer = _invert_one(front, wanted)
        if front.only_in is not None:
            low, high = RANGES[front.only_in]
            lowest, highest = span(answer)
            slack = 0.02 * (highest - lowest)
            if lowest < low - slack or highest > high + slack:
                continue
        answers.append((answer, front))
    if len(answers) != 1:
        raise FrontError("it is a scale and an offset in a part of the range of values only")
    return answers[0]


def span(convention: InputConvention) -> tuple[float, float]:
    """Returns the lowest and the highest value of an 8-bit image in a convention."""
    scale, offset = np.asarray(convention.scale), np.asarray(convention.offset)
    ends = np.concatenate([offset, offset + 255 * scale])
    return float(ends.min()), float(ends.max())


def _invert_one(front: Front, wanted: InputConvention) -> InputConvention:
    """Returns what must go into one front so that `wanted` comes out of it."""
    fed_scale = np.asarray(wanted.scale) / np.asarray(front.scale)
    fed_offset = (np.asarray(wanted.offset) - np.asarray(front.offset)) / np.asarray(front.scale)
    if front.channels == 1:
        # One channel feeds all three outputs, so it gets the mean of their scales and offsets.
        scale, offset = (float(fed_scale.mean()),), (float(fed_offset.mean()),)
        return named(scale, offset, "gray", front.precision)
    if sorted(front.permutation) != list(range(front.channels)):
        raise FrontError("it does not use each channel once")
    back = np.argsort(front.permutation)  # the output channel of each input channel
    # The color of each input channel: 0 is red, 1 green, 2 blue.
    colours = back if wanted.channel_order == "rgb" else len(back) - 1 - back
    orders = {(0, 1, 2): "rgb", (2, 1, 0): "bgr"}
    if tuple(colours) not in orders:
        raise FrontError(f"it reorders the channels to {list(front.permutation)}")
    return named(
        tuple(fed_scale[back].tolist()),
        tuple(fed_offset[back].tolist()),
        orders[tuple(colours)],
        front.precision,
    )


def named(
    scale: tuple[float, ...], offset: tuple[float, ...], order: str, precision: float = 0.0
) -> InputConvention:
    """Returns the convention with this scale and offset: a named mode if the mode is close to it.

    Scales must agree within 0.1 % (or the rounding of half precision), and offsets must agree
    within half a gray level of 0..255.
    """
    tolerance = max(1e-3, 2 * precision)
    for mode in MODES:
        known = InputConvention(mode, order)
        known_scale, known_offset = np.asarray(known.scale), np.asarray(known.offset)
        half_level = 0.5 * np.abs(known_scale) + 2 * precision * np.abs(known_offset)
        if (
            np.allclose(scale, known_scale, rtol=tolerance, atol=0)
            and (np.abs(offset - known_offset) <= half_level).all()
        ):
            return known
    return InputConvention("custom", order, tuple(scale), tuple(offset))


def is_usual(front: Front) -> bool:
    """Whether a front only multiplies by one number, or applies one or two named conventions.

    With any other front, such as a `Normalization` that was adapted to a data set, the layers
    behind it were presumably trained on its output.
    """
    multiplies = not np.any(front.offset) and np.ptp(front.scale) == 0
    return bool(multiplies) or any(_from_raw(front))


def describe(
    front: Front, convention: InputConvention, wanted: InputConvention, name: str, own: bool
) -> list[str]:
    """Returns sentences about what a front does and what the input must therefore receive.

    Args:
        front: The front.
        convention: What must go into the front, from `invert`.
        wanted: What must come out of the front.
        name: Name of the network behind the front.
        own: Whether this network also preprocesses its input itself.
    """
    if front.is_identity:
        return [f"Nothing stands between the model's input and {name}."]
    sentences = [f"In front of {name}, the model itself computes {front}."]
    if convention.mode != "custom":
        sentences.append(f"So the model's input must receive {convention}.")
        if front.only_in is not None:
            sentences.append("It clips its input: this holds for images in that range.")
        return sentences
    lowest, highest = span(convention)
    need = (
        f"values from {lowest:.5g} to {highest:.5g} would have to go in for ordinary images "
        f"to reach {name}"
    )
    made, twice = _from_raw(front)
    if own or twice:
        who = f"and {name} preprocesses once more by itself" if own else f"first to {twice}"
        sentences.append(
            f"The preprocessing is doubled inside the model itself: its first layers preprocess, "
            f"{who}. {need[0].upper()}{need[1:]}. Remove one of the two."
        )
    elif made:
        sentences.append(
            f"The preprocessing inside the model is not that of {name}: it makes {made} of raw "
            f"images, but {name} wants {wanted}."
        )
    else:
        sentences.append(f"No usual preprocessing goes with that: {need}.")
    return sentences


def _from_raw(front: Front) -> tuple[InputConvention | None, str]:
    """Returns the named convention that a front turns raw images into, or None; and a text.

    The text names two conventions if the front applies both in a row; else it is empty.
    """
    if front.channels not in (1, 3) or len(front.permutation) != 3:
        return None, ""
    raw = probes(front.channels)["0..255"]
    made = raw[:, list(front.permutation)] * np.asarray(front.scale) + np.asarray(front.offset)
    raw = np.broadcast_to(raw, made.shape)  # repeats a single channel
    known = [InputConvention(m, o) for m in MODES for o in ("rgb", "bgr")]
    slack = 0.5 * np.max(np.abs(front.scale)) + 2 * front.precision * np.max(np.abs(made))
    for one in known:
        if np.abs(one.from_raw(raw) - made).max() <= slack:
            return one, ""
    for one in known:
        for two in known:
            if "raw" in (one.mode, two.mode):
                continue
            if np.abs(two.from_raw(one.from_raw(raw)) - made).max() <= slack:
                return None, f"{one}, then that to {two}"
    return None, ""

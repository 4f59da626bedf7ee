"""What a model's input must receive, from its front and what must come out of the front.

For a recognized network, that is what its architecture is published for. For any other network, the
front shows it alone. If the layers turn one named convention into another, as `Rescaling(1 / 255)`
turns 0..255 into [0, 1], the input must receive the first convention. A `Normalization` that was
adapted to a data set shows that it needs 0..255, if only such images have its means and standard
deviations.
"""

from typing import Any

import numpy as np
from keras import layers

from keras_shiftguard.conventions import MODES, MODES_WITHOUT_ORDER
from keras_shiftguard.instrument.graph import Step, ancestors, flatten
from keras_shiftguard.preprocessing.correction.convention import InputConvention, named
from keras_shiftguard.preprocessing.expected.front import (
    RANGES,
    Front,
    FrontError,
    probes,
    run_model,
)
from keras_shiftguard.preprocessing.limits import MIN_SPAN

# Images in color with such means of the channels have values of 0..255: in other named conventions,
# the means are smaller. A convention.
MIN_RAW_MEAN = 60.0
KNOWN = [InputConvention(mode, order) for mode in MODES for order in ("rgb", "bgr")]


def invert(fronts: list[Front], wanted: InputConvention) -> tuple[InputConvention, Front]:
    """Returns what must go into a model so that `wanted` comes out of its front, and this front.

    Each of the possible fronts gives its own convention; the front applies if its range contains
    the values of images in that convention. If not exactly one applies, or if the channels of the
    input would be neither RGB nor BGR, the function raises `FrontError`.
    """
    answers = []
    for front in fronts:
        answer = _invert_one(front, wanted)
        low, high = RANGES.get(front.only_in or "", (-np.inf, np.inf))
        lowest, highest = _span(answer)
        slack = 0.02 * (highest - lowest)
        if low - slack <= lowest and highest <= high + slack:
            answers.append((answer, front))
    if len(answers) != 1:
        raise FrontError("it is a scale and an offset in a part of the range of values only")
    return answers[0]


def is_usual(front: Front) -> bool:
    """Whether a front only multiplies by one number, or applies one or two named conventions.

    With any other front, such as a `Normalization` that was adapted to a data set, the layers
    behind it were presumably trained on its output.
    """
    multiplies = not np.any(front.offset) and np.ptp(front.scale) == 0
    return bool(multiplies or _steps_from_raw(front))


def describe(
    front: Front, convention: InputConvention, wanted: InputConvention, name: str, own: bool
) -> list[str]:
    """Returns sentences about what a front does and what the input must therefore receive."""
    if front.is_identity:
        return [f"Nothing stands between the model's input and {name}."]
    sentences = [f"In front of {name}, the model itself computes {front}."]
    if convention.mode != "custom":
        sentences.append(f"So the model's input must receive {convention}.")
        if front.only_in is not None:
            sentences.append("It clips its input: this holds for images in that range.")
        return sentences
    lowest, highest = _span(convention)
    need = (
        f"Values from {lowest:.5g} to {highest:.5g} would have to go in for ordinary images to "
        f"reach {name}."
    )
    steps = _steps_from_raw(front)
    if own or len(steps) == 2:
        who = f"and {name} preprocesses once more by itself"
        if not own:
            who = f"first to {steps[0]}, then that to {steps[1]}"
        text = (
            "The preprocessing is doubled inside the model itself: its first layers preprocess, "
            f"{who}. Remove one of the two."
        )
    elif steps:
        text = f"The model makes {steps[0]} of raw images, but {name} wants {wanted}."
    else:
        text = "No usual preprocessing goes with that."
    return [*sentences, f"{text} {need}"]


def before_own_layers(model: Any, position: int) -> tuple[InputConvention, Front] | None:
    """Returns what the preprocessing layers of a model must receive, and their computation.

    Returns None if there are no such layers, or if the layers do not show what they must receive.
    """
    steps = flatten(model)
    stem = _end_of_front(steps, position)
    if stem is None or all(steps[parent].origin >= 0 for parent in steps[stem].parents):
        return None  # there are no layers in front
    operation, size = steps[stem].operation, tuple(model.inputs[position].shape)
    is_first = getattr(operation, "data_format", None) == "channels_first"
    try:
        fronts = run_model(model, position, operation, steps[stem].outermost, size, is_first)
    except Exception:  # a layer of the user's own may raise anything
        return None
    for front in fronts:
        if front.only_in in (None, "0..255") and not front.is_identity:
            convention = _named_input(front) or _standardised(front)
            return None if convention is None else (convention, front)
    return None


def _end_of_front(steps: list[Step], position: int) -> int | None:
    """Returns the index of the step at which the preprocessing of an input ends.

    This is the first step after the input that has weights or reshapes the images. The weights of
    a `Normalization` do not count, because they are constants. Returns None if there is no such
    step, or if other inputs feed this step too.
    """
    for i, step in enumerate(steps):
        is_front = isinstance(step.operation, layers.Normalization)
        is_reshaping = isinstance(step.operation, (layers.Flatten, layers.Reshape))
        if is_front or not (is_reshaping or getattr(step.operation, "weights", None)):
            continue
        origins = {steps[j].origin for j in ancestors(steps, i)} - {-1}
        if position in origins:
            return i if origins == {position} else None
    return None


def _named_input(front: Front) -> InputConvention | None:
    """Returns the uniform convention that a front turns into another named one; else None."""
    wanted_modes: list[InputConvention] = []
    if front.keeps_order:
        wanted_modes += [InputConvention(mode, "unknown") for mode in MODES_WITHOUT_ORDER]
    if len(front.scale) == 3:
        wanted_modes += [each for each in KNOWN if each.mode not in MODES_WITHOUT_ORDER]
    for wanted in wanted_modes:
        try:
            found = _invert_one(front, wanted)
        except FrontError:
            continue
        if found.mode in MODES_WITHOUT_ORDER:
            return found
    return None


def _standardised(front: Front) -> InputConvention | None:
    """Returns the convention of 0..255 if a front standardises the channels of such images."""
    scale, offset = np.asarray(front.scale), np.asarray(front.offset)
    lowest = MIN_SPAN if front.channels == 1 else MIN_RAW_MEAN
    means, stds = -offset / scale, 1 / scale  # those of images in 0..255 have natural limits
    is_raw = (lowest < means) & (means < 255) & (MIN_SPAN < stds) & (stds < 127.5)
    return InputConvention("raw", _order_of(front.channels)) if is_raw.all() else None


def _invert_one(front: Front, wanted: InputConvention) -> InputConvention:
    """Returns what must go into one front so that `wanted` comes out of it."""
    scale = np.asarray(wanted.scale) / front.scale
    offset = (np.asarray(wanted.offset) - front.offset) / front.scale
    if front.channels == 1:
        # One channel feeds all three outputs, so it gets the mean of their scales and offsets.
        return named([float(scale.mean())], [float(offset.mean())], "gray", front.precision)
    if sorted(front.permutation) != list(range(front.channels)):
        raise FrontError("it does not use each channel once")
    back = np.argsort(front.permutation)  # the output channel of each input channel
    order = _order_of(front.channels)
    if wanted.channel_order in ("rgb", "bgr"):
        # The color of each input channel: 0 is red, 1 green, 2 blue.
        colours = back if wanted.channel_order == "rgb" else len(back) - 1 - back
        order = {(0, 1, 2): "rgb", (2, 1, 0): "bgr"}.get(tuple(colours.tolist()), "")
        if not order:
            raise FrontError(f"it reorders the channels to {list(front.permutation)}")
    return named(scale[back].tolist(), offset[back].tolist(), order, front.precision)


def _order_of(channels: int) -> str:
    return {1: "gray", 3: "rgb"}.get(channels, "unknown")


def _span(convention: InputConvention) -> tuple[float, float]:
    """Returns the lowest and the highest value of an 8-bit image in a convention."""
    scale, offset = np.asarray(convention.scale), np.asarray(convention.offset)
    ends = np.concatenate([offset, offset + 255 * scale])
    return float(ends.min()), float(ends.max())


def _steps_from_raw(front: Front) -> tuple[InputConvention, ...]:
    """Returns the one or two named conventions that a front applies to raw images; else ()."""
    if front.channels not in (1, 3) or len(front.permutation) != 3:
        return ()
    raw = probes(front.channels)["0..255"]
    made = front.apply(raw)
    raw = np.broadcast_to(raw, made.shape)  # repeats a single channel
    slack = 0.5 * np.max(np.abs(front.scale)) + 2 * front.precision * np.max(np.abs(made))
    scaling = [each for each in KNOWN if each.mode != "raw"]
    pairs = [(one, two) for one in scaling for two in scaling]
    for steps in [*((one,) for one in KNOWN), *pairs]:
        found = raw
        for step in steps:
            found = step.from_raw(found)
        if np.abs(found - made).max() <= slack:
            return steps
    return ()

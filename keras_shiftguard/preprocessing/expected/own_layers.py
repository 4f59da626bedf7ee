"""Preprocessing layers of an unrecognized network, which show what its input must receive.

If the layers in front of the first weights turn one named convention into another, as
`Rescaling(1 / 255)` turns 0..255 into [0, 1], the input must receive the first convention. A
`Normalization` that was adapted to a data set shows that it needs 0..255, if only such images have
its means and standard deviations. Other layers are ignored.
"""

from typing import Any

import numpy as np
from keras import layers

from keras_shiftguard.conventions import MODES
from keras_shiftguard.instrument.graph import Step, ancestors, flatten
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.front import Front, FrontError
from keras_shiftguard.preprocessing.expected.front_inverse import invert, named
from keras_shiftguard.preprocessing.expected.front_run import run_model

# Images with such means and standard deviations of the channels have values of 0..255. Those of
# other named conventions are smaller, or (three channels) their means are nearer to 0. Conventions.
RAW_MEANS, RAW_MEANS_GRAY, RAW_STDS = (60.0, 200.0), (10.0, 200.0), (20.0, 110.0)
UNIFORM = ("unit", "tf", "raw")  # conventions with the same numbers for all channels
BY_CHANNEL = (("torch", "rgb"), ("caffe", "bgr"), ("torch", "bgr"), ("caffe", "rgb"))


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
            convention = _input_of(front) or _standardised(front)
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


def _input_of(front: Front) -> InputConvention | None:
    """Returns the named convention that a front turns into another named one; else None."""
    scale, offset = np.asarray(front.scale), np.asarray(front.offset)
    in_order = front.channels == 1 or front.permutation == tuple(range(front.channels))
    if in_order and np.allclose(scale, scale[0]) and np.allclose(offset, offset[0], atol=1e-6):
        if np.allclose(scale, 1, rtol=1e-3) and np.allclose(offset, 0, atol=1e-3):
            return None  # repeating a gray image for three channels fits all conventions
        order = {1: "gray", 3: "rgb"}.get(front.channels, "unknown")
        for mode in UNIFORM:
            of_mode, shift = (float(numbers[0]) for numbers in MODES[mode])
            needed = of_mode / scale[0], (shift - offset[0]) / scale[0]
            found = named(needed[:1], needed[1:], order, front.precision)
            if found.mode in UNIFORM:
                return found
        return None
    if front.channels != 3 or len(scale) != 3:
        return None
    for mode, order in BY_CHANNEL:
        try:
            found, _ = invert([front], InputConvention(mode, order))
        except FrontError:
            continue
        if found.mode in UNIFORM:
            return found
    return None


def _standardised(front: Front) -> InputConvention | None:
    """Returns the convention of 0..255 if a front standardises the channels of such images."""
    scale, offset = np.asarray(front.scale), np.asarray(front.offset)
    if (scale <= 0).any():
        return None
    means, stds = -offset / scale, 1 / scale
    low, high = RAW_MEANS_GRAY if front.channels == 1 else RAW_MEANS
    is_raw = (low < means) & (means < high) & (RAW_STDS[0] < stds) & (stds < RAW_STDS[1])
    if not is_raw.all():
        return None
    order = {1: "gray", 3: "rgb"}.get(front.channels, "unknown")
    return InputConvention("raw", order)

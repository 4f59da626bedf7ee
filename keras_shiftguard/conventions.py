"""Input conventions as pure data: how raw RGB pixels become network input.

Every named convention is affine in the raw 8-bit pixel value, with one scale
and one offset for each channel: `x = raw * scale + offset`. The numbers are
those of `keras.applications.imagenet_utils.preprocess_input`, in R, G, B order;
for a tensor in B, G, R order the tuples are reversed.

A `Form` is the result of one convention, or of two that were applied in a row by
mistake (divided by 255 twice, the mean subtracted twice). If one data set comes in
two forms, `change_in_words` names the difference.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

# Means of R, G, B, for pixels in [0, 1]. Given by mode "torch" of Keras's `preprocess_input`.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)  # their deviations. Given by the same mode.
# Means of R, G, B, for pixels in 0..255. Given by its mode "caffe".
CAFFE_MEAN = (123.68, 116.779, 103.939)


class Affine(NamedTuple):
    """The map `x = raw * scale + offset`, with one number for each of R, G, B."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]


# The named conventions: the modes of `preprocess_input`, and images in 0..255 and in [0, 1]. Given
# by Keras.
MODES: dict[str, Affine] = {
    "raw": Affine((1.0,) * 3, (0.0,) * 3),
    "unit": Affine((1 / 255,) * 3, (0.0,) * 3),
    "tf": Affine((1 / 127.5,) * 3, (-1.0,) * 3),
    "torch": Affine(
        tuple(1 / (255 * s) for s in IMAGENET_STD),
        tuple(-m / s for m, s in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)),
    ),
    "caffe": Affine((1.0,) * 3, tuple(-m for m in CAFFE_MEAN)),
}
MODES_WITH_ORDER = ("torch", "caffe")  # their numbers differ between the channels
MODES_WITHOUT_ORDER = ("raw", "unit", "tf")  # all channels have the same numbers

# The 8-bit grids: a convention maps the pixel values 0 to 255 to the values of its grid. Each
# name stands for the mode and the channel order of the convention; the order is None if all
# channels have the same numbers. `statistics/sketches/lattice.py` measures the share of values on a
# grid.
LATTICES: dict[str, tuple[str, str | None]] = {
    "raw": ("raw", None),
    "unit": ("unit", None),
    "tf": ("tf", None),
    "torch_rgb": ("torch", "rgb"),
    "torch_bgr": ("torch", "bgr"),
    "caffe_rgb": ("caffe", "rgb"),
    "caffe_bgr": ("caffe", "bgr"),
}

ROUNDING = 2.0  # gray levels by which rounding may move a pixel out of 0..255. A convention.
MIN_SPAN = 0.2  # smallest share of 0..255 that the values of real images span. A convention.


class ModeWords(NamedTuple):
    """The phrases for one mode."""

    values: str  # what the images are like: "images are in 0..1"
    step: str  # what was done to them: "images were divided by 255"
    done: str  # the change if only the current stream has had the step
    missing: str  # the change if only the reference has had the step
    twice: str  # the change if the current stream has had the step twice, the reference once


_NORMALISED = "normalised with the ImageNet mean and deviation"
_REDUCED = "reduced by the ImageNet mean"
WORDS: dict[str, ModeWords] = {
    "raw": ModeWords("in 0..255", "", "", "", ""),
    "unit": ModeWords("in 0..1", "divided by 255", "rescaled", "not rescaled", "rescaled twice"),
    "tf": ModeWords(
        "in -1..1",
        "scaled from 0..255 to -1..1",
        "rescaled",
        "not rescaled",
        "scaled to -1..1 twice",
    ),
    "torch": ModeWords(
        _NORMALISED, _NORMALISED, "normalised", "not normalised", "normalised twice"
    ),
    "caffe": ModeWords(
        _REDUCED, _REDUCED, "mean subtracted", "mean not subtracted", "mean subtracted twice"
    ),
}


@dataclass(frozen=True)
class Form:
    """The affine map from raw pixels to a tensor, made of one or two named steps."""

    # The modes that were applied, in this order: `("unit",)`, or `("unit", "unit")` for images that
    # were divided by 255 twice.
    steps: tuple[str, ...]
    # Order of the channels when the numbers of "torch" and "caffe" were applied: "rgb" or "bgr";
    # "mixed" if it changed between the two steps; "" if all channels have the same numbers.
    order: str
    scale: np.ndarray  # (channels,), float64
    offset: np.ndarray  # (channels,), float64

    @property
    def has_two_steps(self) -> bool:
        """Whether the images were preprocessed twice."""
        return len(self.steps) > 1

    def in_words(self) -> str:
        """Returns a phrase that completes "the images are ..."."""
        if not self.has_two_steps:
            return WORDS[self.steps[0]].values
        first, second = (WORDS[step].step for step in self.steps)
        return f"{first} twice" if first == second else f"{first} and then {second} as well"

    def to_raw(self, x: np.ndarray) -> np.ndarray:
        """Returns the raw pixel values of a tensor in this form, channels last."""
        return np.asarray((x - self.offset) / self.scale)

    def holds(self, low: np.ndarray, high: np.ndarray, slack: float = ROUNDING) -> bool:
        """Whether the ends of the values of each channel can come from pixels in 0..255.

        The pixels may exceed this range by `slack` gray levels.
        """
        inside = self.to_raw(low).min() >= -slack and self.to_raw(high).max() <= 255 + slack
        return bool(inside)

    def coverage(self, low: np.ndarray, high: np.ndarray) -> float:
        """Returns the range of the values as raw pixels, divided by 255; it may be above 1."""
        return float(self.to_raw(high).max() - self.to_raw(low).min()) / 255

    def span(self, low: np.ndarray, high: np.ndarray) -> float:
        """Returns `coverage`, or 0 if real images cannot have these values in this form."""
        span = self.coverage(low, high)
        return span if self.holds(low, high) and span >= MIN_SPAN else 0.0


def compose(steps: tuple[str, ...], order: str = "", channels: int = 3) -> Form:
    """Returns the form that results from applying modes, the first one first.

    If there are not three channels, each of them gets the mean of the three numbers.
    """
    scale, offset = np.ones(3), np.zeros(3)
    for step in steps:
        step_scale, step_offset = (np.asarray(numbers) for numbers in MODES[step])
        scale, offset = scale * step_scale, offset * step_scale + step_offset
    if order == "bgr":
        scale, offset = scale[::-1], offset[::-1]
    if channels != 3:
        scale, offset = (np.full(channels, numbers.mean()) for numbers in (scale, offset))
    return Form(steps, order, scale, offset)


@lru_cache(maxsize=8)
def forms(channels: int) -> tuple[Form, ...]:
    """Returns all forms that images with that many channels can be in."""
    changing_modes = [mode for mode in MODES if mode != "raw"]
    sequences: list[tuple[str, ...]] = [(mode,) for mode in MODES]
    sequences += list(product(changing_modes, repeat=2))
    result = []
    for steps in sequences:
        has_order = bool(set(MODES_WITH_ORDER) & set(steps))
        if has_order and channels not in (1, 3):
            continue
        for order in ("rgb", "bgr") if has_order and channels == 3 else ("",):
            result.append(compose(steps, order, channels))
    if channels == 3:
        # Keras's `preprocess_input` reverses the channels. Calling it twice therefore subtracts
        # the means in one order and then in the other.
        mean = np.asarray(MODES["caffe"].offset)
        result.append(Form(("caffe", "caffe"), "mixed", np.ones(3), mean + mean[::-1]))
    return tuple(result)


def change_in_words(reference: Form, current: Form) -> str:
    """Returns a phrase for how `current` was preprocessed differently from `reference`."""
    before, after = reference.steps, current.steps
    if after[: len(before)] == before and len(after) > len(before):
        extra = after[-1]
        return WORDS[extra].twice if before == (extra,) else f"{WORDS[extra].step} once more"
    if after == ("raw",) and not reference.has_two_steps:
        return WORDS[before[0]].missing
    if before == ("raw",) and not current.has_two_steps:
        return WORDS[after[0]].done
    if before == ("torch",) and after == ("unit",):
        return WORDS["torch"].missing
    return f"{current.in_words()} instead of {reference.in_words()}"

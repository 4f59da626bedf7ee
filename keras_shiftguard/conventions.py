"""Input conventions as pure data: how raw RGB pixels become network input.

Every named convention is affine in the raw 8-bit pixel value, with one scale
and one offset for each channel: `x = raw * scale + offset`. The numbers are
those of `keras.applications.imagenet_utils.preprocess_input`, in R, G, B order;
a tensor in B, G, R order carries the reversed tuples.

A `Form` is the result of one convention, or of two applied in a row, which
happens by mistake (divided by 255 twice, the mean subtracted twice). Two copies
of one data set in two forms differ by an affine map that has a name.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of the unit range, R, G, B
IMAGENET_STD = (0.229, 0.224, 0.225)
CAFFE_MEAN = (123.68, 116.779, 103.939)  # of the raw range, R, G, B


class Affine(NamedTuple):
    """The map `x = raw * scale + offset`, with one number for each of R, G, B."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]


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

# The grids on which 8-bit images land, by the convention that put them there.
# The share of values that lie on each grid is measured in the training step
# (statistics/lattice.py). `None` as order: the same for every channel.
LATTICES: dict[str, tuple[str, str | None]] = {
    "raw": ("raw", None),
    "unit": ("unit", None),
    "tf": ("tf", None),
    "torch_rgb": ("torch", "rgb"),
    "torch_bgr": ("torch", "bgr"),
    "caffe_rgb": ("caffe", "rgb"),
    "caffe_bgr": ("caffe", "bgr"),
}

ROUNDING = 2.0  # gray levels by which rounding can take a pixel out of 0..255
MIN_SPAN = 0.2  # part of 0..255 that the values of real images span


class ModeWords(NamedTuple):
    """The phrases for one mode.

    Args:
        values: What the images are like: "images are in 0..1".
        step: What was done to them: "images were divided by 255".
        done: Short name of a difference, where one stream has had the step.
        missing: Likewise, where one stream has not had it.
        twice: Likewise, where one stream has had it twice.
    """

    values: str
    step: str
    done: str
    missing: str
    twice: str


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
    """The affine map from raw pixels to a tensor, made of one or two named steps.

    Args:
        steps: The modes that were applied, in this order: `("unit",)`, or
            `("unit", "unit")` for images that were divided by 255 twice.
        order: The order in which the channels of `"torch"` and `"caffe"` have
            their numbers: `"rgb"` or `"bgr"`; `"mixed"` if it changed between
            the two steps; `""` where all channels have the same numbers.
        scale: `(channels,)`, float64.
        offset: `(channels,)`, float64.
    """

    steps: tuple[str, ...]
    order: str
    scale: np.ndarray
    offset: np.ndarray

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

    def holds(self, low: np.ndarray, high: np.ndarray) -> bool:
        """Returns whether values in this form come from pixels in 0..255.

        Args:
            low: Smallest value of each channel, `(channels,)`.
            high: Largest value of each channel, `(channels,)`.
        """
        inside = self.to_raw(low).min() >= -ROUNDING and self.to_raw(high).max() <= 255 + ROUNDING
        return bool(inside)

    def coverage(self, low: np.ndarray, high: np.ndarray) -> float:
        """Returns which part of 0..255 the values span, whether or not the form holds them."""
        return float(self.to_raw(high).max() - self.to_raw(low).min()) / 255

    def span(self, low: np.ndarray, high: np.ndarray) -> float:
        """Returns the coverage; 0 if these cannot be the values of real images."""
        span = self.coverage(low, high)
        return span if self.holds(low, high) and span >= MIN_SPAN else 0.0


def compose(steps: tuple[str, ...], order: str = "", channels: int = 3) -> Form:
    """Returns the form that results from applying `steps`, the first one first.

    Args:
        steps: Keys of `MODES`.
        order: `"bgr"` reverses the numbers of the channels.
        channels: Where it is not 3, every channel gets the mean of the numbers.
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
    real_steps = [mode for mode in MODES if mode != "raw"]
    sequences: list[tuple[str, ...]] = [(mode,) for mode in MODES]
    sequences += list(product(real_steps, real_steps))
    found = []
    for steps in sequences:
        has_order = bool(set(MODES_WITH_ORDER) & set(steps))
        if has_order and channels not in (1, 3):
            continue
        for order in ("rgb", "bgr") if has_order and channels == 3 else ("",):
            found.append(compose(steps, order, channels))
    if channels == 3:
        # Keras's own `preprocess_input` reverses the channels each time.
        mean = np.asarray(MODES["caffe"].offset)
        found.append(Form(("caffe", "caffe"), "mixed", np.ones(3), mean + mean[::-1]))
    return tuple(found)


def change_in_words(reference: Form, current: Form) -> str:
    """Returns a name for what was done to `current` and not to `reference`."""
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

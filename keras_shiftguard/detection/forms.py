"""The forms in which images come, right or by a well-known accident, as data.

A form is affine in the raw pixel, `x = raw * scale + offset`: a convention of
`conventions.MODES`, or one step done to the result of another (divided by 255
twice, the mean subtracted twice). Two streams of one data set that were put in
two of these forms differ by an affine map that has a name.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np

from keras_shiftguard.conventions import MODES

SLACK = 2.0  # gray levels: how far outside of 0..255 rounding can take a pixel
LEAST_SPAN = 0.2  # of 0..255 that the values of real images span

_WORDS = {
    "raw": "in 0..255",
    "unit": "in 0..1",
    "tf": "in -1..1",
    "torch": "normalised with the ImageNet mean and deviation",
    "caffe": "reduced by the ImageNet mean",
}
_STEP_WORDS = {
    "unit": "divided by 255",
    "tf": "scaled from 0..255 to -1..1",
    "torch": "normalised with the ImageNet mean and deviation",
    "caffe": "reduced by the ImageNet mean",
}


@dataclass(frozen=True)
class Form:
    """One way from raw pixels to a tensor.

    Args:
        steps: The conventions that were applied, the first first: `("unit",)`,
            or `("unit", "unit")` for an accident.
        order: In which order the channels of `"torch"` and `"caffe"` have
            their numbers: `"rgb"` or `"bgr"`; `""` where they are all alike.
        scale: `(channels,)`.
        offset: `(channels,)`.
    """

    steps: tuple[str, ...]
    order: str
    scale: np.ndarray
    offset: np.ndarray

    @property
    def is_accident(self) -> bool:
        return len(self.steps) > 1

    def in_words(self) -> str:
        if not self.is_accident:
            return _WORDS[self.steps[0]]
        first, second = self.steps
        if first == second:
            return f"{_STEP_WORDS[first]} twice"
        return f"{_STEP_WORDS[first]} and then {_STEP_WORDS[second]} as well"

    def span(self, low: np.ndarray, high: np.ndarray) -> float:
        """Part of 0..255 that values span in this form; 0 if it cannot hold them.

        Args:
            low: Smallest value of each channel, `(channels,)`.
            high: Largest value of each channel, `(channels,)`.
        """
        raw_low, raw_high = ((v - self.offset) / self.scale for v in (low, high))
        span = float(raw_high.max() - raw_low.min()) / 255
        inside = raw_low.min() >= -SLACK and raw_high.max() <= 255 + SLACK
        return span if inside and span >= LEAST_SPAN else 0.0


@lru_cache(maxsize=8)
def forms(channels: int) -> tuple[Form, ...]:
    """All forms for images of that many channels."""
    steps: list[tuple[str, ...]] = [(mode,) for mode in MODES]
    actual = [mode for mode in MODES if mode != "raw"]
    steps += list(product(actual, actual))
    found = []
    for names in steps:
        uneven = bool({"torch", "caffe"} & set(names))
        if uneven and channels not in (1, 3):
            continue
        for order in ("rgb", "bgr") if uneven and channels == 3 else ("",):
            scale, offset = np.ones(3), np.zeros(3)
            for name in names:
                step_scale, step_offset = (np.asarray(v) for v in MODES[name])
                scale, offset = scale * step_scale, offset * step_scale + step_offset
            if order == "bgr":
                scale, offset = scale[::-1], offset[::-1]
            if channels != 3:
                scale, offset = (np.full(channels, v.mean()) for v in (scale, offset))
            found.append(Form(names, order, scale, offset))
    if channels == 3:
        # Keras's own `preprocess_input` turns the channels around each time.
        mean = np.asarray(MODES["caffe"].offset)
        found.append(Form(("caffe", "caffe"), "mixed", np.ones(3), mean + mean[::-1]))
    return tuple(found)


def difference_in_words(reference: Form, current: Form) -> str:
    """A name for what was done to one stream only."""
    before, after = reference.steps, current.steps
    if after[: len(before)] == before and len(after) > len(before):
        extra = after[-1]
        if before == ("raw",):
            return _done(extra)
        if before == (extra,):
            return {
                "unit": "rescaled twice",
                "tf": "scaled to -1..1 twice",
                "torch": "normalised twice",
                "caffe": "mean subtracted twice",
            }[extra]
        return f"{_STEP_WORDS[extra]} once more"
    if after == ("raw",) and not reference.is_accident:
        return {
            "unit": "not rescaled",
            "tf": "not rescaled",
            "torch": "not normalised",
            "caffe": "mean not subtracted",
        }[before[0]]
    if before == ("raw",) and not current.is_accident:
        return _done(after[0])
    if before == ("torch",) and after == ("unit",):
        return "not normalised"
    return f"{current.in_words()} instead of {reference.in_words()}"


def _done(step: str) -> str:
    return {
        "unit": "rescaled",
        "tf": "rescaled",
        "torch": "normalised",
        "caffe": "mean subtracted",
    }[step]

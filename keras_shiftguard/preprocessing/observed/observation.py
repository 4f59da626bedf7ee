"""`Observation`: the convention that an input tensor was fed in, and how certain that is."""

from dataclasses import dataclass

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.limits import MIN_TRIAL_IMAGES

# With fewer photos, the convention is recognized correctly in only 9 of 10 cases.
MIN_OBSERVED = MIN_TRIAL_IMAGES


@dataclass(frozen=True)
class Observation:
    """The convention that an input tensor was fed in.

    Args:
        convention: The observed convention; mode `"unknown"` if it cannot be identified. For
            `"torch"`, `"caffe"` and two steps with one of them, the channel order is the order in
            which the means were subtracted. Otherwise it is `"unknown"` (`"gray"` for one channel).
        kind: A special case: `"nonfinite"`, `"constant"`,
            `"per_image_standardised"` or `"scaled_twice"`; else None.
        certainty: How certain the convention is, from 0 to 1.
        evidence: Sentences with numbers.
        by_grid: Whether the convention follows from the 8-bit grid, not from the extremes.
    """

    convention: InputConvention
    kind: str | None
    certainty: float
    evidence: tuple[str, ...]
    by_grid: bool = False

    @property
    def is_fitted(self) -> bool:
        """Whether the convention is a fit to the extremes; no named steps lead to them."""
        is_named = self.convention.mode != "custom" or self.kind == "scaled_twice"
        return not (is_named or self.by_grid)


def convention_of(mode: str, order: str | None, channels: int) -> InputConvention:
    """Returns a named convention of images with that many channels; None is an unknown order."""
    if channels == 1:
        return InputConvention(mode, "gray")
    return InputConvention(mode, order or "unknown")

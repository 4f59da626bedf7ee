"""`Promise`: what an operation gains on samples that did not choose it."""

from dataclasses import dataclass, replace

import numpy as np

from keras_shiftguard.detection.cost import Cost

# A cause explains a loss if undoing it wins back this share of the loss. A convention.
MIN_WON_BACK = 0.5


@dataclass(frozen=True)
class Choice:
    """An operation of a family, with its strength in the unit of the operation."""

    name: str
    family: str
    strength: object


@dataclass(frozen=True)
class Promise:
    """A gain that was measured on the same samples before and after an operation.

    Args:
        cost: The gain: what the samples cost as they are.
        choices: The operations that each half of the samples chose, one after another.
    """

    cost: Cost
    choices: tuple[tuple[Choice, ...], ...]

    @property
    def family(self) -> str:
        """The family on which both halves agree, the first of several; "" if they do not agree."""
        chosen = {frozenset(choice.family for choice in chain) for chain in self.choices}
        return self.choices[0][0].family if len(chosen) == 1 and any(chosen) else ""

    def is_alarm(self, tolerance: float) -> bool:
        """Whether the gain is above `tolerance`, its interval above 0, and both halves agree."""
        return bool(self.family) and self.cost.is_costly(tolerance)


def beyond(gain: Cost, control: Cost) -> Cost:
    """Returns a gain minus that of the control group, if theirs is above 0."""
    if control.value <= 0:
        return gain
    value = gain.value - control.value
    errors = gain.value - gain.interval[0], control.value - control.interval[0]
    error = float(np.hypot(*errors))
    return replace(gain, value=value, interval=(value - error, value + error))

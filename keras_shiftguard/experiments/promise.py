"""`Promise`: what an operation gains on samples that did not choose it."""

from dataclasses import dataclass, replace

import numpy as np

from keras_shiftguard.detection.cost import SIGMAS

# A cause explains a loss if undoing it wins back this share of the loss. A convention.
MIN_WON_BACK = 0.5


@dataclass(frozen=True)
class Choice:
    """An operation with a strength.

    Args:
        name: Name of the operation.
        family: Its family, such as `"light"`.
        strength: Its strength, in the unit of the operation.
    """

    name: str
    family: str
    strength: object


@dataclass(frozen=True)
class Promise:
    """A gain that was measured on the same samples before and after an operation.

    Args:
        gain: The mean gain, as a share: of the samples that are right, or of the loss.
        interval: 95 % interval of the gain.
        num_samples: Number of samples on which the gain was measured.
        metric: Name of what is gained: `"accuracy"`, or the name of a loss or metric.
        choices: The operation of each half of the samples; the first choices of a sequence, if
            several operations follow one another. Empty if nothing was found.
    """

    gain: float
    interval: tuple[float, float]
    num_samples: int
    metric: str
    choices: tuple[tuple[Choice, ...], ...] = ()

    @property
    def family(self) -> str:
        """The family on which both halves agree, the first of several; "" if they do not agree."""
        chosen = {frozenset(choice.family for choice in chain) for chain in self.choices}
        return self.choices[0][0].family if len(chosen) == 1 and any(chosen) else ""

    @property
    def at_most(self) -> float:
        """The largest gain that these samples do not exclude."""
        return max(self.interval[1], 0.0)

    def beyond(self, other: "Promise") -> "Promise":
        """Returns the gain minus that of other samples, if theirs is above 0."""
        if other.gain <= 0:
            return self
        gain = self.gain - other.gain
        errors = self.gain - self.interval[0], other.gain - other.interval[0]
        error = float(np.hypot(*errors))
        return replace(self, gain=gain, interval=(gain - error, gain + error))

    def is_alarm(self, tolerance: float) -> bool:
        """Whether the gain is above `tolerance`, its interval above 0, and both halves agree."""
        return bool(self.family) and self.gain > tolerance and self.interval[0] > 0


def promised(
    before: np.ndarray,
    after: np.ndarray,
    unit: float,
    metric: str,
    choices: tuple[tuple[Choice, ...], ...],
) -> Promise:
    """Returns the promise of the same samples before and after an operation.

    Args:
        before: Worth of each sample as it is, `(samples,)`, see `Judge.worth`.
        after: Worth of each sample after the operation.
        unit: The gain that counts as 1.
        metric: Name of what is gained.
        choices: The operations of each half.
    """
    gained = (after - before) / unit
    n = len(gained)
    # One gained and one lost sample are added. Otherwise the interval would be empty if no
    # prediction changed.
    error = float(np.sqrt((np.square(gained - gained.mean()).sum() + 2) / n / n))
    gain = float(gained.mean())
    return Promise(gain, (gain - SIGMAS * error, gain + SIGMAS * error), n, metric, choices)

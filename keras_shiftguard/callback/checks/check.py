"""`Check`: a question about the data of an epoch, as a function of a state and the epoch.

A check keeps nothing between two epochs but its state, which the guard saves and restores. It does
not change the streams, the report or other checks: `ShiftWatch.apply` puts what it tells into the
report.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.stream import Stream

MAX_P = 1e-4  # of an alarm that only a test supports, and no experiment. A convention.
MIN_SHARE = 0.01  # of validation: fewer samples hardly move its accuracy. A convention.


@dataclass(frozen=True)
class Epoch:
    """What is known after an epoch, an evaluation, or a prediction.

    Args:
        number: Number of the epoch, counted from 1; None outside of a fit.
        streams: The streams with their kept samples, by name.
        passes: Profiles of the passes that have ended since the epoch before, by stream.
        logs: Keras's logs; None for a prediction, which has none.
        warned_of: The findings of which there is a warning.
        is_last: Whether it is the last epoch of the fit.
        pairs: The comparisons of the streams so far, with their findings.
    """

    number: int | None
    streams: Mapping[str, Stream]
    passes: Mapping[str, InputProfile]
    logs: Mapping[str, Any] | None
    warned_of: Collection[Finding] = ()
    is_last: bool = False
    pairs: Sequence[Pair] = ()

    @property
    def main(self) -> Pair | None:
        """The comparison of validation with training; None without one."""
        names = ("validation", "train")
        return next((pair for pair in self.pairs if (pair.stream, pair.against) == names), None)

    @property
    def is_apart(self) -> bool:
        """Whether the streams are corrected in different ways: then no step is undone."""
        keys = [
            {name: correction.key for name, correction in self.streams[stream].corrections.items()}
            for stream in ("train", "validation")
        ]
        return keys[0] != keys[1]


@dataclass(frozen=True)
class Told:
    """What a check has found that is new.

    Args:
        notes: Sentences for the report.
        warning: Text of a warning; "" for none.
        findings: Findings of this epoch, also those of an earlier one that last. Each takes the
            place of the finding on the same feature.
    """

    notes: tuple[str, ...] = ()
    warning: str = ""
    findings: tuple[Finding, ...] = ()


# From its state, the result of the epoch before (a tree for `profiles.storage`; None in the first
# one), and an epoch to its new state and what it has found.
Check = Callable[[Any, Epoch], tuple[Any, Told]]


def is_finite(loss: Any) -> bool:
    """Whether a loss of Keras's logs is finite; so is anything else that a user's own step logs."""
    return not isinstance(loss, (int, float, np.floating)) or bool(np.isfinite(loss))

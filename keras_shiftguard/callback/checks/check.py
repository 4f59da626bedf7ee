"""`Check`: a question about the data of an epoch, as a function of a state and the epoch.

A check keeps nothing between two epochs but its state, which the guard saves and restores. It does
not change the streams, the report or other checks.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.stream import Stream


@dataclass(frozen=True)
class Epoch:
    """What is known after an epoch, an evaluation, or a prediction.

    Args:
        number: Number of the epoch, counted from 1; None outside of a fit.
        streams: The streams with their kept samples, by name.
        passes: Profiles of the passes that have ended since the epoch before, by stream.
        logs: Keras's logs; None for a prediction, which has none.
        warned_of: The findings of which there is a warning.
    """

    number: int | None
    streams: Mapping[str, Stream]
    passes: Mapping[str, InputProfile]
    logs: Mapping[str, Any] | None
    warned_of: Collection[Finding] = ()


@dataclass(frozen=True)
class Told:
    """What a check has found that is new.

    Args:
        notes: Sentences for the report.
        warning: Text of a warning; "" for none.
        findings: Findings of this epoch, also those of an earlier one that last.
    """

    notes: tuple[str, ...] = ()
    warning: str = ""
    findings: tuple[Finding, ...] = ()


class Check(Protocol):
    """A function from its state and an epoch to its new state, and what it has found."""

    def __call__(self, state: Any, epoch: Epoch) -> tuple[Any, Told]:
        """Looks at an epoch.

        Args:
            state: The result of the epoch before, a tree for JSON; None in the first one.
            epoch: The epoch.
        """
        ...

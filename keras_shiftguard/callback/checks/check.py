"""`Check`: a question about the data of an epoch, as a function of a state and the epoch.

A check keeps nothing between two epochs but its state, which the guard saves and restores. It does
not change the streams, the report or other checks: `ShiftWatch.apply` puts what it tells into the
report.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_shiftguard.callback.judged_samples import Judged, JudgedSamples
from keras_shiftguard.callback.spending import Spending
from keras_shiftguard.detection.cause import Cause
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.stream import Stream

MAX_P = 1e-4  # of an alarm that only a test supports, and no experiment. A convention.
MIN_SHARE = 0.01  # of validation: fewer samples hardly move its accuracy. A convention.
# Costs by the names of two streams that are compared, and by feature; None if a cost is unknown.
Costs = Mapping[tuple[str, str], Mapping[str, Cost | None]]


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
        is_augmented: Whether the passes show that training is augmented; None if that is not known.
        tolerance: The share of accuracy that a difference may cost.
        samples: Gives the labelled samples of the epoch; None outside of a fit.
        spending: The time that is left for experiments.
        states: The latest states of all checks, by name.
        is_logged: Whether the run has a log, so that curves are wanted.
    """

    number: int | None
    streams: Mapping[str, Stream]
    passes: Mapping[str, InputProfile]
    logs: Mapping[str, Any] | None
    warned_of: Collection[Finding] = ()
    is_last: bool = False
    pairs: Sequence[Pair] = ()
    is_augmented: bool | None = None
    tolerance: float = 0.0
    samples: JudgedSamples | None = None
    spending: Spending = field(default_factory=Spending)
    states: Mapping[str, Any] = field(default_factory=dict)
    is_logged: bool = False

    @property
    def main(self) -> Pair | None:
        """The comparison of validation with training; None without one."""
        names = ("validation", "train")
        return next((pair for pair in self.pairs if (pair.stream, pair.against) == names), None)

    @property
    def is_harder(self) -> bool:
        """Whether the loss on validation is above the mean loss on training in the same epoch."""
        logs = self.logs or {}
        train, validation = logs.get("loss"), logs.get("val_loss")
        number = (int, float, np.floating)
        if not isinstance(train, number) or not isinstance(validation, number):
            return False
        return bool(validation > train)

    @property
    def is_apart(self) -> bool:
        """Whether the streams are corrected in different ways: then no step is undone."""
        keys = [
            {name: correction.key for name, correction in self.streams[stream].corrections.items()}
            for stream in ("train", "validation")
        ]
        return keys[0] != keys[1]

    def judged(self, pair: Pair, apart: bool) -> Judged | None:
        """Returns the labelled samples of the epoch; see `JudgedSamples.of`."""
        if self.samples is None:
            return None
        return self.samples.of(self.streams, pair.current.labels, apart)


@dataclass(frozen=True)
class Told:
    """What a check has found that is new.

    Args:
        notes: Sentences for the report.
        warning: Text of a warning; "" for none.
        findings: Findings of this epoch, also those of an earlier one that last. Each takes the
            place of the finding on the same feature.
        causes: Causes of findings by pair of streams and feature; None for none any more.
        costs: Costs of findings, those of this check among them.
        denied: Features of findings of this check that its latest look does not find any more, by
            pair of streams. An alarm among them stays, unless its value is True: then something
            else explains it.
        curves: Numbers of this epoch that the log shows beside Keras's own, by name.
    """

    notes: tuple[str, ...] = ()
    warning: str = ""
    findings: tuple[Finding, ...] = ()
    causes: Mapping[tuple[str, str], Mapping[str, Cause | None]] = field(default_factory=dict)
    costs: Costs = field(default_factory=dict)
    denied: Mapping[tuple[str, str], Mapping[str, bool]] = field(default_factory=dict)
    curves: Mapping[str, float] = field(default_factory=dict)


# From its state, the result of the epoch before (a tree for `profiles.storage`; None in the first
# one), and an epoch to its new state and what it has found.
Check = Callable[[Any, Epoch], tuple[Any, Told]]


def costs_of(pair: Pair, costs: Mapping[str, Cost | None]) -> dict[str, Cost | None]:
    """Returns costs with wider intervals, if samples of a comparison depend on each other."""
    share = pair.distinct_share
    return {feature: cost and cost.of_dependent(share) for feature, cost in costs.items()}


def is_finite(loss: Any) -> bool:
    """Whether a loss of Keras's logs is finite; so is anything else that a user's own step logs."""
    return not isinstance(loss, (int, float, np.floating)) or bool(np.isfinite(loss))

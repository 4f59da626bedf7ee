"""Statements about a domain adaptation: whether it is likely to help, and whether it helped."""

import time
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from keras_shiftguard.detection.look import compare_profiles
from keras_shiftguard.errors import BadInputError, warn
from keras_shiftguard.explain.estimates.adaptation_worth import (
    Worth,
    bounded_estimate,
    expected_worth,
    measured_worth,
)
from keras_shiftguard.explain.estimates.estimate import AccuracyEstimate
from keras_shiftguard.instrument.measure import profile
from keras_shiftguard.instrument.model_outputs import fingerprint
from keras_shiftguard.instrument.steps.processes import has_several_processes
from keras_shiftguard.statistics.state import on_host


def expectation(source: Any, target: Any) -> str:
    """Returns the statement before training, see `expected_worth`; "" if there is none.

    `source` and `target` are inputs of samples, as NumPy arrays.
    """
    if has_several_processes():
        return ""
    try:
        before, now = profile(source), profile(target)
        found = compare_profiles(before, now, stream="target", against="train").findings
        return expected_worth(found, now.num_samples, before.num_samples)
    except BadInputError:  # no numbers that could be measured
        return ""
    except Exception as error:
        failure = error
    warn(f"Whether adaptation is likely to help could not be measured ({failure!r}).")
    return ""


class Outcome:
    """The statement after training: estimated accuracies on the target, in one line.

    The accuracy is estimated with the present weights and, if some are kept, with earlier ones.

    Args:
        model: The `DomainAdaptationModel`.
        source: Inputs and labels of samples that are not trained on.
        target: Inputs of target samples.
    """

    def __init__(self, model: Any, source: tuple[Any, Any], target: Any) -> None:
        self.model, self.source, self.target = model, source, target
        self.began = time.perf_counter()  # just before training
        self.earlier: list[np.ndarray] = []  # earlier weights
        self.when = ""  # a phrase for when the model had them
        self._weights, self._worth = "", Worth("")

    def keep(self, when: str) -> None:
        """Keeps the present weights for the comparison, unless others are kept already."""
        if not self.earlier:
            self.earlier, self.when = [on_host(v) for v in self.model.base.variables], when

    def worth(self) -> Worth:
        """Returns the statement for the present weights, see `measured_worth`."""
        weights = fingerprint(self.model.base)
        if weights != self._weights:
            self._weights, self._worth = weights, self._measure()
        return self._worth

    def _measure(self) -> Worth:
        now = self._estimate()
        if now is None:
            return Worth("")
        if not self.earlier or now.value is None:
            return measured_worth(now, saw_target=True)
        variables = self.model.base.variables
        present = [on_host(v) for v in variables]
        try:
            assign_all(variables, self.earlier)
            before = self._estimate()
        finally:
            assign_all(variables, present)
        return measured_worth(now, before, self.when, saw_target=True)

    def _estimate(self) -> AccuracyEstimate | None:
        seconds = time.perf_counter() - self.began
        return bounded_estimate(self.model, self.target, self.source, seconds)


def assign_all(variables: Iterable[keras.Variable], values: Iterable[np.ndarray]) -> None:
    """Assigns a value to each variable."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)

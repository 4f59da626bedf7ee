"""Statements about a domain adaptation: whether it is likely to help, and whether it helped."""

import time
from typing import Any

from keras_shiftguard.detection.look import compare_profiles
from keras_shiftguard.domains.auto import assign_all
from keras_shiftguard.domains.watch import AdaptationWatch
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

    The accuracy is estimated with the present weights and, if `watch` kept earlier weights, also
    with the earlier weights.
    """

    def __init__(self, watch: AdaptationWatch) -> None:
        self.model, self.watch = watch.domain_model, watch
        self._weights, self._worth = "", Worth("")

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
        earlier, when = self.watch.earlier
        if earlier is None or now.value is None:
            return measured_worth(now, saw_target=True)
        variables = self.model.base.variables
        present = [on_host(v) for v in variables]
        try:
            assign_all(variables, earlier)
            before = self._estimate()
        finally:
            assign_all(variables, present)
        return measured_worth(now, before, when, saw_target=True)

    def _estimate(self) -> AccuracyEstimate | None:
        watch, seconds = self.watch, time.perf_counter() - self.watch.began
        return bounded_estimate(self.model, watch.target, (watch.inputs, watch.labels), seconds)

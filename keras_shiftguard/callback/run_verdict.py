"""`RunVerdict`: what to do about a run, as its log and the terminal say it."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_shiftguard.callback.checking import Checking
from keras_shiftguard.callback.checks import labels
from keras_shiftguard.callback.preprocessing_watch import PreprocessingWatch
from keras_shiftguard.callback.repair import Repair
from keras_shiftguard.callback.run_measurement import RunMeasurement
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.detection.verdict import Verdict, verdict_of
from keras_shiftguard.explain.gap_verdict import with_gap
from keras_shiftguard.log.run_log import RunWriter
from keras_shiftguard.log.run_page import log_parts


class RunVerdict:
    """The verdict on a run, made anew from all that the guard has found so far.

    Args:
        model: The model of the run.
        kind: Its main stream, see `Run`.
        preprocessing: The diagnoses of the streams.
        shift: The latest report.
        checks: The states of the checks.
        repair: The repairs that `adapt=` selects.
        measurement: Knows what of the data is not measured.
        log: The log that is told the verdict.
        arguments: The arguments of the guard as code, see `arguments.in_code`.

    Attributes:
        corrected: First corrected epoch of each stream, counted from 1.
        loss: The latest loss of training in Keras's logs; None before the first epoch.
    """

    def __init__(
        self,
        model: keras.Model,
        kind: str,
        preprocessing: PreprocessingWatch,
        shift: ShiftWatch,
        checks: Checking,
        repair: Repair,
        measurement: RunMeasurement,
        log: RunWriter,
        arguments: Mapping[str, str],
    ) -> None:
        self._model, self._kind = model, kind
        self._preprocessing = preprocessing
        self._shift = shift
        self._checks = checks
        self._repair, self._measurement = repair, measurement
        self._log = log
        self._arguments = arguments
        self.corrected: dict[str, int] = {}
        self.loss: Any = None

    def now(self) -> Verdict | None:
        """Returns the verdict; None before the first look at a stream."""
        report = self._shift.report
        diagnoses = self._preprocessing.diagnoses if self._preprocessing.sees_images else {}
        if report is None and not diagnoses:
            return None
        parts: dict[str, Any] = {"diagnosis": {k: d.to_dict() for k, d in diagnoses.items()}}
        parts |= {} if report is None else {"report": report.to_dict()}
        parts |= {} if self._log.log_dir is None else log_parts(self._log.log_dir)
        verdict = verdict_of(
            report,
            diagnoses,
            corrected={n: self.corrected.get(n, 1) for n in self._preprocessing.corrected},
            late=0
            if self._kind == "train"
            else self._preprocessing.uncorrected_batches(self._kind),
            adaptation=self._repair.worth_of(self._model),
            guard=self._arguments,
            not_compared=self._measurement.not_compared,
            leaks=self._checks.states.get("leak") is True,
            unrelated=labels.are_unrelated(self._checks.states),
            diverged=_is_diverged(self.loss),
            parts=parts,
        )
        gap = self._log.read_gap()
        return verdict if gap is None else with_gap(verdict, gap)

    def tell(self) -> None:
        """Gives the log the verdict so far, for what it writes next."""
        if self._log.log_dir is not None and (verdict := self.now()) is not None:
            self._log.tell(verdict.to_dict())

    def last_words(self, epoch: int) -> str:
        """Writes the final verdict to the log, and returns its text.

        Args:
            epoch: Number of the epoch, counted from 0.
        """
        verdict = self.now()
        if verdict is None:
            return ""
        self._log.write_verdict(epoch, verdict.to_dict())
        return str(verdict)


def _is_diverged(loss: Any) -> bool:
    """Whether a loss is a number that is not finite; a user's own step may log anything else."""
    return isinstance(loss, (int, float, np.floating)) and not np.isfinite(loss)

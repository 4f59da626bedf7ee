"""`RunComparison`: the comparisons and checks after each epoch, and what Keras and the log get."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_shiftguard.callback.checking import Checking
from keras_shiftguard.callback.checks.check import Epoch
from keras_shiftguard.callback.run_verdict import RunVerdict
from keras_shiftguard.callback.sample_pictures import SamplePictures
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.log.run_log import RunWriter
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.stream import Stream


class RunComparison:
    """Compares the streams of a run after each epoch, evaluation or prediction.

    Args:
        model: The model of the run.
        shift: Compares the streams with each other.
        checks: The experiments and checks of the run.
        verdict: The verdict on the run.
        log: Log of the comparisons.
        log_samples: How many images of each stream are written to the log at each comparison.
    """

    def __init__(
        self,
        model: keras.Model,
        shift: ShiftWatch,
        checks: Checking,
        verdict: RunVerdict,
        log: RunWriter,
        log_samples: int,
    ) -> None:
        self._model = model
        self._shift = shift
        self._checks = checks
        self._verdict = verdict
        self._log = log
        self._pictures = SamplePictures(log_samples)
        self._logs: Mapping[str, Any] = {}  # Keras's, of the latest epoch
        self._logged: set[str] = set()  # names of the numbers that were added to Keras's logs

    def compare(
        self,
        seen: Epoch,
        profiles: Mapping[str, InputProfile],
        step: int,
        logs: dict[str, Any] | None,
    ) -> None:
        """Compares the streams that have a new pass, and makes the checks.

        Args:
            seen: The epoch of a fit, the evaluation or the prediction.
            profiles: The profiles so far, by stream.
            step: Epoch, counted from 0, for the log.
            logs: Keras's logs, to which `"shift"` and `"val_shift"` are added; or None.

        Raises:
            ShiftDetectedError: for a new shift with `on_shift="raise"`.
        """
        in_fit = seen.number is not None
        self._shift.compare(seen.passes, seen.number)
        if in_fit:
            self._logs = seen.logs or {}
            self._verdict.loss = self._logs.get("loss")
            self._checks.experiment(seen)
            self._log.write_curves(step, {**self._checks.curves, **self._logs})
        self._checks.check(seen)
        severities = {"shift": self._shift.severity("train")}
        if "validation" in seen.passes:
            severities["val_shift"] = self._shift.severity("validation")
        if logs is not None:
            logs.update(severities)
            self._logged |= severities.keys()
        if self._pictures.number:
            self._log.write_pictures(step, self._pictures.rows(seen, profiles, self._shift.pairs))
        self._verdict.tell()
        if self._shift.report is not None:
            pairs, report = self._shift.pairs, self._shift.report
            kept = {**(logs or severities), **self._checks.curves} if in_fit else None
            self._log.write_comparison(step, pairs, profiles, report, severities, kept)
        if self._shift.act(in_fit=in_fit):
            self._model.stop_training = True

    def settle(self, streams: Mapping[str, Stream], step: int) -> None:
        """Makes the experiments of a last epoch if training ended before it.

        Callbacks such as `EarlyStopping` end training after the guard has compared the streams.

        Args:
            streams: The streams with their kept samples, by name.
            step: Epoch, counted from 0.

        Raises:
            ShiftDetectedError: for a new shift with `on_shift="raise"`.
        """
        report = self._shift.report
        if report is None:
            return
        self._checks.experiment(Epoch(step + 1, streams, {}, self._logs, is_last=True))
        self._log.write_report(step, self._shift.report or report)
        self._shift.act(in_fit=False)

    def complete_history(self) -> None:
        """Adds NaN to Keras's `history` for the epochs since a failure.

        So the guard's lists in `history` are as long as those of Keras. The `logs` of these epochs
        get no NaN, because `EarlyStopping` would count NaN as an epoch without improvement.
        """
        history = getattr(getattr(self._model, "history", None), "history", None)
        if not isinstance(history, dict):
            return
        for name in self._logged & history.keys():
            is_val = name.startswith("val_")
            lengths = [len(v) for key, v in history.items() if key.startswith("val_") == is_val]
            missing = max(lengths) - len(history[name])
            history[name].extend([float("nan")] * missing)

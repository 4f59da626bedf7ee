"""`Run`: one fit, evaluation or prediction that the guard watches, with its parts and results."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import keras

from keras_shiftguard.callback.checking import Checking
from keras_shiftguard.callback.gap_watch import GapWatch
from keras_shiftguard.callback.preprocessing_watch import PreprocessingWatch
from keras_shiftguard.callback.repair import Repair
from keras_shiftguard.callback.runs.run_measurement import RunMeasurement
from keras_shiftguard.callback.runs.run_passes import RunPasses
from keras_shiftguard.callback.sample_pictures import SamplePictures
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.log.run_log import RunWriter
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.stream import Stream


class Run:
    """One fit, evaluation or prediction. `run_steps.py` says what is done in it, and when.

    The parts have no reference back to the run: in a reference cycle, only Python's garbage
    collector would free the kept images.

    Attributes:
        run_key: Keras's `params`: the same object for all callbacks of one run.
        kind: The main stream of the run: `"train"` for a fit, `"validation"` for an evaluation,
            `"prediction"` for `model.predict`.
        arguments: The arguments of the guard as code, see `arguments.in_code`.
        training: Whether this is a fit that has not ended yet.
        epoch: The present epoch, counted from 0.
        since_corrected: First corrected epoch of each stream, counted from 1.
        logs: Keras's logs of the latest epoch.
        logged: Names of the numbers that were added to Keras's logs.
    """

    def __init__(
        self,
        model: keras.Model,
        run_key: Any,
        kind: str,
        preprocessing: PreprocessingWatch,
        shift: ShiftWatch,
        repair: Repair,
        log: RunWriter,
        known: Mapping[str, InputProfile],
        update_freq: str | int,
        statistics: Sequence[keras.metrics.Metric],
        feature_layer: str | None,
        log_samples: int,
        arguments: Mapping[str, str],
    ) -> None:
        self.model, self.run_key, self.kind = model, run_key, kind
        self.training = kind == "train"
        self.preprocessing = preprocessing
        self.shift = shift
        self.repair = repair
        self.log = log
        self.update_freq = update_freq
        self.arguments = arguments
        self.epoch = 0
        self.since_corrected: dict[str, int] = {}
        self.logs: Mapping[str, Any] = {}
        self.logged: set[str] = set()
        self._began = time.perf_counter()
        self.measurement = RunMeasurement(model, kind, statistics, feature_layer)
        names = ("train", "validation") if kind != "prediction" else ("prediction",)
        self.passes = RunPasses(model, names, known, shift.independence)
        self.checks = Checking(shift)
        self.gap = GapWatch(model, shift, self.measurement.sync)
        self.pictures = SamplePictures(log_samples)

    def attach(self) -> None:
        """Wraps the steps of the model, before the first batch; see `RunMeasurement.attach`."""
        self.measurement.attach(self.run_key, self.preprocessing, self.repair)

    def end(self) -> None:
        """Ends the run: detaches it and frees the copied weights; keeps the results."""
        self.training = False
        self.preprocessing.release()
        self.detach()

    def detach(self) -> None:
        """Restores the steps of the model, and closes the log; keeps the results."""
        self.measurement.detach()
        self.log.close()

    def stop_measuring(self) -> None:
        """Stops measuring batches; corrections and augmentation of the input go on."""
        self.measurement.stop()
        if self.training and self.measurement.is_attached:
            # The next validation must be corrected like training.
            with suppress(Exception):  # a second failure is ignored
                self.correct_validation()

    def correct_validation(self) -> None:
        """Corrects validation in the same way as training, until validation is diagnosed."""
        self.preprocessing.correct_like(self.stream("validation"), self.stream("train"))

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The diagnosis of the run's main stream, `kind`; None before the diagnosis is final."""
        return self.preprocessing.diagnoses.get(self.kind)

    @property
    def is_last(self) -> bool:
        """Whether the present epoch is the last one of the fit."""
        return self.epoch + 1 >= (self.run_key or {}).get("epochs", 1)

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return time.perf_counter() - self._began

    def stream(self, name: str) -> Stream:
        """Returns the `Stream` with this name."""
        return self.measurement.streams[name]

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        return {
            **self.passes.state(),
            "preprocessing": self.preprocessing.state(),
            "shift": self.shift.state(),
            "checks": dict(self.checks.states),
            "corrected": dict(self.since_corrected),
            **self.repair.state(),
            "log": self.log.state(),
        }

    def restore(self, state: Mapping[str, Any], epoch: int) -> None:
        """Restores the state that `state()` returned, before `epoch` (counted from 0) starts."""
        if not self.measurement.is_attached:
            return
        self.passes.restore(state)
        self.preprocessing.restore(state["preprocessing"], self.measurement.streams)
        self.shift.restore(state["shift"])
        self.checks.restore(state.get("checks", {}))
        self.since_corrected = {k: int(v) for k, v in state.get("corrected", {}).items()}
        self.repair.restore(state)
        self.log.resume(epoch, state["log"], purge=self.update_freq == "epoch")

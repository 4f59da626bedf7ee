"""`Run`: one fit, evaluation or prediction that the guard watches."""

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any

import keras

from keras_shiftguard.callback.checking import Checking
from keras_shiftguard.callback.checks.check import Epoch
from keras_shiftguard.callback.preprocessing_watch import PreprocessingWatch
from keras_shiftguard.callback.repair import Repair, log_alignment
from keras_shiftguard.callback.run_comparison import RunComparison
from keras_shiftguard.callback.run_measurement import RunMeasurement
from keras_shiftguard.callback.run_passes import RunPasses
from keras_shiftguard.callback.run_verdict import RunVerdict
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.detection.verdict import Verdict
from keras_shiftguard.instrument.keras_private import validation_steps
from keras_shiftguard.instrument.undisturbed import undisturbed
from keras_shiftguard.log.run_log import RunWriter
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.stream import Stream


class Run:
    """One fit, evaluation or prediction, with the checks and repairs of its streams.

    Args:
        model: A compiled model.
        run_key: Keras's `params`: the same object for all callbacks of one run.
        kind: The main stream of the run: `"train"` for a fit, `"validation"` for an evaluation,
            `"prediction"` for `model.predict`.
        preprocessing: Checks the preprocessing of the streams.
        shift: Compares the streams with each other.
        repair: The repairs that `adapt=` selects.
        log: Log of the profiles, reports and repairs.
        known: Profiles of the data given to the guard: `"reference"` and `"target"`, if any.
        update_freq: When to write profiles: `"epoch"`, or a number of training batches.
        statistics: The user's own metrics, whose `update_state` takes `x`.
        feature_layer: Name of a layer whose activations are compared, or None.
        log_samples: How many images of each stream are written to the log at each comparison.
        arguments: The arguments of the guard as code, see `arguments.in_code`.

    Attributes:
        training: Whether this is a fit that has not ended yet.
        measurement: Measures the streams, while the run is attached.
        passes: The passes over the streams, with their profiles.
        checks: The experiments and checks.
        comparison: Compares the streams after each epoch.
        epoch: The present epoch, counted from 0.
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
        log_samples: int = 0,
        arguments: Mapping[str, str] | None = None,
    ) -> None:
        self.model = model
        self.run_key = run_key
        self.kind = kind
        self.training = kind == "train"
        self.preprocessing = preprocessing
        self.shift = shift
        self.repair = repair
        self.log = log
        self.update_freq = update_freq
        self.epoch = 0
        self._began = time.perf_counter()
        self.measurement = RunMeasurement(model, kind, statistics, feature_layer)
        names = ("train", "validation") if kind != "prediction" else ("prediction",)
        self.passes = RunPasses(model, names, known, shift.independence)
        # These parts have no reference back to the run.
        self.checks = Checking(model, shift, self.measurement.sync, log.log_dir is not None)
        self._verdict = RunVerdict(
            model,
            kind,
            preprocessing,
            shift,
            self.checks,
            repair,
            self.measurement,
            log,
            arguments or {},
        )
        self.comparison = RunComparison(model, shift, self.checks, self._verdict, log, log_samples)

    def attach(self) -> None:
        """Wraps the steps of the model, before the first batch.

        Raises:
            BadInputError: if the model does not accept the target, lacks `feature_layer`, or has
                other inputs than `expects` states.
            ShiftGuardError: if the steps cannot be wrapped.
        """
        self.measurement.attach(self.run_key, self.preprocessing, self.repair)

    @property
    def is_attached(self) -> bool:
        """Whether the steps are wrapped."""
        return self.measurement.is_attached

    def end(self) -> None:
        """Ends the run: detaches it and frees the copied weights; keeps the results."""
        self.training = False
        self.preprocessing.release()
        self.detach()

    def detach(self) -> None:
        """Restores the steps of the model, and closes the log; keeps the results."""
        self.measurement.detach()
        self.log.close()

    def start_epoch(self, epoch: int) -> None:
        """Starts a pass over training.

        Args:
            epoch: Number of the epoch, counted from 0.
        """
        self.epoch = epoch
        self._start_pass("train")

    def start_prediction(self) -> None:
        """Starts the pass over the data of `model.predict`."""
        self._start_pass("prediction")

    def finish_prediction(self) -> str:
        """Finishes the pass of `model.predict`; returns the verdict, or "" after a failure."""
        if self.measurement.has_failed:
            return ""
        self._finish_pass("prediction")
        self._compare(None, None)
        self._write_profiles()
        return self.last_words()

    def start_validation(self) -> None:
        """Starts a pass over validation."""
        # Other callbacks may have called `model.evaluate` since the last validation. The batches of
        # that call are not part of this validation.
        self._start_pass("validation")
        if self.measurement.target_outputs is not None:
            self.measurement.target_outputs.restart()
        self._correct_validation()

    def begin_batch(self, name: str) -> None:
        """Makes the probe measure the next batch as a batch of this stream."""
        self.measurement.begin_batch(name)

    def stop_measuring(self) -> None:
        """Stops measuring batches; corrections and augmentation of the input go on."""
        self.measurement.stop()
        if self.training and self.is_attached:
            # The next validation must be corrected like training.
            with suppress(Exception):  # a second failure is ignored
                self._correct_validation()

    def count(self, name: str, batch: int) -> None:
        """Counts the batches of a pass; checks the preprocessing and writes profiles when due.

        Args:
            name: Name of the stream.
            batch: Index of the latest batch in the pass.
        """
        self.measurement.end_batch()
        counter = self.passes.counters[name]
        if batch <= counter.position:  # threads of Keras may end batches in another order
            return
        counter.advance(batch)
        if self.measurement.has_failed:
            return
        must_check = self.preprocessing.is_due(name, counter.batches)
        writes_by_batches = isinstance(self.update_freq, int) and name == "train"
        must_write = writes_by_batches and counter.crossed(int(self.update_freq))
        if not (must_check or must_write or counter.must_drain):
            return
        self.passes.drain(self.stream(name))
        if must_check and self._check_preprocessing(name):
            self.stream(name).measures_every_step = False
        if must_write:
            self._write_profiles()

    def finish_epoch(self, epoch: int, logs: dict[str, Any] | None) -> str:
        """Compares the streams after an epoch, and updates the augmentation.

        Args:
            epoch: Number of the epoch, counted from 0.
            logs: Keras's logs, to which `"shift"` and `"val_shift"` are added.

        Returns:
            The changes of the augmentation as text. After the first epoch, the text also says
            whether augmentation is likely to help.

        Raises:
            ShiftDetectedError: for a new shift with `on_shift="raise"`.
        """
        if not self.measurement.has_failed:
            self._finish_pass("train")
        if self.measurement.has_failed:
            self.log.write_curves(epoch, logs or {})
            return ""
        self._compare(epoch + 1, logs)
        profiles, wanted = self.passes.profiles, self.passes.wanted
        lines = []
        if wanted is not None:
            lines = [self.repair.augment(profiles["train"], wanted, self.log, self.epoch)]
            if epoch == 0:
                expected = self.repair.expect(self.shift.report, profiles, self.log, epoch)
                lines.insert(0, expected)
        self._verdict.tell()
        log_alignment(self.model, self.log, self.epoch, logs or {})
        return "\n".join(line for line in lines if line)

    def save_epoch(self) -> None:
        """Writes the profiles, and the state from which the next epoch can resume, to the log."""
        self._write_profiles()
        if self.log.log_dir is not None:
            self.log.write_epoch_state(self.epoch + 1, self.state())

    def finish_validation(self, logs: dict[str, Any] | None = None) -> str:
        """Finishes a validation pass; returns the verdict, or "" in a fit or after a failure.

        Args:
            logs: Keras's logs of the pass.
        """
        if not self.measurement.has_failed:
            self._finish_pass("validation")
        if self.training or self.measurement.has_failed:
            return ""
        self._compare(None, None, logs)
        self._write_profiles()
        return self.last_words()

    def _correct_validation(self) -> None:
        """Corrects validation in the same way as training, until validation is diagnosed."""
        self.preprocessing.correct_like(self.stream("validation"), self.stream("train"))

    def _start_pass(self, name: str) -> None:
        stream, steps = self.stream(name), None
        if name == self.kind:
            steps = (self.run_key or {}).get("steps")
        elif name == "validation":
            steps = validation_steps(self.model)
        self.passes.counters[name].start(stream, steps)
        # The diagnosis needs many samples from the first batches.
        stream.measures_every_step = not self.preprocessing.is_settled(name)

    def _finish_pass(self, name: str) -> None:
        self.passes.finish(self.stream(name))
        if not self.preprocessing.is_settled(name):
            self._check_preprocessing(name, final=True)

    def _compare(
        self,
        epoch: int | None,
        logs: dict[str, Any] | None,
        losses: Mapping[str, Any] | None = None,
    ) -> None:
        """Compares the streams that have a new pass.

        Args:
            epoch: Epoch, counted from 1; None outside of a fit.
            logs: Keras's logs, to which `"shift"` and `"val_shift"` are added; or None.
            losses: Keras's logs of an evaluation.
        """
        streams = self.measurement.streams
        passes = self.passes.take_new(self.measurement.target_outputs)
        known = losses if epoch is None else dict(logs or {})
        seen = Epoch(epoch, streams, passes, known, is_last=self.is_last)
        self.comparison.compare(seen, self.passes.profiles, self.epoch, logs)

    def _write_profiles(self) -> None:
        step = self.epoch + 1 if self.update_freq == "epoch" else self.passes.num_batches
        self.log.write_profiles(self.passes.profiles, step)

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The diagnosis of the run's main stream, `kind`; None before the diagnosis is final."""
        return self.preprocessing.diagnoses.get(self.kind)

    @property
    def verdict(self) -> Verdict | None:
        """What to do about the run; None before the first look at a stream."""
        return self._verdict.now()

    def last_words(self) -> str:
        """Writes the final verdict to the log, and returns its text."""
        return self._verdict.last_words(self.epoch)

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
            "corrected": dict(self._verdict.corrected),
            **self.repair.state(),
            "log": self.log.state(),
        }

    def restore(self, state: Mapping[str, Any], epoch: int) -> None:
        """Restores the state that `state()` returned, before `epoch` (counted from 0) starts."""
        if not self.is_attached:
            return
        self.passes.restore(state)
        self.preprocessing.restore(state["preprocessing"], self.measurement.streams)
        self.shift.restore(state["shift"])
        self.checks.restore(state.get("checks", {}))
        self._verdict.corrected = {k: int(v) for k, v in state.get("corrected", {}).items()}
        self.repair.restore(state)
        self.log.resume(epoch, state["log"], purge=self.update_freq == "epoch")

    def _check_preprocessing(self, name: str, final: bool = False) -> bool:
        """Diagnoses a stream; acts on a final diagnosis, and then returns True."""
        watch, stream = self.preprocessing, self.stream(name)
        if stream.kept_samples:  # without images, the check does not run the model
            self.measurement.sync()
        with undisturbed(self.model) if stream.kept_samples else nullcontext():
            is_final = watch.check(self.model, stream, self.passes.counters[name].batches, final)
        if not is_final:
            return False
        content = {each: diagnosis.to_dict() for each, diagnosis in watch.diagnoses.items()}
        self._verdict.tell()
        self.log.write_diagnosis(name, str(watch.diagnoses[name]), content, self.epoch)
        watch.act(stream)
        if name in watch.corrected:
            self._verdict.corrected.setdefault(name, self.epoch + 1)
            self._verdict.tell()
            self.log.write_correction(name, self.epoch)
        return True

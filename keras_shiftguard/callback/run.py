"""`Run`: one fit, evaluation or prediction that the guard watches."""

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any

import keras

from keras_shiftguard.callback.checking import Checking
from keras_shiftguard.callback.checks.check import Epoch
from keras_shiftguard.callback.passes import PassCounter
from keras_shiftguard.callback.preprocessing_watch import PreprocessingWatch
from keras_shiftguard.callback.repair import Repair, log_alignment
from keras_shiftguard.callback.run_verdict import RunVerdict
from keras_shiftguard.callback.sample_pictures import SamplePictures
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.callback.target_outputs import TargetOutputs, new_target_outputs
from keras_shiftguard.callback.training_profile import TrainingProfile
from keras_shiftguard.detection.verdict import Verdict
from keras_shiftguard.errors import warn
from keras_shiftguard.explain.estimate import AccuracyEstimate
from keras_shiftguard.instrument.keras_private import validation_steps
from keras_shiftguard.instrument.model_inputs import image_data_format, input_shapes, specs_of
from keras_shiftguard.instrument.model_outputs import predicts_numbers
from keras_shiftguard.instrument.new_probe import new_probe
from keras_shiftguard.instrument.probe import Probe
from keras_shiftguard.instrument.processes import is_first_process
from keras_shiftguard.instrument.undisturbed import undisturbed
from keras_shiftguard.log.run_log import RunWriter
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.preprocessing.expected.stated import check_inputs
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
        profiles: Profile of the latest pass over each stream, and the known profiles.
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
        # Without a reference back to the run.
        self.checks = Checking(model, shift, partial(_sync, model))
        self.pictures = SamplePictures(log_samples)
        self.repair = repair
        self.log = log
        self._verdict = RunVerdict(
            model, kind, preprocessing, shift, self.checks, repair, log, arguments or {}
        )
        self.known = known
        self.update_freq = update_freq
        self.statistics = statistics
        self.feature_layer = feature_layer
        self.profiles = dict(known)
        self.epoch = 0
        self._began = time.perf_counter()
        self.target_outputs: TargetOutputs | None = None
        self._probe: Probe | None = None
        names = ("train", "validation") if kind != "prediction" else ("prediction",)
        self._passes = {name: PassCounter() for name in names}
        self._new_passes: set[str] = set()  # streams with a pass since the last comparison
        self._logs: Mapping[str, Any] = {}  # Keras's, of the latest epoch
        self._logged: set[str] = set()  # names of the numbers that were added to Keras's logs

    def attach(self) -> None:
        """Wraps the steps of the model, before the first batch.

        Raises:
            BadInputError: if the model does not accept the target, lacks `feature_layer`, or has
                other inputs than `expects` states.
            ShiftGuardError: if the steps cannot be wrapped.
        """
        specs = specs_of(input_shapes(self.model), self.model)
        channels = {spec.name: spec.channels for spec in specs if spec.layout != "features"}
        check_inputs(self.preprocessing.stated or {}, channels)
        corrects = self.preprocessing.on_mismatch == "fix"
        model, target = self.model, self.repair.target
        if self.kind == "prediction":
            self._probe = new_probe(model, ["prediction"], corrects)
            self._probe.attach(self.run_key)
            return
        shapes = input_shapes(model)
        with undisturbed(model):
            self.target_outputs = new_target_outputs(model, self.feature_layer, target)
        augmentation = None
        if self.training:
            augmentation = self.repair.new_augmentation(shapes)
            if shapes and augmentation is not None:
                augmentation.build(specs_of(shapes, model))
            self.repair.use(augmentation)
        outputs = None if self.target_outputs is None else self.target_outputs.outputs
        names = ["train", "validation"]
        self._probe = new_probe(model, names, corrects, self.statistics, outputs, augmentation)
        self._probe.attach(self.run_key)

    @property
    def is_attached(self) -> bool:
        """Whether the steps are wrapped."""
        return self._probe is not None

    @property
    def _has_failed(self) -> bool:
        """Whether a batch could not be measured. The pass is then incomplete and not compared."""
        return self._probe is not None and self._probe.has_failed

    def complete_history(self) -> None:
        """Adds NaN to Keras's `history` for the epochs since a failure.

        So the guard's lists in `history` are as long as those of Keras. The `logs` of these epochs
        get no NaN, because `EarlyStopping` would count NaN as an epoch without improvement.
        """
        history = getattr(getattr(self.model, "history", None), "history", None)
        if not isinstance(history, dict):
            return
        for name in self._logged & history.keys():
            is_val = name.startswith("val_")
            lengths = [len(v) for key, v in history.items() if key.startswith("val_") == is_val]
            missing = max(lengths) - len(history[name])
            history[name].extend([float("nan")] * missing)

    def end(self) -> None:
        """Ends the run: detaches it and frees the copied weights; keeps the results."""
        self.training = False
        self.preprocessing.release()
        self.detach()

    def detach(self) -> None:
        """Restores the steps of the model, and closes the log; keeps the results."""
        if self._probe is not None:
            self._verdict.see(self._probe)
            self._probe.detach()
            self._probe = None
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
        if self._has_failed:
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
        if self.target_outputs is not None:
            self.target_outputs.restart()
        self._correct_validation()

    def begin_batch(self, name: str) -> None:
        """Makes the probe measure the next batch as a batch of this stream."""
        if self._probe is not None:
            self._probe.begin_batch(name)

    def stop_measuring(self) -> None:
        """Stops measuring batches; corrections and augmentation of the input go on."""
        if self._probe is not None:
            self._probe.stop_measuring()
            if self.training:  # the next validation must be corrected like training
                with suppress(Exception):  # a second failure is ignored
                    self._correct_validation()

    def count(self, name: str, batch: int) -> None:
        """Counts the batches of a pass; checks the preprocessing and writes profiles when due.

        Args:
            name: Name of the stream.
            batch: Index of the latest batch in the pass.
        """
        if self._probe is not None:
            self._probe.end_batch()
        counter = self._passes[name]
        if batch <= counter.position:  # threads of Keras may end batches in another order
            return
        counter.advance(batch)
        if self._has_failed:
            return
        must_check = self.preprocessing.is_due(name, counter.batches)
        writes_by_batches = isinstance(self.update_freq, int) and name == "train"
        must_write = writes_by_batches and counter.crossed(int(self.update_freq))
        if not (must_check or must_write or counter.must_drain):
            return
        self._drain(name)
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
        if not self._has_failed:
            self._finish_pass("train")
        self.log.write_curves(epoch, logs or {})
        if self._has_failed:
            return ""
        self._compare(epoch + 1, logs)
        target = self.known.get("target", self.profiles.get("validation"))
        lines = []
        if target is not None:
            lines = [self.repair.augment(self.profiles["train"], target, self.log, self.epoch)]
            if epoch == 0:
                expected = self.repair.expect(self.shift.report, self.profiles, self.log, epoch)
                lines.insert(0, expected)
        self._tell()
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
        if not self._has_failed:
            self._finish_pass("validation")
        if self.training or self._has_failed:
            return ""
        self._compare(None, None, logs)
        self._write_profiles()
        return self.last_words()

    def settle(self) -> None:
        """Makes the experiments of a last epoch if training ended before it.

        Callbacks such as `EarlyStopping` end training after the guard has compared the streams.

        Raises:
            ShiftDetectedError: for a new shift with `on_shift="raise"`.
        """
        report = self.shift.report
        if self._has_failed or self._probe is None or report is None or self._is_last:
            return
        self.checks.experiment(
            Epoch(self.epoch + 1, self._probe.streams, {}, self._logs, is_last=True)
        )
        self.log.write_report(self.epoch, self.shift.report or report)
        self.shift.act(in_fit=False)

    def recalibrate(self, judge: bool) -> str:
        """Adapts batch norm after a fit, if `adapt=` includes it, and judges all repairs.

        Args:
            judge: Whether to estimate how much the repairs changed the accuracy.

        Returns:
            A text that says how batch norm changed; the verdict says whether the repairs helped.
        """
        # If an input was corrected, the model was trained on corrected input. The estimate below
        # runs the model without the correction, so it would be wrong.
        judge = judge and self.repair.acts and not self.preprocessing.corrected
        with undisturbed(self.model):
            before = self._estimate() if judge and "batch_norm" in self.repair.adapt else None
            text = self.repair.recalibrate(self.model, self.log, self.epoch)
            if judge:
                before = before if text else None
                self.repair.judge(self._estimate(), before, self.log, self.epoch)
            self.repair.judge_pair(self.model, self.log, self.epoch)
        return text

    def _estimate(self) -> AccuracyEstimate | None:
        _sync(self.model)
        seconds = time.perf_counter() - self._began
        return self.repair.estimate(self.model, self.stream("validation"), seconds)

    def marked_profiles(self) -> dict[str, InputProfile]:
        """Returns the profiles for the user; that of training is marked, see `TrainingProfile`."""
        if self.kind != "train" or "train" not in self.profiles:
            return self.profiles
        return {**self.profiles, "train": self._training_profile.marked()}

    def attach_profile(self, path: str | PathLike[str]) -> str:
        """Attaches the profile of training to a saved model; returns a message for the user."""
        if not is_first_process():
            return ""
        if "train" not in self.profiles:  # a resumed fit that has no epoch left
            warn(f"ShiftGuard attached no profile to {path}: this fit has trained no epoch.")
            return ""
        stream, data_format = self.stream("train"), image_data_format(self.model)
        is_unchanged = "validation" in self.profiles and not self.preprocessing.corrected
        return self._training_profile.attach(path, stream, data_format, is_unchanged)

    @property
    def _training_profile(self) -> TrainingProfile:
        uncorrected = self.preprocessing.uncorrected_batches("train")
        return TrainingProfile(
            self.profiles["train"],
            self.diagnosis,
            is_augmented=bool(self.shift.is_augmented),
            is_corrected="train" in self.preprocessing.corrected,
            num_corrected=self.num_batches - uncorrected,
            num_batches=self.num_batches,
        )

    def _correct_validation(self) -> None:
        """Corrects validation in the same way as training, until validation is diagnosed."""
        train, validation = self.stream("train"), self.stream("validation")
        if "train" in self.preprocessing.corrected and not validation.is_built:
            # Otherwise the shapes of validation stay unknown until its first batch, which must be
            # corrected as well.
            validation.build([sketch.spec for sketch in train.sketches.values()])
        self.preprocessing.correct_like(validation, train)

    def _start_pass(self, name: str) -> None:
        stream, steps = self.stream(name), None
        if name == self.kind:
            steps = (self.run_key or {}).get("steps")
        elif name == "validation":
            steps = validation_steps(self.model)
        self._passes[name].start(stream, steps)
        # The diagnosis needs many samples from the first batches.
        stream.measures_every_step = not self.preprocessing.is_settled(name)

    def _finish_pass(self, name: str) -> None:
        counter, stream = self._passes[name], self.stream(name)
        # If a callback stopped the training within the epoch, the pass is not compared: the data
        # may be sorted, and the samples of a part of the pass are then not representative.
        is_complete = not (counter.is_cut_short and getattr(self.model, "stop_training", False))
        profile = counter.finish(stream) if is_complete else counter.latest
        if not is_complete:
            counter.drain(stream)
        if predicts_numbers(self.model):
            profile = replace(profile, labels=profile.labels.as_numbers())
        profile = self.shift.independence.of(name, profile, stream)
        self.profiles[name] = profile.with_values(stream.user_results())
        if not self.preprocessing.is_settled(name):
            self._check_preprocessing(name, final=True)
        if is_complete:
            self._new_passes.add(name)

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
        streams = {name: self.profiles[name] for name in sorted(self._new_passes)}
        self._new_passes.clear()
        if "target" in self.known:
            streams["target"] = self.known["target"]
            if self.target_outputs is not None and "validation" in streams:
                weights = f"fit, {self.num_batches} batches"
                with undisturbed(self.model):
                    streams |= self.target_outputs.read(streams, weights)
                self.profiles |= {name: streams[name] for name in ("validation", "target")}
        self.shift.compare(streams, epoch)
        if self._probe is not None:
            known = losses if epoch is None else dict(logs or {})
            seen = Epoch(epoch, self._probe.streams, streams, known, is_last=self._is_last)
            if epoch is not None:
                self._logs = known or {}
                self._verdict.loss = self._logs.get("loss")
                self.checks.experiment(seen)
            self.checks.check(seen)
        severities = {"shift": self.shift.severity("train")}
        if "validation" in streams:
            severities["val_shift"] = self.shift.severity("validation")
        if logs is not None:
            logs.update(severities)
            self._logged |= severities.keys()
        if self.pictures.number and self._probe is not None:
            rows = self.pictures.rows(self._probe.streams, self.profiles)
            self.log.write_pictures(self.epoch, rows)
        self._tell()
        if self.shift.report is not None:
            pairs, report = self.shift.pairs, self.shift.report
            kept = None if epoch is None else dict(logs or severities)
            self.log.write_comparison(self.epoch, pairs, self.profiles, report, severities, kept)
        if self.shift.act(in_fit=epoch is not None):
            self.model.stop_training = True

    def _write_profiles(self) -> None:
        step = self.epoch + 1 if self.update_freq == "epoch" else self.num_batches
        self.log.write_profiles(self.profiles, step)

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The diagnosis of the run's main stream, `kind`; None before the diagnosis is final."""
        return self.preprocessing.diagnoses.get(self.kind)

    @property
    def verdict(self) -> Verdict | None:
        """What to do about the run; None before the first look at a stream."""
        self._verdict.see(self._probe)
        return self._verdict.now()

    def last_words(self) -> str:
        """Writes the final verdict to the log, and returns its text."""
        self._verdict.see(self._probe)
        return self._verdict.last_words(self.epoch)

    def _tell(self) -> None:
        """Gives the log the verdict so far, for what it writes next."""
        self._verdict.see(self._probe)
        self._verdict.tell()

    @property
    def _is_last(self) -> bool:
        """Whether the present epoch is the last one of the fit."""
        return self.epoch + 1 >= (self.run_key or {}).get("epochs", 1)

    @property
    def num_batches(self) -> int:
        """Number of training batches so far."""
        return self._passes["train"].batches if "train" in self._passes else 0

    def stream(self, name: str) -> Stream:
        """Returns the `Stream` with this name."""
        if self._probe is None:
            raise RuntimeError("the guard is not attached to a model")
        return self._probe.streams[name]

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        measured = {name: self.profiles[name] for name in self._passes if name in self.profiles}
        return {
            "passes": {name: counter.state() for name, counter in self._passes.items()},
            "profiles": {name: profile.tree() for name, profile in measured.items()},
            "preprocessing": self.preprocessing.state(),
            "shift": self.shift.state(),
            "checks": dict(self.checks.states),
            "corrected": dict(self._verdict.corrected),
            **self.repair.state(),
            "log": self.log.state(),
        }

    def restore(self, state: Mapping[str, Any], epoch: int) -> None:
        """Restores the state that `state()` returned, before `epoch` (counted from 0) starts."""
        if self._probe is None:
            return
        for name, counter in self._passes.items():
            counter.restore(state["passes"][name])
        self.profiles |= {n: InputProfile(**tree) for n, tree in state["profiles"].items()}
        self.preprocessing.restore(state["preprocessing"], self._probe.streams)
        self.shift.restore(state["shift"])
        self.checks.restore(state.get("checks", {}))
        self._verdict.corrected = {k: int(v) for k, v in state.get("corrected", {}).items()}
        self.repair.restore(state)
        self.log.resume(epoch, state["log"], purge=self.update_freq == "epoch")

    def _drain(self, name: str) -> None:
        self.profiles[name] = self._passes[name].drain(self.stream(name))

    def _check_preprocessing(self, name: str, final: bool = False) -> bool:
        """Diagnoses a stream; acts on a final diagnosis, and then returns True."""
        watch, stream = self.preprocessing, self.stream(name)
        if stream.kept_samples:  # without images, the check does not run the model
            _sync(self.model)
        with undisturbed(self.model) if stream.kept_samples else nullcontext():
            is_final = watch.check(self.model, stream, self._passes[name].batches, final)
        if not is_final:
            return False
        content = {each: diagnosis.to_dict() for each, diagnosis in watch.diagnoses.items()}
        self._tell()
        self.log.write_diagnosis(name, str(watch.diagnoses[name]), content, self.epoch)
        watch.act(stream)
        if name in watch.corrected:
            self._verdict.corrected.setdefault(name, self.epoch + 1)
            self._tell()
            self.log.write_correction(name, self.epoch)
        return True


def _sync(model: keras.Model) -> None:
    """On JAX, copies the present weights from the step to the variables of the model."""
    if keras.backend.backend() == "jax":
        model.jax_state_sync()

"""`ShiftGuard`: the callback. It wires the rooms together and holds no arithmetic."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import keras

from keras_shiftguard.adaptation.model import DomainAdaptationModel
from keras_shiftguard.answers import Answers
from keras_shiftguard.arguments import (
    ON_MISMATCH,
    ON_SHIFT,
    adaptations,
    check_distinct_samples,
    check_one_of,
    check_statistics,
    check_update_freq,
)
from keras_shiftguard.augmentation.in_step import POOL, StepAugmentation
from keras_shiftguard.batch_norm_adaptation import BatchNormAdaptation, adapt_batch_norm
from keras_shiftguard.comparison import as_profile, check_alpha
from keras_shiftguard.data import first_batches, first_samples
from keras_shiftguard.detection.acknowledged import Acknowledgement
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.errors import (
    BadInputError,
    PreprocessingMismatchError,
    ShiftDetectedError,
    ShiftGuardError,
    ShiftWarning,
    warn,
)
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.preprocessing.step_correction import StepCorrection
from keras_shiftguard.preprocessing.watch import PreprocessingWatch
from keras_shiftguard.probe import (
    Probe,
    check_supported,
    input_shapes,
    specs_of,
    variable_scope,
)
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.resume import read_state, write_state
from keras_shiftguard.run_log import RunLog
from keras_shiftguard.shift_watch import ShiftWatch
from keras_shiftguard.statistics.occasional import stride_for
from keras_shiftguard.statistics.stream import Stream

# float32 counts up to 2**24: drained this often, batches of 65,536 still fit.
BATCHES_PER_DRAIN = 128
MOST_ASKED = 2048  # samples of the target that the model is asked about, each epoch


def harmless(hook: Callable[..., None]) -> Callable[..., None]:
    """A failure of ours is a warning, never the end of somebody's training."""

    @functools.wraps(hook)
    def wrapped(self: "ShiftGuard", *args: Any, **kwargs: Any) -> None:
        if self._gave_up:
            return
        try:
            hook(self, *args, **kwargs)
        except (PreprocessingMismatchError, ShiftDetectedError, ShiftWarning):
            raise  # what the user asked for: "raise", or warnings as errors
        except Exception as error:
            self._give_up(error)

    return wrapped


class ShiftGuard(keras.callbacks.Callback):
    """Watches what a model is fed, and says what is wrong and how to fix it.

    Add it to `model.fit` (or `model.evaluate`). It measures the input inside
    the compiled training step, without touching the model or the data, and
    judges on the first batches, without labels or reference data, whether the
    preprocessing is what the model was trained on. Training is not changed:
    weights are bit for bit those without it, unless `on_mismatch="fix"`.

    Args:
        reference: What the data should look like: an `InputProfile`, the path
            of a saved one, or data. Training and validation are compared with
            it as well as with each other.
        target_data: Unlabelled data of the target, compared with training
            and validation: anything that `fit` accepts.
        adapt: What to repair. `"augmentation"` (or `True`) augments training
            inside the step until it covers what the target, or without one the
            validation data, looks like; validation is never augmented.
            `"batch_norm"` takes the moving statistics of batch norm from
            `target_data` after the fit. Or a tuple of them.
        on_mismatch: What to do when the model is fed something else than it
            was trained on. `"warn"` once; `"raise"` a
            `PreprocessingMismatchError` at once; `"fix"` corrects the input
            inside the step for the rest of the fit, and validation by its own
            diagnosis; `"ignore"`.
        on_shift: What to do when a stream differs from another by more than
            chance: `"warn"`, `"raise"` a `ShiftDetectedError` at the end of
            the epoch, or `"ignore"`; `report` has it in any case.
        feature_layer: Name of a layer. Its activations on `target_data` are
            compared with those on the validation data, after each epoch, in
            inference mode.
        statistics: Your own `keras.metrics.Metric`s whose `update_state` takes
            `x`. They are updated in the step and written to `log_dir`.
        distinct_samples: How many different training samples there are, for
            streams that do not repeat themselves every epoch. Evidence grows
            up to that many; by default an epoch is all there is.
        alpha: Chance that a whole fit without any shift raises an alarm: over
            all looks, features and streams together.
        update_freq: `"epoch"`, or after how many batches to write to `log_dir`.
        log_dir: Where to write for TensorBoard; None writes nothing.
        verbose: 0 is silent but for warnings, 1 prints the verdict.

    Attributes:
        diagnosis: The `Diagnosis` of the training stream, None before the
            first look. Of the evaluated stream after a bare `evaluate`.
        report: The `ShiftReport`: what shifted, how sure, since when. None
            before the first epoch is over.
        profiles: `InputProfile` by `"train"` and `"validation"`: the numbers
            of the latest pass over each; and `"reference"`, `"target"`.

    Raises:
        BadInputError: for an argument that cannot be used, and before training
            starts for a `log_dir` that cannot be written.
        ShiftGuardError: before training starts, where the step cannot be
            wrapped; the message names the way out.

    Example:

    >>> guard = ShiftGuard(verbose=0)
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(),
    ...                           keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> images = np.random.default_rng(0).random((64, 8, 8, 3))
    >>> _ = model.fit(images, np.ones(64), callbacks=[guard], verbose=0)
    >>> guard.profiles["train"].num_samples
    64
    """

    def __init__(
        self,
        reference: Any = None,
        target_data: Any = None,
        adapt: bool | str | tuple[str, ...] = False,
        on_mismatch: str = "warn",
        on_shift: str = "warn",
        feature_layer: str | None = None,
        statistics: Sequence[keras.metrics.Metric] = (),
        distinct_samples: int | None = None,
        alpha: float = 0.05,
        update_freq: str | int = "epoch",
        log_dir: str | PathLike[str] | None = None,
        verbose: int = 1,
    ) -> None:
        super().__init__()
        self.adapt = adaptations(adapt, target_data)
        check_one_of("on_mismatch", on_mismatch, ON_MISMATCH)
        check_one_of("on_shift", on_shift, ON_SHIFT)
        check_update_freq(update_freq)
        check_statistics(statistics)
        check_alpha(alpha)
        check_distinct_samples(distinct_samples)
        self.reference = reference
        self.target_data = target_data
        self.feature_layer = feature_layer
        self.distinct_samples = distinct_samples
        self.alpha = alpha
        self.on_mismatch = on_mismatch
        self.on_shift = on_shift
        self.statistics = tuple(statistics)
        self.update_freq = update_freq
        self.log_dir = log_dir
        self.verbose = verbose
        self.profiles: dict[str, InputProfile] = {}
        self._probe: Probe | None = None
        self._watch: PreprocessingWatch | None = None
        self._shift: ShiftWatch | None = None
        self._loaded: dict[str, Any] | None = None  # the state to go on with
        self._acknowledged: list[Acknowledgement] = []
        self._known: dict[str, InputProfile] = {}  # reference and target
        self._passes: set[str] = set()  # streams with a pass since the last look
        self.augmentation: StepAugmentation | None = None
        self.batch_norm: BatchNormAdaptation | None = None
        self._used: list[str] = []  # operations that were ever on
        self._answers: Answers | None = None  # of the model, on validation and target
        self._log = RunLog(None)
        self._training = False
        self._gave_up = False
        self._batches = {"train": 0, "validation": 0}  # of the whole run
        self._position = {"train": -1, "validation": -1}  # in this pass
        self._undrained = {"train": 0, "validation": 0}
        self._epoch = 0

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The verdict on the training stream; None before the first look."""
        if self._watch is None:
            return None
        diagnoses = self._watch.diagnoses
        return diagnoses.get("train", None if self._training else diagnoses.get("validation"))

    @property
    def report(self) -> ShiftReport | None:
        """What shifted between the streams; None before the first look."""
        return None if self._shift is None else self._shift.report

    def acknowledge(
        self, what: str, stream: str | None = None, reason: str = "known"
    ) -> "ShiftGuard":
        """Accepts a shift that is known: it stays in the report, and raises no alarm.

        Call it before `fit`. Such a shift counts neither for `shift` and `val_shift`
        in `logs` nor for `on_shift`.

        Args:
            what: A finding's `.feature` (`"input/brightness"`, `"labels"`), the part
                after the input's name (`"brightness"`), or its `.family` (`"colour"`).
            stream: The stream that differs, such as `"validation"`; None for any.
            reason: Why it is accepted, for people.

        Returns:
            The guard.

        Example:

        >>> guard = ShiftGuard().acknowledge("brightness", "validation", "the new camera")
        """
        if not what or not isinstance(what, str):
            raise BadInputError(
                "`what` must be the feature or the family of a finding, such as "
                f'"input/brightness", "colour" or "labels". Received: what={what!r}'
            )
        self._acknowledged.append(Acknowledgement(what, stream, reason))
        return self

    def save_state(self, path: str | PathLike[str]) -> None:
        """Writes what the guard knows by now, for `load_state` after a crash.

        With `log_dir` that is done after every epoch, and read again when `fit` goes
        on (`keras.callbacks.BackupAndRestore`, or `initial_epoch=`). This is for a
        guard without one; call it where an epoch ends.

        Raises:
            BadInputError: before the first epoch of a fit.
        """
        write_state(path, self._state())

    def load_state(self, path: str | PathLike[str]) -> "ShiftGuard":
        """The next `fit` goes on where `save_state` was called.

        It must begin with `initial_epoch=`, or be taken up by `BackupAndRestore`.

        Returns:
            The guard.

        Raises:
            BadInputError: for a damaged file, or one that is no state.
        """
        self._loaded = read_state(path)
        return self

    def detach(self) -> None:
        """Removes every trace from the model, e.g. after an interrupted fit."""
        if self._probe is not None:
            _ = self.model  # on JAX: brings the variables up to date
            self._probe.detach()
            self._probe = None
        self._log.close()

    # --- hooks --------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._training = True
        self._begin()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch and not self._batches["train"]:
            self._resume(epoch)
        self._epoch = epoch
        self._start_pass("train")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._after_batch("train", batch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._finish_pass("train")
        self._compare(epoch + 1, logs)
        self._augment()
        self._show_alignment(logs or {})
        self._write()
        self._keep_state()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._tell()
        self._recalibrate()
        self._end()

    @harmless
    def _tell(self) -> None:
        diagnosis = self.diagnosis
        if self.verbose and diagnosis is not None and diagnosis.status != "mismatch":
            print(diagnosis)
        if self.verbose and self.report is not None:
            print(self.report)
        if self._watch is not None and self._watch.corrected:
            streams = " and ".join(sorted(self._watch.corrected))
            print(
                f"ShiftGuard corrected the input of {streams} inside fit only: plain "
                "`model.predict` is uncorrected. Keep the fix with\n"
                "    model = guard.diagnosis.apply(model)"
            )

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        # Keras tells no callback of an exception: `_training` may be left over.
        if self._probe is None or self._probe.run is not self.params:
            self._training = False
            self._begin()
        self._start_validation()

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._after_batch("validation", batch)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._finish_pass("validation")
        if not self._training:
            self._compare(None, None)
            self._write()
            self._tell()
            self._end()

    # --- the run ------------------------------------------------------------

    def _begin(self) -> None:
        """Attaches to the model; whatever cannot work is said now."""
        self.detach()
        model = self.model
        check_supported(model)
        self._log = RunLog(self.log_dir)
        self._gave_up = False
        self._passes.clear()
        self._position = dict.fromkeys(self._position, -1)
        self._read_known()
        self.profiles = dict(self._known)
        for counter in (self._batches, self._undrained):
            counter.update(train=0, validation=0)
        try:
            self._attach(model)
        except ShiftGuardError:
            self._end()
            raise
        except Exception as error:
            self._end()
            self._give_up(error)
        if self.verbose and self._training and self._shift is not None:
            print(f"ShiftGuard watches. {self._shift.needs}")

    def _give_up(self, error: Exception) -> None:
        self._gave_up = True
        warn(f"ShiftGuard stopped watching ({error!r}). Training is not affected.")

    def _read_known(self) -> None:
        """Measures the reference and the target, once for all fits."""
        for name, data in (("reference", self.reference), ("target", self.target_data)):
            if data is not None and name not in self._known:
                self._known[name] = as_profile(
                    data, "target_data" if name == "target" else "reference"
                )

    def _attach(self, model: keras.Model) -> None:
        self._shift = ShiftWatch(
            self.alpha,
            self.on_shift,
            self._known.get("reference"),
            self.target_data is not None,
            self.distinct_samples,
            self._acknowledged,
        )
        self._answers = None
        self._watch = PreprocessingWatch(model, self.on_mismatch, self._training)
        shapes = input_shapes(model)
        correction = StepCorrection if self.on_mismatch == "fix" else None
        with variable_scope(model):
            streams = {
                "train": Stream("train", correction, self.statistics),
                "validation": Stream("validation", correction, _copies(self.statistics)),
            }
            if shapes:
                for stream in streams.values():
                    stream.build(specs_of(shapes, model))
            if self.target_data is not None:
                self._answers = self._ask_model(model)
            augmentation = self._new_augmentation() if self._training else None
            if shapes and augmentation is not None:
                augmentation.build(specs_of(shapes, model))
        if augmentation is not None and self.augmentation is not None and augmentation.is_built:
            augmentation.restore(self.augmentation.state())  # where the last fit ended
        self.augmentation = augmentation or self.augmentation
        self._probe = Probe(model, streams, list(shapes), self.params, self._answers, augmentation)
        self._probe.attach()

    def _new_augmentation(self) -> StepAugmentation | None:
        if "augmentation" not in self.adapt:
            return None
        pool: dict[str, Any] = {}
        if self.target_data is not None:
            pool, _ = first_samples(self.target_data, POOL)
        return StepAugmentation(pool=pool)

    @harmless
    def _resume(self, epoch: int) -> None:
        """Goes on with what an interrupted fit knew before that epoch."""
        state, self._loaded = self._loaded, None
        state = state or self._log.kept_state(epoch)
        if state is not None:
            self._restore(state)

    @harmless
    def _keep_state(self) -> None:
        if self.log_dir is not None:
            self._log.keep_state(self._epoch + 1, self._state())

    def _state(self) -> dict[str, Any]:
        """All that `_restore` needs, for `profiles.storage`."""
        if self._shift is None or self._watch is None:
            raise BadInputError("There is no state to save before the first epoch of a fit.")
        passes = {n: self.profiles[n] for n in ("train", "validation") if n in self.profiles}
        return {
            "batches": self._batches,
            "position": self._position,
            "profiles": {name: profile.tree() for name, profile in passes.items()},
            "preprocessing": self._watch.state(),
            "shift": self._shift.state(),
            "augmentation": None if self.augmentation is None else self.augmentation.state(),
            "used": self._used,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        if self._shift is None or self._watch is None or self._probe is None:
            return
        _ = self.model  # on JAX: brings the variables up to date
        self._batches.update(state["batches"])
        self._position.update(state["position"])
        self.profiles |= {n: InputProfile(**tree) for n, tree in state["profiles"].items()}
        self._watch.restore(state["preprocessing"], self._probe.streams)
        self._shift.restore(state["shift"])
        self._used = list(state["used"])
        if self.augmentation is not None and state["augmentation"] is not None:
            self.augmentation.restore(state["augmentation"])

    @harmless
    def _augment(self) -> None:
        """Widens or narrows the augmentation, once an epoch."""
        target = self._known.get("target", self.profiles.get("validation"))
        augmentation = self.augmentation
        if augmentation is None or target is None or "train" not in self.profiles:
            return
        changes = augmentation.update(self.profiles["train"], target)
        events = [{"kind": "action", "text": str(c), "reason": c.reason} for c in changes]
        used = {c.operation for c in changes} | set(self._used)
        self._used = sorted(used)
        strengths = {k: v for k, v in augmentation.strengths.items() if v > 0 or k in used}
        state = augmentation.state()
        on = [f"{name} {value:.2g}" for name, value in strengths.items() if value > 0]
        headline = f"Training is augmented: {', '.join(on)}." if on else "Nothing is augmented."
        curves = {f"strength/{name}": value for name, value in strengths.items()}
        curves |= {f"shift/{name}": value for name, value in augmentation.gaps.items()}
        self._log.write_adaptation(self._epoch, headline, events, curves, state)
        for change in changes if self.verbose else ():
            print(f"ShiftGuard: {change}")

    @harmless
    def _show_alignment(self, logs: dict[str, Any]) -> None:
        """What a `DomainAdaptationModel` did in this epoch, for the Shift tab."""
        if isinstance(self.model, DomainAdaptationModel) and self.model.looks:
            story = self.model.alignment.story(self._epoch + 1, logs)
            self._log.write_adaptation(self._epoch, *story, {})

    @harmless
    def _recalibrate(self) -> None:
        """Gives batch norm the statistics of the target."""
        if "batch_norm" not in self.adapt:
            return
        self.batch_norm = adapt_batch_norm(self.model, self.target_data)
        events = [{"kind": "action", "stream": "target", "text": str(self.batch_norm)}]
        headline = str(self.batch_norm).partition("\n")[0]
        self._log.write_adaptation(self._epoch, headline, events, {}, {})
        if self.verbose:
            print(f"ShiftGuard: {self.batch_norm}")

    def _ask_model(self, model: keras.Model) -> Answers | None:
        """What the model says is compared as well, if it can be asked."""
        try:
            answers = Answers(model, self.feature_layer)
        except BadInputError as error:
            if self.feature_layer is not None:
                raise
            warn(f"ShiftGuard compares the target's inputs only, not the outputs: {error}")
            return None
        for x, _, _ in first_batches(self.target_data, 1):
            answers.ask(x)  # what does not fit is said before any training
        answers.sketch.state.reset()
        return answers

    def _end(self) -> None:
        self._training = False
        if self._watch is not None:
            self._watch.release()
        self.detach()

    def _stream(self, name: str) -> Stream:
        if self._probe is None:
            raise RuntimeError("the guard is not attached to a model")
        return self._probe.streams[name]

    @harmless
    def _start_pass(self, name: str) -> None:
        stream = self._stream(name)
        # How long it will be: as long as the last one, else what Keras knows.
        steps: int | None = self._position[name] + 1
        batch_size = stream.profile.num_samples // steps if steps else None
        if not steps and (name == "train") == self._training:
            steps = (self.params or {}).get("steps")
        stream.measure_every(stride_for(steps, batch_size or None))
        stream.restart()
        for metric in stream.user_metrics:
            metric.reset_state()
        self._position[name] = -1
        self._undrained[name] = 0

    @harmless
    def _start_validation(self) -> None:
        # What others evaluated in between is not part of the validation.
        self._start_pass("validation")
        if self._answers is not None:
            self._answers.sketch.state.reset()
        watch, stream = self._watch, self._stream("validation")
        if watch is not None and not watch.is_settled("validation"):
            stream.forget_samples()
            watch.expect_like(stream, self._stream("train"))

    @harmless
    def _after_batch(self, name: str, batch: int) -> None:
        new = batch - self._position[name]  # more than one under steps_per_execution
        self._position[name] = batch
        self._batches[name] += new
        self._undrained[name] += new
        due = self._watch is not None and self._watch.is_due(name, self._batches[name])
        writes = isinstance(self.update_freq, int) and name == "train"
        write = writes and self._batches[name] // int(self.update_freq) > (
            self._batches[name] - new
        ) // int(self.update_freq)
        if not (due or write or self._undrained[name] >= BATCHES_PER_DRAIN):
            return
        self._drain(name)
        if due:
            self._look(name)
        if write:
            self._write()

    @harmless
    def _finish_pass(self, name: str) -> None:
        self._drain(name)
        if self._watch is not None and not self._watch.is_settled(name):
            self._look(name, final=True)
        stream = self._stream(name)
        self.profiles[name] = stream.profile.with_values(stream.user_results())
        self._passes.add(name)

    @harmless
    def _compare(self, epoch: int | None, logs: dict[str, Any] | None) -> None:
        """Looks for shift once all passes of an epoch are over."""
        shift = self._shift
        if shift is None:
            return
        streams = {name: self.profiles[name] for name in sorted(self._passes)}
        self._passes.clear()
        if "target" in self._known:
            streams["target"] = self._known["target"]
            if self._answers is not None and "validation" in streams:
                self._compare_answers(self._answers, streams)
        new = shift.look(streams, epoch)
        severities = {"shift": shift.severity("train")}
        if "validation" in streams:
            severities["val_shift"] = shift.severity("validation")
        if logs is not None:
            logs.update(severities)
        if shift.report is not None:
            self._log.write_look(
                self._epoch, shift.pairs, self.profiles, shift.report, new, severities
            )
        try:
            shift.act(new)
        except ShiftDetectedError:
            self._end()
            raise

    def _compare_answers(self, answers: Answers, streams: dict[str, InputProfile]) -> None:
        """Adds what the model says on validation and target with this epoch's weights."""
        weights = f"fit, {self._batches['train']} batches"
        said = {"validation": answers.drain(weights)}
        for x, _, _ in first_batches(self.target_data, MOST_ASKED):
            answers.ask(x)
        said["target"] = answers.drain(weights)
        for name, outputs in said.items():
            streams[name] = self.profiles[name] = replace(streams[name], outputs=outputs)

    def _drain(self, name: str) -> None:
        _ = self.model  # on JAX: brings the variables up to date
        stream = self._stream(name)
        stream.drain()
        self.profiles[name] = stream.profile
        self._undrained[name] = 0

    def _look(self, name: str, final: bool = False) -> None:
        watch, stream = self._watch, self._stream(name)
        if watch is None or not watch.look(self.model, stream, self._batches[name], final):
            return
        content = {stream: found.to_dict() for stream, found in watch.diagnoses.items()}
        self._log.write_diagnosis(name, str(watch.diagnoses[name]), content, self._epoch)
        try:
            watch.act(stream)
        except PreprocessingMismatchError:
            self._end()
            raise

    def _write(self) -> None:
        step = self._epoch if self.update_freq == "epoch" else self._batches["train"]
        self._log.write_profiles(self.profiles, step)


def _copies(metrics: Sequence[keras.metrics.Metric]) -> list[keras.metrics.Metric]:
    return [type(metric).from_config(metric.get_config()) for metric in metrics]

"""`ShiftGuard`: the callback. It wires the rooms together and holds no arithmetic."""

import functools
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

import keras

from keras_shiftguard.errors import (
    BadInputError,
    NotInThisVersionError,
    PreprocessingMismatchError,
    ShiftGuardError,
    ShiftWarning,
    warn,
)
from keras_shiftguard.events import EventWriter, write_json
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
from keras_shiftguard.statistics.stream import Stream

ON_MISMATCH = ("warn", "raise", "fix", "ignore")
ON_SHIFT = ("warn", "raise", "ignore")
# float32 counts up to 2**24: drained this often, batches of 65,536 still fit.
BATCHES_PER_DRAIN = 128


def harmless(hook: Callable[..., None]) -> Callable[..., None]:
    """A failure of ours is a warning, never the end of somebody's training."""

    @functools.wraps(hook)
    def wrapped(self: "ShiftGuard", *args: Any, **kwargs: Any) -> None:
        if self._gave_up:
            return
        try:
            hook(self, *args, **kwargs)
        except (PreprocessingMismatchError, ShiftWarning):
            raise  # what the user asked for: on_mismatch="raise", or warnings as errors
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
        reference: Not in this version: a profile to compare with.
        target_data: Not in this version: unlabelled data of the target.
        adapt: Not in this version: `True`, `"augmentation"`, `"batch_norm"`.
        on_mismatch: What to do when the model is fed something else than it
            was trained on. `"warn"` once; `"raise"` a
            `PreprocessingMismatchError` at once; `"fix"` corrects the input
            inside the step for the rest of the fit, and validation by its own
            diagnosis; `"ignore"`.
        on_shift: `"warn"`, `"raise"` or `"ignore"`. Shift detection is not in
            this version, so `"raise"` is refused.
        feature_layer: Not in this version: a layer whose output is watched.
        statistics: Your own `keras.metrics.Metric`s whose `update_state` takes
            `x`. They are updated in the step and written to `log_dir`.
        distinct_samples: Not in this version: for streams without end.
        alpha: Rate of false alarms of a whole fit; used by shift detection,
            which is not in this version.
        update_freq: `"epoch"`, or after how many batches to write to `log_dir`.
        log_dir: Where to write for TensorBoard; None writes nothing.
        verbose: 0 is silent but for warnings, 1 prints the verdict.

    Attributes:
        diagnosis: The `Diagnosis` of the training stream, None before the
            first look. Of the evaluated stream after a bare `evaluate`.
        profiles: `InputProfile` by `"train"` and `"validation"`: the numbers
            of the latest pass over each.

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
        _refuse_later(
            reference=(reference, None),
            target_data=(target_data, None),
            adapt=(adapt, False),
            feature_layer=(feature_layer, None),
            distinct_samples=(distinct_samples, None),
            alpha=(alpha, 0.05),
        )
        _one_of("on_mismatch", on_mismatch, ON_MISMATCH)
        _one_of("on_shift", on_shift, ON_SHIFT)
        if on_shift == "raise":
            _refuse_later(on_shift=(on_shift, "warn"))
        if update_freq != "epoch" and not (isinstance(update_freq, int) and update_freq > 0):
            raise BadInputError(
                "`update_freq` must be 'epoch' or a positive number of batches. "
                f"Received: update_freq={update_freq!r}"
            )
        for metric in statistics:
            if not isinstance(metric, keras.metrics.Metric):
                raise BadInputError(
                    "`statistics` must hold keras.metrics.Metric instances whose `update_state` "
                    f"takes `x`. Received: {metric!r}"
                )
        self.on_mismatch = on_mismatch
        self.on_shift = on_shift
        self.statistics = tuple(statistics)
        self.update_freq = update_freq
        self.log_dir = log_dir
        self.verbose = verbose
        self.profiles: dict[str, InputProfile] = {}
        self._probe: Probe | None = None
        self._watch: PreprocessingWatch | None = None
        self._writer: EventWriter | None = None
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
    def report(self) -> Any:
        """Not in this version: the report on shift between streams."""
        raise NotInThisVersionError(
            "ShiftGuard.report: shift detection is not in this version. `guard.diagnosis` has the "
            "verdict on preprocessing, `guard.profiles` what was measured."
        )

    def detach(self) -> None:
        """Removes every trace from the model, e.g. after an interrupted fit."""
        if self._probe is not None:
            _ = self.model  # on JAX: brings the variables up to date
            self._probe.detach()
            self._probe = None
        if self._writer is not None:
            writer, self._writer = self._writer, None
            try:
                writer.close()
            except OSError as error:
                self._stop_writing(error)

    # --- hooks --------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._training = True
        self._begin()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch
        self._start_pass("train")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._after_batch("train", batch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._finish_pass("train")
        self._write()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._tell()
        self._end()

    @harmless
    def _tell(self) -> None:
        diagnosis = self.diagnosis
        if self.verbose and diagnosis is not None and diagnosis.status != "mismatch":
            print(diagnosis)
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
            self._write()
            self._tell()
            self._end()

    # --- the run ------------------------------------------------------------

    def _begin(self) -> None:
        """Attaches to the model; whatever cannot work is said now."""
        self.detach()
        model = self.model
        check_supported(model)
        if self.log_dir is not None:
            self._writer = EventWriter(self.log_dir)
        self._gave_up = False
        self.profiles = {}
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

    def _give_up(self, error: Exception) -> None:
        self._gave_up = True
        warn(f"ShiftGuard stopped watching ({error!r}). Training is not affected.")

    def _attach(self, model: keras.Model) -> None:
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
        self._probe = Probe(model, streams, list(shapes), run=self.params)
        self._probe.attach()

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
        stream.restart()
        for metric in stream.user_metrics:
            metric.reset_state()
        self._position[name] = -1
        self._undrained[name] = 0

    @harmless
    def _start_validation(self) -> None:
        # What others evaluated in between is not part of the validation.
        self._start_pass("validation")
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
        self._write_verdict(name)
        try:
            watch.act(stream)
        except PreprocessingMismatchError:
            self._end()
            raise

    # --- what is written ----------------------------------------------------

    def _write(self) -> None:
        if self._writer is None:
            return
        step = self._epoch if self.update_freq == "epoch" else self._batches["train"]
        try:
            for name, profile in self.profiles.items():
                self._writer.write_profile(name, profile, step)
            self._writer.flush()
        except Exception as error:
            self._stop_writing(error)

    def _write_verdict(self, name: str) -> None:
        if self._writer is None or self._watch is None or self.log_dir is None:
            return
        try:
            diagnoses = self._watch.diagnoses
            write_json(
                self.log_dir, "diagnosis.json", {n: d.to_dict() for n, d in diagnoses.items()}
            )
            self._writer.write_text(f"shiftguard/{name}/verdict", str(diagnoses[name]), self._epoch)
            self._writer.flush()
        except Exception as error:
            self._stop_writing(error)

    def _stop_writing(self, error: Exception) -> None:
        self._writer = None
        warn(
            f"ShiftGuard cannot write to log_dir={str(self.log_dir)!r} any more ({error!r}). What "
            "was written is kept; watching and training go on."
        )


def _refuse_later(**arguments: tuple[Any, Any]) -> None:
    """Refuses what the contract names but this version cannot do yet."""
    for name, (value, default) in arguments.items():
        if value is not default and not (type(value) is type(default) and value == default):
            raise NotInThisVersionError(
                f"ShiftGuard({name}=...) is not in this version, which checks preprocessing and "
                f"measures streams. Leave it at {default!r}. Received: {name}={value!r}"
            )


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise BadInputError(f"`{name}` must be one of {allowed}. Received: {name}={value!r}")


def _copies(metrics: Sequence[keras.metrics.Metric]) -> list[keras.metrics.Metric]:
    return [type(metric).from_config(metric.get_config()) for metric in metrics]

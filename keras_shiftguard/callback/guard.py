"""`ShiftGuard`: the callback, with what a user gives it and gets from it."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import keras

from keras_shiftguard.adaptation.augmentation.in_step import StepAugmentation
from keras_shiftguard.adaptation.batch_norm import BatchNormAdaptation
from keras_shiftguard.callback.arguments import (
    ON_MISMATCH,
    ON_SHIFT,
    adaptations,
    check_distinct_samples,
    check_one_of,
    check_statistics,
    check_update_freq,
)
from keras_shiftguard.callback.hooks import GuardHooks
from keras_shiftguard.callback.optional_data import Given
from keras_shiftguard.callback.preprocessing_watch import PreprocessingWatch
from keras_shiftguard.callback.repair import Repair
from keras_shiftguard.callback.run import WatchedFit
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.comparison import as_profile, check_alpha
from keras_shiftguard.detection.acknowledged import Acknowledgement
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.log.resume import read_state, write_state
from keras_shiftguard.log.run_log import RunLog
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.profiles import InputProfile


class ShiftGuard(GuardHooks):
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
        super().__init__(verbose)
        self.adapt = adaptations(adapt, target_data)
        check_one_of("on_mismatch", on_mismatch, ON_MISMATCH)
        check_one_of("on_shift", on_shift, ON_SHIFT)
        check_update_freq(update_freq)
        check_statistics(statistics)
        check_alpha(alpha)
        check_distinct_samples(distinct_samples)
        self.reference = reference
        self.target_data = target_data
        target = Given("target_data", target_data)
        self._given = {"reference": Given("reference", reference), "target": target}
        self.feature_layer = feature_layer
        self.distinct_samples = distinct_samples
        self.alpha = alpha
        self.on_mismatch = on_mismatch
        self.on_shift = on_shift
        self.statistics = tuple(statistics)
        self.update_freq = update_freq
        self.log_dir = log_dir
        self._acknowledged: list[Acknowledgement] = []
        self._known: dict[str, InputProfile] = {}  # reference and target
        self._repair = Repair(self.adapt, target)

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The verdict on the training stream; None before the first look."""
        return None if self._fit is None else self._fit.diagnosis

    @property
    def report(self) -> ShiftReport | None:
        """What shifted between the streams; None before the first look."""
        return None if self._fit is None else self._fit.shift.report

    @property
    def profiles(self) -> dict[str, InputProfile]:
        """The numbers of the latest pass over each stream, and of what was given."""
        return {} if self._fit is None else self._fit.profiles

    @property
    def augmentation(self) -> StepAugmentation | None:
        """The augmentation inside the step; None without `adapt="augmentation"`."""
        return self._repair.augmentation

    @property
    def batch_norm(self) -> BatchNormAdaptation | None:
        """What a fit did to batch norm; None without `adapt="batch_norm"`."""
        return self._repair.batch_norm

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
        if self._fit is None:
            raise BadInputError("There is no state to save before the first epoch of a fit.")
        write_state(path, self._fit.state())

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

    def _measure_known(self) -> None:
        """Measures the reference and the target, once for all fits."""
        for name, given in self._given.items():
            given.lost = False
            if given.is_there and name not in self._known:
                with given.reading():
                    self._known[name] = as_profile(given.data, given.name)

    def _watch(self, training: bool) -> None:
        shift = ShiftWatch(
            self.alpha,
            self.on_shift,
            self._known.get("reference"),
            "target" in self._known,
            self.distinct_samples,
            self._acknowledged,
        )
        preprocessing = PreprocessingWatch(self.model, self.on_mismatch, training)
        self._fit = WatchedFit(
            self.model,
            self.params,
            training,
            preprocessing,
            shift,
            self._repair,
            RunLog(self.log_dir),
            self._known,
            self.update_freq,
        )
        self._fit.attach(self.statistics, self.feature_layer, self._given["target"])

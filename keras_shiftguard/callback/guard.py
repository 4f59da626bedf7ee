"""`ShiftGuard`: the Keras callback that checks the data of a fit."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import keras

from keras_shiftguard.account.report import GapReport
from keras_shiftguard.adaptation.augmentation.in_step import StepAugmentation
from keras_shiftguard.adaptation.batch_norm import BatchNormAdaptation
from keras_shiftguard.callback.arguments import (
    adaptations,
    check_acknowledged,
    check_arguments,
    distinct_by_stream,
    in_code,
)
from keras_shiftguard.callback.hooks import Hooks
from keras_shiftguard.callback.known_data import KnownData
from keras_shiftguard.callback.preprocessing_watch import PreprocessingWatch
from keras_shiftguard.callback.repair import Repair
from keras_shiftguard.callback.runs.run import Run
from keras_shiftguard.callback.runs.run_verdict import verdict_on
from keras_shiftguard.callback.runs.training_profile import marked_profiles
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.detection.acknowledged import Acknowledgement
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.detection.verdict import Verdict
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.undisturbed import undisturbed
from keras_shiftguard.log.resume import read_state, write_state
from keras_shiftguard.log.run_log import RunWriter
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.profiles import InputProfile


class ShiftGuard(Hooks):
    """Callback that detects wrong preprocessing and distribution shift, and can repair them.

    Pass the callback to `model.fit`, `model.evaluate` or `model.predict`. The callback measures
    each batch outside the training step, without changing the model or the data. From the first
    batches it judges whether the preprocessing is the one that the model was trained with. This
    check needs no labels and no reference data. Training is not changed: the weights are bit for
    bit the same as without the callback, unless `on_mismatch="fix"` or `adapt` changes the input or
    the moving statistics of batch norm.

    Args:
        reference: Data that training and validation are compared with, in addition to the
            comparison with each other. Pass an `InputProfile`, the path of a saved profile, the
            path of a saved model with an attached profile, or data. The profile attached to a saved
            model also states which input the model expects.
        target_data: Unlabeled data from where the model will be used (the target), in any form
            that `fit` accepts. The target is compared with training and validation.
        log_dir: Directory for TensorBoard; None writes nothing.
        adapt: What to repair. `"augmentation"` (or `True`) augments the training batches until they
            look like the target data, or like the validation data if there is no target.
            Validation batches are never augmented. `"batch_norm"` sets the moving statistics of
            batch norm to those of `target_data` after the fit. A tuple asks for both.
        expects: The preprocessing that the model's input must receive, if you know it. The data is
            then compared with this preprocessing, and nothing is guessed. See `diagnose` for the
            accepted forms.
        on_mismatch: What to do when the preprocessing is not the one that the model
            was trained with. `"warn"` warns once. `"raise"` raises a `PreprocessingMismatchError`
            at once. `"fix"` corrects the input of each stream, according to its own diagnosis, for
            the rest of the fit, evaluation or prediction. `"ignore"` does nothing.
        on_shift: What to do when a stream differs significantly from another (see
            `alpha`) and the difference costs accuracy (see `tolerance`). `"warn"` warns. `"raise"`
            raises a `ShiftDetectedError` at the end of the epoch. `"stop"` stops training after the
            epoch. `"ignore"` does nothing. `report` lists the shift in any case.
        tolerance: The share of accuracy that a shift may cost before it is an alarm; 0.01 is
            one point. For a classifier, the guard measures after the epoch how much accuracy is
            lost by shifts of validation, on up to 1024 labeled samples of each stream (4096 short
            rows); with fewer than 100, or where no cost can be measured, the difference is no
            alarm, unless it is certain to be a fault, such as another scale of the values. If
            `tolerance` is None, each significant difference that is not small is an alarm.
        alpha: Probability that a fit without any shift raises an alarm, over
            all epochs, features and streams together.
        log_samples: How many images of each stream are written to `log_dir` after each epoch:
            some images as your pipeline delivers them, the same images after the correction, or
            with the repair of a finding, and the most unusual images. Only the images of the last
            three epochs are kept. The directory then contains images of your data: consider whom
            the images show before you share the directory. 0 writes none.
        attach_to: Path of a saved model, such as that of a `ModelCheckpoint`, to which the profile
            of training is attached at the end of the fit. `diagnose` and `compare` then read the
            profile from the saved model. If the fit corrected the input, the profile is that of the
            corrected input.

    Advanced:
        Few need these arguments.

        feature_layer: Name of a layer. Its activations on `target_data` are
            compared with those on the validation data, after each epoch, in
            inference mode.
        statistics: Your own `keras.metrics.Metric`s whose `update_state` takes `x`. These metrics
            are updated at each batch, and their results are written to `log_dir`.
        distinct_samples: How many independent samples a stream really has: a number, or a share in
            (0, 1], such as 1/10 for clips of ten frames. A single value is for training; a dict has
            values by stream (`"train"`, `"validation"`, `"target"`, `"reference"`). A number for
            training also means that its epochs do not repeat the same samples. Tests then use the
            training samples of all epochs, up to this number. Without a value, nearly identical
            neighboring samples count less, and the report says so.
        update_freq: When to write to `log_dir`: `"epoch"`, or a number of training
            batches after which profiles are written.
        verbose: 0 prints only warnings, 1 prints the verdict as well.

    Attributes:
        verdict: The `Verdict`: the one thing to do about the latest fit, evaluation or prediction,
            as terminal, tab and page show it. None before the first check.
        diagnosis: The `Diagnosis` of the training stream, or of the data of
            `evaluate` or `predict`. None before the first check.
        report: The `ShiftReport`: which shifts were found, in which epoch, and
            how significant they are. None before the end of the first epoch.
        gap: The `GapReport`: why validation is lower than training, in rows that add up. None
            before the end of a fit, and without labels, predictions or validation.
        profiles: Dict of `InputProfile`s. `"train"` and `"validation"` have the profile of their
            latest pass, before any correction by the guard, and `"reference"` and `"target"` the
            profile of the data passed to the guard.

    Raises:
        BadInputError: for an argument that cannot be used. A `log_dir` that cannot be
            written raises this error before training starts.
        ShiftGuardError: before training starts, if the training step cannot be
            wrapped; the message says what to do.

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
        *,
        log_dir: str | PathLike[str] | None = None,
        adapt: bool | str | tuple[str, ...] = False,
        expects: Any = None,
        on_mismatch: str = "warn",
        on_shift: str = "warn",
        tolerance: float | None = 0.01,
        alpha: float = 0.05,
        log_samples: int = 0,
        attach_to: str | PathLike[str] | None = None,
        feature_layer: str | None = None,
        statistics: Sequence[keras.metrics.Metric] = (),
        distinct_samples: Any = None,
        update_freq: str | int = "epoch",
        verbose: int = 1,
    ) -> None:
        super().__init__()
        self.reference, self.target_data = reference, target_data
        self.log_dir, self.update_freq, self.log_samples = log_dir, update_freq, log_samples
        self.adapt = adaptations(adapt, target_data)
        self.expects = expects
        self.on_mismatch, self.on_shift = on_mismatch, on_shift
        self.tolerance, self.alpha = tolerance, alpha
        self.attach_to, self.feature_layer = attach_to, feature_layer
        self.statistics = statistics
        self.distinct_samples = distinct_samples
        self.verbose = verbose
        check_arguments(self)
        self.statistics = tuple(statistics)
        self._distinct = distinct_by_stream(distinct_samples)
        self._known = KnownData(reference, target_data, self._distinct, expects)
        self._acknowledged: list[Acknowledgement] = []
        self._repair = Repair(self.adapt, self._known.target)

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The diagnosis of the training stream, or of the data of `evaluate` or `predict`."""
        return None if self._run is None else self._run.diagnosis

    @property
    def report(self) -> ShiftReport | None:
        """The shifts between the streams; None before the first comparison."""
        return None if self._run is None else self._run.shift.report

    @property
    def verdict(self) -> Verdict | None:
        """What to do about the latest run, in one sentence; None before the first look."""
        return None if self._run is None else verdict_on(self._run)

    @property
    def gap(self) -> GapReport | None:
        """Why validation is lower than training, after the latest fit; None where none can be made.

        There is none without labels, predictions or validation, and before the first look.
        """
        return None if self._run is None else self._run.gap.report

    @property
    def profiles(self) -> dict[str, InputProfile]:
        """The profiles by name: the latest pass over each stream, the reference and the target."""
        return {} if self._run is None else marked_profiles(self._run)

    @property
    def augmentation(self) -> StepAugmentation | None:
        """The augmentation of training batches in the latest fit; None if there was none."""
        return self._repair.augmentation

    @property
    def batch_norm(self) -> BatchNormAdaptation | None:
        """The change of batch norm after the latest fit; None if there was none."""
        return self._repair.batch_norm

    def acknowledge(
        self, what: str, stream: str | None = None, reason: str = "known"
    ) -> "ShiftGuard":
        """Accepts a known shift: the shift stays in the report, but raises no alarm.

        Call this method before `fit`. The shift then does not change `shift` and `val_shift` in
        `logs`, and does not trigger `on_shift`.

        Args:
            what: A finding's `.feature` (`"input/brightness"`, `"labels"`), the part
                after the input's name (`"brightness"`), or its `.family` (`"colour"`).
            stream: The stream that differs, such as `"validation"`; None for any.
            reason: Why the shift is accepted; the report shows this text.

        Returns:
            The guard.

        Raises:
            BadInputError: if `what` is empty or not a text, or there is no such stream.

        Example:

        >>> guard = ShiftGuard().acknowledge("brightness", "validation", "the new camera")
        """
        check_acknowledged(what, stream)
        self._acknowledged.append(Acknowledgement(what, stream, reason))
        return self

    def save_state(self, path: str | PathLike[str]) -> None:
        """Writes the state of the guard to a file, for `load_state` after a crash.

        Call this method at the end of an epoch. A guard with `log_dir` needs no such call: the
        guard writes its state after every epoch, and reads that state when a `fit` resumes (with
        `keras.callbacks.BackupAndRestore` or `initial_epoch=`).

        Args:
            path: Path of the state file.

        Raises:
            BadInputError: if the guard has not been used yet.
        """
        if self._run is None:
            raise BadInputError("There is no state to save before the first epoch of a fit.")
        write_state(path, self._run.state())

    def load_state(self, path: str | PathLike[str]) -> "ShiftGuard":
        """Reads the state that the next `fit` continues from.

        That fit must begin with `initial_epoch=`, or be resumed by `BackupAndRestore`.

        Args:
            path: Path of a file that `save_state` wrote.

        Returns:
            The guard.

        Raises:
            BadInputError: for a damaged file, or one that is not a state file.
        """
        self._loaded = read_state(path)
        return self

    def detach(self) -> None:
        """Removes the guard from the model, for example after an interrupted fit."""
        self._supervisor.detach()

    def _new_run(self, kind: str) -> Run:
        self._known.measure(self.model)
        shift = ShiftWatch(
            self.alpha,
            self.on_shift,
            self.tolerance,
            self._known.profiles.get("reference"),
            "target" in self._known.profiles,
            self._distinct,
            self._acknowledged,
            ("prediction",) if kind == "prediction" else ("train", "validation"),
        )
        with undisturbed(self.model):
            word = self._known.word(self.model)
            preprocessing = PreprocessingWatch(self.model, self.on_mismatch, kind == "train", *word)
        return Run(
            self.model,
            self.params,
            kind,
            preprocessing,
            shift,
            self._repair,
            RunWriter(self.log_dir, kind, self.tolerance),
            self._known.profiles,
            self.update_freq,
            self.statistics,
            self.feature_layer,
            self.log_samples,
            in_code(self, ShiftGuard),
        )

"""When the guard does what: Keras's hooks, and what becomes of a failure in them."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import keras

from keras_shiftguard.callback.run import WatchedFit
from keras_shiftguard.errors import (
    PreprocessingMismatchError,
    ShiftDetectedError,
    ShiftGuardError,
    ShiftWarning,
    warn,
)
from keras_shiftguard.instrument.probe import check_supported
from keras_shiftguard.instrument.processes import is_first_process


def harmless(hook: Callable[..., None]) -> Callable[..., None]:
    """A failure of ours is a warning, never the end of somebody's training."""

    @functools.wraps(hook)
    def wrapped(self: "GuardHooks", *args: Any, **kwargs: Any) -> None:
        if self._gave_up:
            return
        try:
            hook(self, *args, **kwargs)
        except (PreprocessingMismatchError, ShiftDetectedError):
            self._end()
            raise  # what the user asked for: "raise"
        except ShiftWarning:
            raise  # warnings as errors
        except Exception as error:
            self._give_up(error)

    return wrapped


class GuardHooks(keras.callbacks.Callback, ABC):
    """A callback that watches one fit or evaluation after another.

    Args:
        verbose: 0 is silent but for warnings.
    """

    def __init__(self, verbose: int) -> None:
        super().__init__()
        self.verbose = verbose
        self._fit: WatchedFit | None = None  # the latest; stays when it is over
        self._loaded: dict[str, Any] | None = None  # the state to go on with
        self._gave_up = False

    @abstractmethod
    def _measure_known(self) -> None:
        """Measures what is compared with and does not change."""

    @abstractmethod
    def _watch(self, training: bool) -> None:
        """Sets `_fit`, and attaches it to the model."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._begin(training=True)

    @harmless
    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        fit = self._watched
        if epoch and not fit.num_batches:  # another fit was interrupted here
            state, self._loaded = self._loaded or fit.log.kept_state(epoch), None
            if state is not None:
                fit.restore(state, epoch)
        fit.epoch = epoch
        fit.start_pass("train")

    @harmless
    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._watched.count("train", batch)

    @harmless
    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        fit = self._watched
        fit.finish_pass("train")
        fit.compare(epoch + 1, logs)
        self._say(fit.adapt(logs or {}))
        fit.write()
        fit.keep_state()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._finish_training()
        self._end()

    @harmless
    def _finish_training(self) -> None:
        fit = self._watched
        self._say(fit.verdict)
        self._say(fit.repair.recalibrate(self.model, fit.log, fit.epoch))

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        # Keras tells no callback of an exception: another fit may be left over.
        fit = self._fit
        if fit is None or fit.run is not self.params or not (fit.is_attached or self._gave_up):
            self._begin(training=False)
        self._start_validation()

    @harmless
    def _start_validation(self) -> None:
        self._watched.start_validation()

    @harmless
    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._watched.count("validation", batch)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._finish_validation()
        if self._fit is None or not self._fit.training:
            self._end()

    @harmless
    def _finish_validation(self) -> None:
        fit = self._watched
        fit.finish_pass("validation")
        if not fit.training:
            fit.compare(None, None)
            fit.write()
            self._say(fit.verdict)

    def detach(self) -> None:
        """Removes every trace from the model, e.g. after an interrupted fit."""
        if self._fit is None:
            return
        if self._fit.is_attached:
            _ = self.model  # on JAX: brings the variables up to date
            self._fit.detach()
        self._fit.log.close()

    def _begin(self, training: bool) -> None:
        """Attaches to the model; whatever cannot work is said now."""
        self.detach()
        check_supported(self.model)
        self._gave_up = False
        self._measure_known()
        epoch = 0 if self._fit is None else self._fit.epoch
        try:
            self._watch(training)
        except ShiftGuardError:
            self._end()
            raise
        except Exception as error:
            self._end()
            self._give_up(error)
            return
        self._watched.epoch = epoch
        if training:
            self._say(f"ShiftGuard watches. {self._watched.shift.needs}")

    def _end(self) -> None:
        if self._fit is not None:
            self._fit.end()
        self.detach()

    def _give_up(self, error: Exception) -> None:
        self._gave_up = True
        warn(f"ShiftGuard stopped watching ({error!r}). Training is not affected.")

    def _say(self, text: str) -> None:
        if self.verbose and text and is_first_process():
            print(text)

    @property
    def _watched(self) -> WatchedFit:
        if self._fit is None:
            raise RuntimeError("the guard is not attached to a model")
        return self._fit

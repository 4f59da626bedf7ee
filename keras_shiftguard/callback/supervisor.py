"""`Supervisor`: calls the latest `Run` of a guard, and turns its failures into warnings."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from keras_shiftguard.callback.runs.run import Run
from keras_shiftguard.errors import (
    PreprocessingMismatchError,
    ShiftDetectedError,
    ShiftGuardError,
    ShiftWarning,
    no_errors_of_others,
    warn,
)


class Supervisor:
    """Holds the latest run of a guard, and stops watching it after a failure of the guard.

    A failure of the guard must never end a training. So the first failure becomes a warning. Until
    the next run begins, the guard then measures nothing; it only continues to correct and augment
    the input, if it did so before. Errors that the user requested, such as those of
    `on_mismatch="raise"`, are raised.

    Attributes:
        run: The latest run, even if it has ended; None before the first run, and after an
            unexpected failure to create a run.
        has_failed: Whether watching the latest run failed.
    """

    def __init__(self) -> None:
        self.run: Run | None = None
        self.has_failed = False
        self._run_key: object = None  # key of the latest run, even if the run was not created

    def begin(self, new_run: Callable[[], Run], run_key: object) -> None:
        """Begins to watch a run, in place of the latest one."""
        self.has_failed, self._run_key = False, run_key
        # An evaluation after a fit is logged at the last epoch of that fit.
        last_epoch = 0 if self.run is None else self.run.epoch
        run: Run | None = None
        try:
            with _own_settings():
                run = new_run()
                self.run = run
                run.attach()
        except ShiftGuardError:
            self.end()
            raise
        except Exception as error:
            with suppress(Exception):  # a second failure is ignored
                self.end()
            self.run = run
            self._fail(error)
            return
        run.epoch = last_epoch

    def call(self, method: Callable[..., str | None], *args: Any) -> str:
        """Calls a method with the run as its first argument, unless watching has failed.

        Returns:
            The text to print, as the method returns it; "" if it returns None or fails.

        Raises:
            PreprocessingMismatchError: with `on_mismatch="raise"`.
            ShiftDetectedError: with `on_shift="raise"`.
            ShiftWarning: if Python turns this warning into an error, see `no_errors_of_others`.
        """
        if self.has_failed:
            return ""
        try:
            if self.run is None:
                raise RuntimeError("the guard is not attached to a model")
            with _own_settings():
                return method(self.run, *args) or ""
        except (PreprocessingMismatchError, ShiftDetectedError):
            self.end()
            raise
        except ShiftWarning:
            raise
        except Exception as error:
            self._fail(error)
            return ""

    def begin_batch(self, stream: str) -> None:
        """Makes the run measure the next batch; after a failure, only correct and augment it."""
        if not self.has_failed:
            self.call(lambda run: run.measurement.begin_batch(stream))
        elif self.run is not None:
            self.run.measurement.begin_batch(stream)

    def is_watching(self, run_key: object) -> bool:
        """Whether the latest run has this key, and is attached to its model or has failed."""
        is_attached = self.run is not None and self.run.measurement.is_attached
        return self._run_key is run_key and (is_attached or self.has_failed)

    def detach(self) -> None:
        """Detaches the latest run from its model."""
        if self.run is not None:
            self.run.detach()

    def end(self) -> None:
        """Ends the latest run, and detaches it from its model."""
        if self.run is not None:
            self.run.end()

    def _fail(self, error: Exception) -> None:
        self.has_failed = True
        if self.run is not None:
            self.run.stop_measuring()
        warn(f"ShiftGuard stopped watching ({error!r}). Training is not affected.")


@contextmanager
def _own_settings() -> Iterator[None]:
    """Context in which what the user set to raise errors raises none inside of the guard.

    These are NumPy's floating-point errors, and warnings that Python turns into errors.
    """
    numpy_defaults = np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")
    with numpy_defaults, no_errors_of_others():
        yield

"""`Supervisor`: a holder of the latest `Run` of a guard that turns failures into warnings."""

from collections.abc import Callable
from typing import Any

from keras_shiftguard.callback.run import Run
from keras_shiftguard.errors import (
    PreprocessingMismatchError,
    ShiftDetectedError,
    ShiftGuardError,
    ShiftWarning,
    warn,
)


class Supervisor:
    """Holds the latest run of a guard, and stops watching it after a failure of the guard.

    A failure of the guard must never end a training. So the first failure becomes a
    warning, and the guard does nothing more until the next run begins. Errors that the
    user requested, such as those of `on_mismatch="raise"`, are raised.

    Attributes:
        run: The latest run, even if it has ended; None before the first one.
        has_failed: Whether watching the latest run failed.
    """

    def __init__(self) -> None:
        self.run: Run | None = None
        self.has_failed = False

    def begin(self, new_run: Callable[[], Run]) -> None:
        """Begins to watch a run, in place of the latest one.

        Args:
            new_run: A function that returns the run. The run is then attached to its model.

        Raises:
            ShiftGuardError: for arguments or data that cannot be used.
        """
        self.has_failed = False
        # An evaluation after a fit is logged at the last epoch of that fit.
        last_epoch = 0 if self.run is None else self.run.epoch
        try:
            self.run = new_run()
            self.run.attach()
        except ShiftGuardError:
            self.end()
            raise
        except Exception as error:
            self.end()
            self._fail(error)
            return
        self.run.epoch = last_epoch

    def call(self, method: Callable[..., str | None], *args: Any) -> str:
        """Calls a method with the run as its first argument, unless watching has failed.

        Args:
            method: A method of `Run`, or a function whose first argument is a run.
            args: Its further arguments.

        Returns:
            The text to print, as the method returns it; "" if it returns None or fails.

        Raises:
            PreprocessingMismatchError: with `on_mismatch="raise"`.
            ShiftDetectedError: with `on_shift="raise"`.
            ShiftWarning: if Python turns warnings into errors.
        """
        if self.has_failed:
            return ""
        try:
            if self.run is None:
                raise RuntimeError("the guard is not attached to a model")
            return method(self.run, *args) or ""
        except (PreprocessingMismatchError, ShiftDetectedError):
            self.end()
            raise
        except ShiftWarning:
            raise
        except Exception as error:
            self._fail(error)
            return ""

    def is_watching(self, run_key: object) -> bool:
        """Whether the latest run has this key, and is attached to its model or has failed."""
        run = self.run
        return run is not None and run.run_key is run_key and (run.is_attached or self.has_failed)

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
        warn(f"ShiftGuard stopped watching ({error!r}). Training is not affected.")

"""`Supervisor`: runs one `Run` after another, and turns a failure of them into a warning."""

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
    """Holds the latest run of a guard, and stops watching it when that fails.

    A failure of the guard must never end a training. So the first one becomes a
    warning, and nothing more is done until the next run begins. Errors that the user
    asked for, such as those of `on_mismatch="raise"`, are raised.

    Attributes:
        run: The latest run, also when it is over; None before the first one.
        has_failed: Whether watching the latest run failed.
    """

    def __init__(self) -> None:
        self.run: Run | None = None
        self.has_failed = False

    def begin(self, new_run: Callable[[], Run]) -> None:
        """Begins to watch a run, in place of the latest one.

        Args:
            new_run: Makes the run, which is then attached to its model.

        Raises:
            ShiftGuardError: for arguments or data that cannot be used.
        """
        self.has_failed = False
        epoch = 0 if self.run is None else self.run.epoch
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
        self.run.epoch = epoch

    def call(self, method: Callable[..., str | None], *args: Any) -> str:
        """Calls a method with the run as its first argument, unless watching has failed.

        Args:
            method: A method of `Run`, or a function of one.
            args: Its further arguments.

        Returns:
            The text that the method returns for printing; "" without one, or if it fails.

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
        """Whether the latest run is the one with this key, and still goes on or has failed."""
        run = self.run
        return run is not None and run.run_key is run_key and (run.is_attached or self.has_failed)

    def detach(self) -> None:
        """Restores the model of the latest run as it was."""
        if self.run is not None:
            self.run.detach()

    def end(self) -> None:
        """Ends the latest run, and restores its model as it was."""
        if self.run is not None:
            self.run.end()

    def _fail(self, error: Exception) -> None:
        self.has_failed = True
        warn(f"ShiftGuard stopped watching ({error!r}). Training is not affected.")

"""The exceptions and the warning of this package.

ShiftGuardError
├── BadInputError (also a ValueError)
├── NoBackendError (also an ImportError)
├── PreprocessingMismatchError
└── ShiftDetectedError

ShiftWarning (a UserWarning)
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

from keras_shiftguard.terminal import end_line, printable

PACKAGE = "keras_shiftguard"
_one_thread = RLock()  # Python restores the filters of two threads in the wrong order


class ShiftGuardError(Exception):
    """Base class of the errors that this package raises for its users."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class BadInputError(ShiftGuardError, ValueError):
    """An argument or the data cannot be used; the message says what is accepted."""


class NoBackendError(ShiftGuardError, ImportError):
    """The backend that Keras is set to run on is not installed.

    Args:
        missing: Package of the backend that Keras tried to import, such as `"tensorflow"`.
    """

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"Keras runs on TensorFlow, JAX or PyTorch, and wants {missing!r}, which is not "
            f'installed. Install it with pip install "keras-shiftguard[{missing}]", or, if '
            "another of the three is installed, set the environment variable KERAS_BACKEND to "
            "tensorflow, jax or torch before Keras is imported."
        )
        self.missing = missing


class PreprocessingMismatchError(ShiftGuardError):
    """The input is preprocessed differently from the model's training data.

    Raised by `ShiftGuard(on_mismatch="raise")`. The attribute `.diagnosis` holds
    the `Diagnosis`.
    """

    def __init__(self, diagnosis: Any) -> None:
        super().__init__(str(diagnosis))
        self.diagnosis = diagnosis


class ShiftDetectedError(ShiftGuardError):
    """A stream of data differs significantly from the stream it was compared with.

    Raised by `ShiftGuard(on_shift="raise")`. The attribute `.report` holds the
    report.
    """

    def __init__(self, report: Any) -> None:
        super().__init__(str(report))
        self.report = report


class ShiftWarning(UserWarning):
    """Warning of a problem in the data, or of a failure of this package; training goes on."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


def warn(message: str) -> None:
    """Issues a `ShiftWarning` on a new line, without the file and line that Python adds."""
    end_line()
    with no_errors_of_others(), _only_the_message():
        warnings.warn_explicit(message, ShiftWarning, filename=PACKAGE, lineno=0)


@contextmanager
def _only_the_message() -> Iterator[None]:
    """Context in which Python prints a `ShiftWarning` alone, unless the user formats warnings."""
    usual = warnings.formatwarning
    if not usual.__module__.endswith("warnings"):  # the user formats warnings
        yield
        return

    def alone(message: Any, category: type[Warning], *where: Any, **more: Any) -> str:
        if issubclass(category, ShiftWarning):
            return f"{message}\n"
        return usual(message, category, *where, **more)

    warnings.formatwarning = alone
    try:
        yield
    finally:
        warnings.formatwarning = usual


@contextmanager
def no_errors_of_others() -> Iterator[None]:
    """Context for the work of a guard in a fit, which no warning of a library may interrupt.

    A user may turn all warnings into errors (`-W error`), or all of one category, as test suites
    often do. Such a filter is meant for the user's own code. So it does not hold in this context,
    unless it names this package: by the category `ShiftWarning`, the module `keras_shiftguard`, or
    the message of a `ShiftWarning`.
    """
    filters = [each for each in warnings.filters if each[0] != "error" or _is_for_us(*each[1:4])]
    if len(filters) == len(warnings.filters):
        yield
        return
    with _one_thread, warnings.catch_warnings():
        warnings.filters[:] = filters  # type: ignore[index]
        yield


def _is_for_us(message: Any, category: Any, module: Any) -> bool:
    """Whether a filter of Python's warnings names this package."""
    if module is not None:
        return PACKAGE in getattr(module, "pattern", module)
    return issubclass(category, ShiftWarning) or (
        message is not None and issubclass(ShiftWarning, category)
    )

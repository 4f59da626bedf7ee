"""The exceptions and the warning of this package.

ShiftGuardError
├── BadInputError (also a ValueError)
├── NoBackendError (also an ImportError)
├── PreprocessingMismatchError
└── ShiftDetectedError

ShiftWarning (a UserWarning)
"""

import warnings
from typing import Any

from keras_shiftguard.terminal import end_line


class ShiftGuardError(Exception):
    """Base class of the errors that this package raises for its users."""


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


def warn(message: str) -> None:
    """Issues a `ShiftWarning` on a new line, without the source line that Python adds."""
    end_line()
    warnings.warn_explicit(message, ShiftWarning, filename="keras_shiftguard", lineno=0)

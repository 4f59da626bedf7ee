"""Everything this package raises or warns with.

ShiftGuardError
├── BadInputError (also a ValueError)
├── NoBackendError (also an ImportError)
├── PreprocessingMismatchError
└── ShiftDetectedError

ShiftWarning (a UserWarning)
"""

import warnings
from typing import Any


class ShiftGuardError(Exception):
    """Base class of every error that this package raises on purpose."""


class BadInputError(ShiftGuardError, ValueError):
    """What was passed cannot be used; the message says what would be."""


class NoBackendError(ShiftGuardError, ImportError):
    """Keras finds no backend to run on.

    Args:
        missing: The one that Keras asked for.
    """

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"Keras runs on TensorFlow, JAX or PyTorch, and wants {missing!r}, which is not "
            f'installed. Install it with pip install "keras-shiftguard[{missing}]", or, if '
            "another one is installed, set the environment variable KERAS_BACKEND to "
            "tensorflow, jax or torch before Keras is imported."
        )
        self.missing = missing


class PreprocessingMismatchError(ShiftGuardError):
    """The model is fed something else than it was trained on.

    Raised by `ShiftGuard(on_mismatch="raise")`. The verdict is kept as
    `.diagnosis`.
    """

    def __init__(self, diagnosis: Any) -> None:
        super().__init__(str(diagnosis))
        self.diagnosis = diagnosis


class ShiftDetectedError(ShiftGuardError):
    """A stream of data has shifted.

    Raised by `ShiftGuard(on_shift="raise")`. The report is kept as `.report`.
    """

    def __init__(self, report: Any) -> None:
        super().__init__(str(report))
        self.report = report


class ShiftWarning(UserWarning):
    """Something about the data deserves a look; training goes on."""


def warn(message: str) -> None:
    """Warns the user, without a line of our own source under the message."""
    warnings.warn_explicit(message, ShiftWarning, filename="keras_shiftguard", lineno=0)

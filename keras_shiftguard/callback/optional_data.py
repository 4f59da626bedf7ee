"""`OptionalData`: reference or target data. If reading it fails, the fit goes on without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keras_shiftguard.errors import ShiftGuardError, ShiftWarning, warn
from keras_shiftguard.instrument.undisturbed import same_random_numbers
from keras_shiftguard.profiles.storage import UnreadableFile


class OptionalData:
    """The data of one argument of the guard, with a record of whether reading it failed.

    Args:
        name: Name of the argument, for the warning.
        data: The data that was passed, or None.

    Attributes:
        lost: Whether reading failed in the present fit.
    """

    def __init__(self, name: str, data: Any) -> None:
        self.name = name
        self.data = data
        self.lost = False

    @property
    def is_there(self) -> bool:
        """Whether there is data, and reading it has not failed."""
        return self.data is not None and not self.lost

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Context manager for reading the data: turns a failure into a warning, and sets `lost`.

        Failures are missing storage, damaged files and errors in the user's own data set.
        Data of an unusable type or shape still raises an error, because it is a mistake of
        the caller.
        """
        try:
            with same_random_numbers():
                yield
        except UnreadableFile as error:
            self._lose(str(error))
        except (ShiftGuardError, ShiftWarning):
            raise
        except Exception as error:
            self._lose(repr(error))

    def _lose(self, why: str) -> None:
        self.lost = True
        warn(f"ShiftGuard goes on without `{self.name}`, which cannot be read: {why}")

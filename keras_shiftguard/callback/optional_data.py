"""`OptionalData`: reference or target data; if it cannot be read, a fit goes on without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keras_shiftguard.errors import ShiftGuardError, ShiftWarning, warn
from keras_shiftguard.profiles.storage import UnreadableFile


class OptionalData:
    """The data of one argument. If it cannot be read, the fit goes on without it.

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
        """A context for reading the data: a failure in it becomes a warning and sets `lost`.

        Such failures are missing storage, damaged files and errors of the user's own data
        set. Data of a type or shape that cannot be used still raises an error, because it is
        a mistake of the caller.
        """
        try:
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

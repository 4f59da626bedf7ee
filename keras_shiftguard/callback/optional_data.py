"""Data that the user gave to compare with, for as long as it can be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keras_shiftguard.errors import ShiftGuardError, ShiftWarning, warn
from keras_shiftguard.profiles.storage import UnreadableFile


class Given:
    """One argument that holds data. When it fails, a fit goes on without it.

    Args:
        name: Of the argument.
        data: What was passed; None if nothing was.

    Attributes:
        lost: Whether it failed in the present fit.
    """

    def __init__(self, name: str, data: Any) -> None:
        self.name = name
        self.data = data
        self.lost = False

    @property
    def is_there(self) -> bool:
        """Whether it can be asked for data."""
        return self.data is not None and not self.lost

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While it is read: a storage that is gone, a bug in it or a damaged file is told once.

        What cannot be used by its type or shape is an error of the caller, and raised.
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

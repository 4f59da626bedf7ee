"""`OptionalData`: reference or target data. If reading it fails, the fit goes on without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import keras

from keras_shiftguard.errors import ShiftGuardError, ShiftWarning, no_errors_of_others, warn
from keras_shiftguard.instrument.undisturbed import same_random_numbers
from keras_shiftguard.io.batches import Batch
from keras_shiftguard.io.source import open_source
from keras_shiftguard.profiles.storage import UnreadableFile

# Size of the first batches of a generator, which are kept. A convention.
MAX_KEPT_BYTES = 256 * 2**20


class OptionalData:
    """The data of one argument of the guard, with a record of whether reading it failed.

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

    def whole(self) -> Any:
        """Returns the data for the first reader, which reads all of it.

        A generator can be read only once, so its first batches are kept for the other readers.
        """
        source = self.data
        if not hasattr(source, "__next__"):
            return source
        kept: list[Batch] = []
        self.data = lambda: iter(kept)
        return _keeping(source, kept)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Context manager for reading the data: turns a failure into a warning, and sets `lost`.

        Possible failures are missing storage, damaged files and errors in the user's own data set.
        Data of an unusable type or shape still raises an error, because it is a mistake of the
        caller.
        """
        try:
            with same_random_numbers(), no_errors_of_others():
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


def _keeping(source: Any, kept: list[Batch]) -> Iterator[Batch]:
    """Yields the batches of a generator, and adds the first ones to `kept`."""
    size = 0
    for batch in open_source(source).batches():
        shapes = [getattr(leaf, "shape", ()) for leaf in keras.tree.flatten(batch)]
        size += sum(4 * prod(shape) for shape in shapes)
        if not kept or size <= MAX_KEPT_BYTES:
            kept.append(batch)
        yield batch

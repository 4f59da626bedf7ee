"""Writer of whole files, for everything that this package writes: a file is replaced at once.

Several threads, processes, containers and machines may write the same file. The one that ends last
wins, and nobody ever reads a half-written file. After a crash of the machine the file is the old or
the new one.
"""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from keras_shiftguard.io.file_locks import unlock
from keras_shiftguard.io.temporaries import new_temporary

# Errors of file systems that have no `fsync`; other errors mean that the content may be lost.
NO_FSYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


class FileChanged(OSError):
    """Raised if somebody else has written a file since it was read."""


@contextmanager
def replacing(
    path: str | PathLike[str], expected: os.stat_result | None = None, sync: bool = True
) -> Iterator[BinaryIO]:
    """Context whose file replaces the one at `path`, unless an exception leaves the context.

    The content is written to a temporary file in the same folder. Temporary files that dead
    writers of `path` have left there are removed.

    Args:
        path: The file to write or to replace. A link is replaced, and not what it points to.
        expected: What `status` returned before the old file was read; None to replace any file.
        sync: Whether to wait until the disk has the content. Without it, the file may be
            damaged if the machine crashes.

    Yields:
        The new file, open for writing and reading. It has the permissions of the old one.

    Raises:
        FileChanged: if the file at `path` is not `expected` any more. It then stays as it is.
        OSError: if the file cannot be written; the old file then stays as it is.
    """
    path = Path(path)
    descriptor, temporary = new_temporary(path)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            if sync:
                _sync(descriptor)
            if expected is not None and not is_unchanged(path, expected):
                raise FileChanged(f"{path} was changed while it was being written.")
            if os.name == "nt":  # Windows renames no open file
                file.close()
            os.replace(temporary, path)
            # Until here the lock has kept others from removing the file. Now it is the target.
            unlock(descriptor)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    if sync:
        with suppress(OSError):  # not all systems can open a folder
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def replace_file(path: str | PathLike[str], content: str | bytes, sync: bool = True) -> Path:
    """Writes or replaces a file, see `replacing`; makes its folder. Text is written as UTF-8."""
    path = Path(path)
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, sync=sync) as file:
        file.write(data)
    return path


def status(path: str | PathLike[str]) -> os.stat_result:
    """Returns the status of a file, as it is now and not as a network volume remembers it."""
    with open(path, "rb") as file:  # opening a file asks the server
        return os.fstat(file.fileno())


def is_unchanged(path: str | PathLike[str], expected: os.stat_result, wait: float = 0.0) -> bool:
    """Whether nobody has replaced or written a file in `wait` seconds from now."""
    time.sleep(wait)
    try:
        now = status(path)
    except FileNotFoundError:
        return False
    same_content = (now.st_size, now.st_mtime_ns) == (expected.st_size, expected.st_mtime_ns)
    return same_content and os.path.samestat(now, expected)


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_FSYNC:
            raise

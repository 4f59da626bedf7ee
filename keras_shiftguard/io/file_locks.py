"""Locks on files. The system releases a lock when its process dies, also in another container."""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

fcntl: Any = None
with suppress(ImportError):  # Windows has no such locks
    fcntl = import_module("fcntl")

PATIENCE = 60.0  # seconds after which one goes on without the lock. A convention.


def try_lock(file: int) -> bool | None:
    """Takes the lock of an open file, without waiting.

    Closing the file releases the lock, unless a child process has inherited the file. Two files
    that were opened one by one exclude each other, in one process as well.

    Returns:
        True if the lock was taken, False if somebody else has it, and None if files cannot be
        locked here: on Windows, and on some network volumes.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def unlock(file: int) -> None:
    """Releases the lock of an open file, if one has it.

    Closing the file is not enough: a process that was forked meanwhile has it open as well.
    """
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)


@contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[None]:
    """Context that only one thread of one process at a time is in, for the file at a path.

    The file may be replaced in this context. Where files cannot be locked, or if the lock is not
    free after a minute, the context is entered without it. So what must not be lost has to be
    checked as well, see `replacing(expected=...)`.
    """
    if fcntl is None:
        yield
        return
    file = _open_locked(Path(path), time.monotonic() + PATIENCE)
    try:
        yield
    finally:
        unlock(file)
        os.close(file)


def _open_locked(path: Path, deadline: float) -> int:
    """Returns a descriptor of the file at `path`, with the lock unless that cannot be had."""
    while True:
        try:
            file = os.open(path, os.O_RDWR)  # network volumes lock only what can be written
        except PermissionError:
            file = os.open(path, os.O_RDONLY)
        has_lock = try_lock(file)
        if has_lock is None or time.monotonic() > deadline:
            return file
        try:
            # Whoever had the lock has probably replaced the file. Then the lock is one of the old
            # file, and does not keep anybody from the new one.
            if has_lock and os.path.samestat(os.fstat(file), os.stat(path)):
                return file
        except FileNotFoundError:
            os.close(file)
            raise
        os.close(file)
        if not has_lock:
            time.sleep(random.uniform(0.002, 0.02))

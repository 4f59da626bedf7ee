"""Temporary files beside a target: their names, and the removal of those of dead writers.

A temporary of `model.keras` is `.model.keras.<mark>-<random>.tmp`, in the same folder. Its writer
holds a lock on it until it has replaced the target. The mark names the kernel and the mounted file
system of the writer. A temporary with the mark of one's own whose lock is free has no writer any
more. Of any other one cannot see the lock for sure (another machine on a network volume, a volume
without locks, version 0.2, which took none). It counts as dead an hour after its last change.
"""

import os
import re
import stat
import uuid
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path

from keras_shiftguard.io.file_locks import fcntl, try_lock

# Seconds since the last change of a temporary whose lock cannot be seen. A convention.
MAX_AGE = 3600.0
# What is behind the name of the target. Version 0.2 used the number of the process.
NEW = r"\.{name}\.(?P<mark>[0-9a-f]{{8}})-[0-9a-f]{{12}}\.tmp"
OLD = r"\.\.?{name}\.\d+\.(tmp|profile|profile\.\d+\.tmp)"
# Links are not followed, and a pipe is not waited for. Windows has neither flag. Given by the
# system.
OPEN_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def new_temporary(path: Path) -> tuple[int, Path]:
    """Creates a temporary for a target, and removes those that dead writers have left.

    It has the permissions of the target, or those of a new file if there is no target yet.

    Returns:
        A file descriptor, open for reading and writing, and the path of the temporary.

    Raises:
        OSError: if no file can be created there.
    """
    mark = _mark(path.parent)
    while True:
        random = os.urandom(6).hex()
        temporary = path.with_name(f".{path.name}.{mark}-{random}.tmp")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            file = os.open(temporary, flags, 0o666)
        except FileExistsError:
            continue
        # Somebody who cleans up may have taken the lock first, and then removes the file.
        if try_lock(file) is False or not _has_name(file, temporary):
            os.close(file)
            continue
        with suppress(OSError):
            old = path.lstat()
            if stat.S_ISREG(old.st_mode):
                temporary.chmod(stat.S_IMODE(old.st_mode))
        with suppress(OSError):
            _remove_dead(path, temporary, mark)
        return file, temporary


def _has_name(file: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), path.lstat())
    return False


def _remove_dead(path: Path, own: Path, mark: str) -> None:
    """Removes the temporaries of a target that belong to no living writer."""
    now = own.stat().st_mtime  # by the clock of the file system
    name = re.escape(path.name)
    pattern = re.compile(f"{NEW.format(name=name)}|{OLD.format(name=name)}")
    for each in os.listdir(path.parent):
        found = pattern.fullmatch(each)
        if found and each != own.name:
            with suppress(OSError):  # it may be gone, or belong to another user
                _remove_if_dead(path.with_name(each), found["mark"] == mark, now)


def _remove_if_dead(path: Path, sees_lock: bool, now: float) -> None:
    if fcntl is None:  # Windows does not remove a file that is open
        if now - path.lstat().st_mtime > MAX_AGE:
            path.unlink()
        return
    file = os.open(path, OPEN_FLAGS)
    try:
        has_lock = try_lock(file)
        status = os.fstat(file)
        is_dead = (has_lock and sees_lock) or now - status.st_mtime > MAX_AGE
        if has_lock is not False and is_dead and stat.S_ISREG(status.st_mode):
            path.unlink()
    finally:
        os.close(file)


def _mark(folder: Path) -> str:
    """Returns eight digits for the kernel and the mounted file system of a folder.

    Containers on one machine have the same kernel, and the same device number for a volume that
    they share. All of these see each other's locks.
    """
    return f"{zlib.crc32(f'{_kernel()} {folder.stat().st_dev}'.encode()):08x}"


@cache
def _kernel() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        return str(uuid.getnode())

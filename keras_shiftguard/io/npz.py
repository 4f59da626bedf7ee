"""Arrays from a `.npz` file of a stranger: sizes are checked before memory is taken.

A zip of a few kilobytes can claim, and unpack to, gigabytes. What an archive's
directory and an array's header claim must agree and lie below a limit; only then the
array is made. Nothing is unpickled.
"""

import zipfile
from collections.abc import Collection
from math import prod
from os import PathLike
from typing import IO

import numpy as np

KINDS = "biufU"  # whole and real numbers, and names
MANY = 4096  # members of an archive
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_npz(
    path: str | PathLike[str], most_bytes: int, only: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """Reads the arrays of an archive.

    Args:
        path: The file.
        most_bytes: What the arrays that are read may take in memory, together.
        only: Names to read; those that are not there are left out. None for all.

    Returns:
        The arrays by name.

    Raises:
        ValueError: for what is no such archive, is damaged, or claims too much.
    """
    with zipfile.ZipFile(path) as archive:
        members = {i.filename.removesuffix(".npy"): i for i in archive.infolist()}
        if len(members) > MANY:
            raise ValueError(f"it holds {len(members)} members, more than {MANY}")
        # What NumPy writes. Others may take gigabytes for a dictionary.
        if any(info.compress_type not in COMPRESSIONS for info in members.values()):
            raise ValueError("it is compressed in a way that NumPy does not use")
        wanted = {n: i for n, i in members.items() if only is None or n in only}
        size = sum(info.file_size for info in wanted.values())
        if size > most_bytes:
            raise ValueError(f"it unpacks to {size:,} bytes, more than the limit of {most_bytes:,}")
        arrays = {}
        for name, info in wanted.items():
            with archive.open(info) as member:
                arrays[name] = _read(member, name, info.file_size)
        return arrays


def names_in(path: str | PathLike[str]) -> list[str]:
    """Names of the arrays of an archive; raises as `read_npz` does."""
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def _read(member: IO[bytes], name: str, size: int) -> np.ndarray:
    """The array, unless its header claims another size than the archive's directory does."""
    version = np.lib.format.read_magic(member)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"array {name!r} is of format {version}")
    shape, by_columns, dtype = readers[version](member)
    if dtype.kind not in KINDS:
        raise ValueError(f"array {name!r} is of dtype {dtype}; allow_pickle is off")
    left = size - member.tell()
    if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != left:
        raise ValueError(f"array {name!r} claims the shape {shape}, which its size belies")
    content = bytearray(left)
    if member.readinto(content) != left:  # type: ignore[attr-defined]
        raise ValueError(f"array {name!r} ends too early")
    member.read(1)  # at its end the checksum is compared
    flat = np.frombuffer(content, dtype) if left else np.empty(prod(shape), dtype)
    return flat.reshape(shape, order="F" if by_columns else "C")

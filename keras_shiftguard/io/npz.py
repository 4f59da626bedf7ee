"""Reader of `.npz` files from untrusted sources.

A zip file of a few kilobytes can unpack to gigabytes. So an array is created only if its
size in the zip file's table of contents agrees with its header, and all sizes together are
below a limit. Nothing is unpickled.
"""

import zipfile
from collections.abc import Collection
from math import prod
from os import PathLike
from typing import IO, Any

import numpy as np

DTYPE_KINDS = "biufU"  # booleans, whole numbers, real numbers and texts
# Largest number of arrays in a file, to bound the work on a hostile file. The state of a
# `ShiftGuard` has some 90 arrays for each input of the model. A convention.
MAX_MEMBERS = 32_768
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_npz(
    path: str | PathLike[str] | IO[bytes], max_bytes: int, only: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """Returns the arrays of a `.npz` file by name.

    Args:
        path: The path of the file, or an open binary file.
        max_bytes: The largest size in memory of all arrays that are read.
        only: The names of the arrays to read; names that the file does not have are
            ignored. None reads all arrays.

    Raises:
        ValueError: If the file is too large or damaged, or holds a dtype that is not allowed.
        zipfile.BadZipFile: If the file is not a zip file, or a checksum is wrong.
    """
    with zipfile.ZipFile(path) as archive:
        members = {i.filename.removesuffix(".npy"): i for i in archive.infolist()}
        if len(members) > MAX_MEMBERS:
            raise ValueError(f"it holds {len(members)} arrays, more than {MAX_MEMBERS}")
        # Compressions that NumPy does not use, such as LZMA, can need gigabytes for a dictionary.
        if any(info.compress_type not in COMPRESSIONS for info in members.values()):
            raise ValueError("it is compressed in a way that NumPy does not use")
        chosen = {n: i for n, i in members.items() if only is None or n in only}
        size = sum(info.file_size for info in chosen.values())
        if size > max_bytes:
            raise ValueError(f"it unpacks to {size:,} bytes, more than the limit of {max_bytes:,}")
        arrays = {}
        for name, info in chosen.items():
            with archive.open(info) as member:
                arrays[name] = _read(member, name, info.file_size)
        return arrays


def names_in(path: str | PathLike[str]) -> list[str]:
    """Returns the names of the arrays of a `.npz` file."""
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def shape_in(path: str | PathLike[str], name: str) -> tuple[int, ...]:
    """Returns the shape of an array of a `.npz` file, without reading the array."""
    with zipfile.ZipFile(path) as archive:
        members = {i.filename.removesuffix(".npy"): i for i in archive.infolist()}
        with archive.open(members[name]) as member:
            return _header(member, name)[0]


def _header(member: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Reads the shape of an array, whether it is stored by column, and its dtype."""
    version = np.lib.format.read_magic(member)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"array {name!r} is of format {version}")
    return readers[version](member)


def _read(member: IO[bytes], name: str, size: int) -> np.ndarray:
    """Reads one array, if its header agrees with its `size` in bytes in the table of contents."""
    shape, fortran_order, dtype = _header(member, name)
    if dtype.kind not in DTYPE_KINDS:
        raise ValueError(f"array {name!r} is of dtype {dtype}; allow_pickle is off")
    content_size = size - member.tell()
    if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != content_size:
        raise ValueError(f"array {name!r} has shape {shape}, which does not match its size")
    content = bytearray(content_size)
    if member.readinto(content) != content_size:  # type: ignore[attr-defined]
        raise ValueError(f"array {name!r} ends too early")
    member.read(1)  # reading at the end makes zipfile compare the checksum
    flat = np.frombuffer(content, dtype) if content_size else np.empty(prod(shape), dtype)
    return flat.reshape(shape, order="F" if fortran_order else "C")

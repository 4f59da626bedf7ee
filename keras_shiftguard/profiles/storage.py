"""The file format of profiles: one compressed `.npz`, versioned, without pickle.

A tree of dataclasses is stored as a JSON header (types and plain values) and one array for
each array in the tree. Fields that a file lacks get their defaults, so that older files stay
readable when a summary gets a new field.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from math import prod
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.io.atomic_files import replacing
from keras_shiftguard.io.npz import read_npz
from keras_shiftguard.profiles.checks import CHECKS, check_summary
from keras_shiftguard.terminal import shown

SCHEMA_VERSION = 2  # 1 was never released. Given by this format.
TYPES = {kind.__name__: kind for kind in CHECKS}
# Largest total size of the arrays in memory. One input takes a few hundred kilobytes to a few
# megabytes. A convention.
MAX_BYTES = 256 * 2**20
# Largest size of the JSON header; parsing it takes 20 times as much memory. A convention.
MAX_HEADER_BYTES = 8 * 2**20
MAX_PARTS = 500_000  # parts of the tree in the header; an input takes about 200. A convention.
# In the header, a list that begins with one of these texts refers to an array, or to one half of an
# array of symmetric matrices.
ARRAY, TRIANGLE = "=array", "=triangle"


class UnreadableFile(BadInputError):
    """Raised for a file that is damaged or that is not a profile."""


class _UnknownPart(Exception):
    """Raised for a part of a tree that this version does not know, but a newer one may."""


def write(path: str | PathLike[str], tree: Mapping[str, Any]) -> None:
    """Writes a tree to a file, atomically.

    The tree maps names to summaries, arrays, plain values, and mappings or sequences of these.
    """
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(
            f"There is no directory {shown(Path(path).parent)} to save {shown(Path(path).name)} "
            "in: make it."
        )
    with replacing(path) as file:
        dump(file, tree)


def dump(file: IO[bytes], tree: Mapping[str, Any]) -> None:
    """Writes a tree to an open file, see `write`."""
    packing = _Packing()
    header = {"schema_version": SCHEMA_VERSION, "profile": packing.pack(tree)}
    arrays = packing.arrays
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype="uint8")
    np.savez_compressed(file, allow_pickle=False, **arrays)


def read(path: str | PathLike[str], file: IO[bytes] | None = None) -> dict[str, Any]:
    """Reads a tree that `write` wrote; sequences come back as tuples.

    Args:
        path: Path of the file.
        file: Open file to read instead, if the content is only a part of the file at `path`.

    Raises:
        UnreadableFile: if the file is damaged, or is not a profile.
        BadInputError: if the file has another schema version, or parts of a newer version.
        FileNotFoundError: if there is no such file.
    """
    try:
        arrays = read_npz(path if file is None else file, MAX_BYTES)
        if arrays["header"].nbytes > MAX_HEADER_BYTES:
            raise ValueError(f"its header is larger than {MAX_HEADER_BYTES:,} bytes")
        header = json.loads(arrays["header"].tobytes())
        version = header["schema_version"]
        if type(version) is not int:  # True is an int as well
            raise ValueError(f"schema_version={str(version)[:60]!r} is not a whole number")
    except FileNotFoundError:
        raise
    except Exception as error:
        raise UnreadableFile(f"{path} is not a readable profile ({error}).") from error
    if version != SCHEMA_VERSION:
        newer = version > SCHEMA_VERSION
        age = "a newer" if newer else "an older"
        way_out = "Upgrade, or write it again." if newer else "Write it again."
        raise BadInputError(
            f"{path} was written by {age} keras_shiftguard (schema {version}; this version reads "
            f"schema {SCHEMA_VERSION}). {way_out}"
        )
    try:
        tree: Any = _Unpacking(arrays).unpack(header["profile"])
        if not isinstance(tree, dict):
            kind = type(tree).__name__
            raise TypeError(f"its content is a {kind}, not a mapping of names to values")
        return tree
    except _UnknownPart as error:
        raise BadInputError(
            f"{path} was written by a newer keras_shiftguard ({error}). Upgrade, or write it again."
        ) from error
    except Exception as error:
        raise UnreadableFile(f"{path} is a damaged profile ({error!r}).") from error


class _Packing:
    """Converts a tree to a JSON header and arrays; an array that occurs twice is stored once."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._stored: dict[int, list[Any]] = {}  # reference to each stored array, by its `id`

    def pack(self, value: Any, key: str = "") -> Any:
        """Returns plain values for the header, with references to `arrays`.

        The path of a part in the tree, such as `"/inputs/image/minimum"`, is the name under which
        its array is stored.
        """
        if is_dataclass(value):
            parts = {item.name: getattr(value, item.name) for item in fields(value)}
            # Earlier versions do not know the names of columns, and read a file without them.
            parts = {name: part for name, part in parts.items() if (name, part) != ("columns", ())}
            members = {name: self.pack(part, f"{key}/{name}") for name, part in parts.items()}
            return {"=type": type(value).__name__, **members}
        if isinstance(value, Mapping):
            return {name: self.pack(item, f"{key}/{name}") for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.pack(item, f"{key}/{i}") for i, item in enumerate(value)]
        if isinstance(value, np.ndarray):
            return self._stored.get(id(value)) or self._put(value, key)
        return value.item() if isinstance(value, np.generic) else value

    def _put(self, array: np.ndarray, key: str) -> list[Any]:
        """Stores an array; returns the reference to it."""
        place = key
        while place in self.arrays:  # inputs named "image" and "image/features" share a path
            place += "+"
        if key.endswith("/comoment"):
            # A co-moment matrix is symmetric and need not be exact, so only one half of it is
            # stored, in single precision.
            side = array.shape[-1]
            rows, columns = np.triu_indices(side)
            self.arrays[place] = array[..., rows, columns].astype("float32")
            reference: list[Any] = [TRIANGLE, side]
        else:
            self.arrays[place] = array
            reference = [ARRAY]
        self._stored[id(array)] = [*reference, place]
        return reference if place == key else [*reference, place]


class _Unpacking:
    """Converts a JSON header and arrays to a tree; each array is unpacked only once."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self._arrays = arrays
        self._full: dict[str, np.ndarray] = {}  # symmetric matrices that were unpacked, by key
        self._bytes = 0  # size of the unpacked matrices
        self._parts = 0  # number of parts of the tree so far

    def unpack(self, value: Any, key: str = "") -> Any:
        """Returns the tree of a header, after checking every summary in it."""
        if isinstance(value, (dict, list)):
            self._parts += len(value)
            if self._parts > MAX_PARTS:
                raise ValueError(f"its header has more than {MAX_PARTS:,} parts")
        if isinstance(value, dict):
            members = {
                name: self.unpack(item, f"{key}/{name}")
                for name, item in value.items()
                if name != "=type"
            }
            if "=type" not in value:
                return members
            kind: Any = TYPES[value["=type"]]
            if unknown := members.keys() - {each.name for each in fields(kind)}:
                part = f"{key}/{min(unknown)}"[:80]
                raise _UnknownPart(f"it has {part!r}, which this version does not know")
            summary = kind(**members)
            try:
                check_summary(summary)
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from error
            return summary
        if isinstance(value, list):
            if value[:1] == [ARRAY]:
                return self._arrays[value[1] if len(value) > 1 else key]
            if value[:1] == [TRIANGLE]:
                return self._symmetric(value[2] if len(value) > 2 else key, value[1])
            return tuple(self.unpack(item, f"{key}/{i}") for i, item in enumerate(value))
        return value

    def _symmetric(self, key: str, side: int) -> np.ndarray:
        """Returns symmetric matrices of `side` rows from their stored halves."""
        if key in self._full:
            return self._full[key]
        half = self._arrays[key]
        if half.shape[-1] != side * (side + 1) // 2:
            raise ValueError(f"{key} is not one half of a matrix of {side} rows")
        shape = (*half.shape[:-1], side, side)
        self._bytes += 8 * prod(shape)
        if self._bytes > MAX_BYTES:
            raise ValueError(f"it unpacks to more than the limit of {MAX_BYTES:,} bytes")
        rows, columns = np.triu_indices(side)
        full = self._full[key] = np.zeros(shape)
        full[..., rows, columns] = full[..., columns, rows] = half
        return full

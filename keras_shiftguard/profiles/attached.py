"""Profiles attached to saved models: a member of a `.keras` file, or a file of a SavedModel.

A `.keras` file is a zip archive, and Keras reads only the members that it knows. So the file
loads without this package.
"""

import io
import json
import random
import shutil
import time
import zipfile
import zlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.io.atomic_files import FileChanged, is_unchanged, replacing, status
from keras_shiftguard.io.file_locks import locked
from keras_shiftguard.io.npz import COMPRESSIONS
from keras_shiftguard.profiles import storage

MEMBER = "keras_shiftguard/train.profile"  # name of the member in a .keras file
FILE = Path("assets.extra") / "keras_shiftguard.profile"  # path in a SavedModel
CORRECTED = "_corrected"  # end of the name of a model that corrects its input
OF_KERAS = ("config.json", "metadata.json")  # members by which a .keras file is recognized
MAX_TRIES = 100  # how often a file is read again that somebody else writes meanwhile. A convention.
PAUSE = 0.1  # seconds in which a file changes that somebody is writing. A convention.
CHUNK = 2**20  # bytes of a model that are in memory while it is copied. A convention.


def is_model(path: str | PathLike[str]) -> bool:
    """Whether the path is that of a `.keras` file or of a SavedModel."""
    path = Path(path)
    if path.is_dir():
        return (path / "saved_model.pb").is_file()
    return set(OF_KERAS) <= _members(path)


def has_profile(path: str | PathLike[str]) -> bool:
    """Whether a profile is attached to the model at `path`."""
    path = Path(path)
    if not is_model(path):
        return False
    if path.is_dir():
        return (path / FILE).is_file()
    return MEMBER in _members(path)


def is_corrected(path: str | PathLike[str]) -> bool:
    """Whether a `.keras` file holds the model of `Diagnosis.apply`, which corrects its input."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = json.loads(archive.read("config.json"))["config"]["name"]
    except Exception:  # a SavedModel, or a damaged file
        return False
    return str(name).endswith(CORRECTED)


def _members(path: Path) -> set[str]:
    """Returns the names of the members of a zip file; none if it is damaged or no zip file."""
    if not zipfile.is_zipfile(path):
        return set()
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist())
    except Exception:  # BadZipFile and others: damaged files raise many types
        return set()


def attach(path: str | PathLike[str], tree: Mapping[str, Any]) -> None:
    """Attaches the tree of a profile to a saved model, atomically.

    Several threads, processes and machines may attach to one model, and Keras may save the model
    meanwhile: the file is read again if it has changed by the time it would be replaced. One case
    stays open, because Keras takes no lock and writes into the old file. If Keras begins to save
    in the microseconds between the last look and the replacement, the file has the weights of the
    earlier save, with the profile.

    Raises:
        BadInputError: if `path` is no saved model, or a damaged one.
        OSError: if the file cannot be written; the old file then stays intact.
    """
    path = Path(path)
    if path.is_dir() and is_model(path):
        (path / FILE).parent.mkdir(exist_ok=True)
        storage.write(path / FILE, tree)
        return
    profile = io.BytesIO()
    storage.dump(profile, tree)
    # Resolved, so that the file is replaced, and not a symbolic link to it.
    for _ in range(MAX_TRIES):
        try:
            _attach(path, path.resolve(), profile.getbuffer())
            return
        except FileChanged as error:
            changed = error
            time.sleep(random.uniform(0, PAUSE))
    raise changed


def _attach(path: Path, target: Path, profile: memoryview) -> None:
    """Writes the `.keras` file `target` again, unless somebody else has written it meanwhile."""
    seen = status(target) if target.is_file() else None
    try:
        if seen is None or not is_model(target):
            found = "is no saved model" if path.exists() else "does not exist"
            raise BadInputError(
                "A profile is attached to a .keras file or the directory of a SavedModel. "
                f"Received: {str(path)!r}, which {found}."
            )
        with locked(target):
            seen = status(target)
            with replacing(target, expected=seen) as copy:
                _copy_without_profile(target, copy)
                with zipfile.ZipFile(copy, "a") as archive:
                    if not set(OF_KERAS) <= set(archive.namelist()):
                        raise zipfile.BadZipFile("it ends in the middle")
                    archive.writestr(MEMBER, profile)
    except (BadInputError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        # A file that Keras is just writing looks damaged.
        if seen is not None and not is_unchanged(target, seen, PAUSE):
            raise FileChanged(f"{path} is being written all the time.") from error
        if isinstance(error, BadInputError):
            raise
        raise BadInputError(f"{path} is a damaged model file ({error}).") from error


def read(path: str | PathLike[str]) -> dict[str, Any]:
    """Reads the tree of the profile that is attached to a saved model."""
    path = Path(path)
    if not has_profile(path):
        raise BadInputError(
            f"No profile is attached to {path}. Attach one with "
            'keras_shiftguard.profile(training_data).attach("model.keras").'
        )
    if path.is_dir():
        return storage.read(path / FILE)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(MEMBER)
        # A small archive can unpack to gigabytes.
        if info.file_size > storage.MAX_BYTES or info.compress_type not in COMPRESSIONS:
            raise storage.UnreadableFile(f"The profile attached to {path} is too large to read.")
        try:
            content = archive.read(info)
        except Exception as error:
            raise storage.UnreadableFile(
                f"The profile attached to {path} cannot be read ({error})."
            ) from error
    return storage.read(path, io.BytesIO(content))


def _copy_without_profile(path: Path, copy: BinaryIO) -> None:
    """Copies a `.keras` file without the profile that is attached to it, if there is one."""
    if not has_profile(path):
        with path.open("rb") as source:
            shutil.copyfileobj(source, copy, CHUNK)
        return
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for info in old.infolist():
            if info.filename == MEMBER:
                continue
            with old.open(info) as member, new.open(info, "w", force_zip64=True) as target:
                shutil.copyfileobj(member, target, CHUNK)

"""State files of a `ShiftGuard`, one for each epoch, from which an interrupted fit is resumed.

A resumed fit repeats the epoch in which the fit was killed. If the weights at the end of the
previous epoch were not saved yet, the resumed fit repeats that epoch as well. So the last two state
files are retained, and the resumed fit reads the file for its first epoch.
"""

import math
import re
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any

from keras_shiftguard.errors import BadInputError, warn
from keras_shiftguard.profiles import storage

NUM_RETAINED = 2  # number of state files that are kept. A convention.
# States of version 0.2 have no number. It grows whenever an older state can no longer be read.
STATE_FORMAT = 3  # Given by this format.
FILE_NAME = re.compile(r"guard-state-(\d+)\.npz")


class OtherFormatError(BadInputError):
    """Raised for a state file of another version."""


def write_state(path: str | PathLike[str], state: dict[str, Any]) -> None:
    """Writes a state file. A concurrent reader sees the complete old or the complete new file."""
    storage.write(path, {"guard_state": state, "format": STATE_FORMAT})


def read_state(path: str | PathLike[str]) -> dict[str, Any]:
    """Reads a state file."""
    tree = storage.read(path)
    if not isinstance(tree.get("guard_state"), dict):
        raise BadInputError(f"{path} is not the state of a ShiftGuard. It holds {sorted(tree)}.")
    if tree.get("format") != STATE_FORMAT:
        raise OtherFormatError(
            f"{path} was written by another version of keras_shiftguard, whose state this version "
            "cannot read. Go on with that version, or without the state."
        )
    state: dict[str, Any] = tree["guard_state"]
    return state


def write_epoch_state(
    log_dir: str | PathLike[str], epoch: int, state: dict[str, Any], since: float = math.inf
) -> None:
    """Writes the state at the start of an epoch, and deletes the files that are not retained.

    Files of other epochs that are later than `since`, when the fit began, are those of another
    guard in the same directory, and are kept.
    """
    directory = Path(log_dir)
    write_state(directory / f"guard-state-{epoch}.npz", state)
    for path in directory.iterdir():
        found = FILE_NAME.fullmatch(path.name)
        if found is None or epoch - NUM_RETAINED < int(found[1]) <= epoch:
            continue
        with suppress(FileNotFoundError):  # another guard may delete it as well
            # Files of later epochs belong to an earlier fit in the same directory.
            if int(found[1]) == epoch - NUM_RETAINED or path.stat().st_mtime < since:
                path.unlink()


def read_epoch_state(log_dir: str | PathLike[str], epoch: int) -> dict[str, Any] | None:
    """Returns the state of an epoch, or else, with a warning, that of the epoch before.

    The state of the epoch itself is missing if the guard runs after the callback that
    saves the weights, and the fit was killed between these two callbacks. Returns None if
    neither state can be read, with a warning if a file is damaged.
    """
    problem = "is missing"
    for number in range(epoch, max(epoch - NUM_RETAINED, 0), -1):
        path = Path(log_dir) / f"guard-state-{number}.npz"
        if not path.exists():
            continue
        try:
            state = read_state(path)
        except BadInputError as error:
            is_other = isinstance(error, OtherFormatError)
            problem = "is of another version of keras_shiftguard" if is_other else "is damaged"
            continue
        if number < epoch:
            warn(
                f"ShiftGuard's state for epoch {epoch + 1} {problem}, so it goes on with the one "
                f"for epoch {number + 1}. Put the guard before the callback that saves weights."
            )
        return state
    if problem != "is missing":
        warn(f"ShiftGuard's state for epoch {epoch + 1} {problem}, so it begins anew.")
    return None

"""What a guard knows after an epoch, on disk: for a fit that was interrupted and goes on.

Keras repeats the epoch in which a fit was killed. Whether it still saved the weights of
the epoch before is a matter of milliseconds, so the last two states are kept, and the one
for the epoch that training really goes on with is taken.
"""

import re
from os import PathLike
from pathlib import Path
from typing import Any

from keras_shiftguard.errors import BadInputError, warn
from keras_shiftguard.profiles import storage

KEPT = 2
NAME = re.compile(r"guard-state-(\d+)\.npz")


def write_state(path: str | PathLike[str], state: dict[str, Any]) -> None:
    """Writes a state; a reader sees the file that was there, or the new one."""
    storage.write(path, {"guard_state": state})


def read_state(path: str | PathLike[str]) -> dict[str, Any]:
    """Reads what `write_state` wrote.

    Raises:
        BadInputError: for a damaged file, or one that is no state.
    """
    tree = storage.read(path)
    if not isinstance(tree.get("guard_state"), dict):
        raise BadInputError(f"{path} is not the state of a ShiftGuard. It holds {sorted(tree)}.")
    state: dict[str, Any] = tree["guard_state"]
    return state


def keep_state(log_dir: str | PathLike[str], epoch: int, state: dict[str, Any]) -> None:
    """Writes the state with which epoch number `epoch` (from 0) begins, and drops old ones."""
    directory = Path(log_dir)
    write_state(directory / f"guard-state-{epoch}.npz", state)
    kept = {int(found[1]): p for p in directory.iterdir() if (found := NAME.fullmatch(p.name))}
    for number in sorted(kept):
        # Later ones are of a run that went further, and was begun anew.
        if number > epoch or number <= epoch - KEPT:
            kept[number].unlink(missing_ok=True)


def kept_state(log_dir: str | PathLike[str], epoch: int) -> dict[str, Any] | None:
    """The state for that epoch, or with a warning the one before it; None if there is none.

    A callback before the guard may save the weights of an epoch, and the fit be killed
    before the guard keeps what it knows of it.
    """
    problem = "was not kept"
    for number in range(epoch, max(epoch - KEPT, 0), -1):
        path = Path(log_dir) / f"guard-state-{number}.npz"
        if not path.exists():
            continue
        try:
            state = read_state(path)
        except BadInputError:
            problem = "is damaged"
            continue
        if number < epoch:
            warn(
                f"ShiftGuard's state for epoch {epoch + 1} {problem}: it goes on with that for "
                f"epoch {number + 1}. Put the guard before the callback that saves the weights."
            )
        return state
    if problem == "is damaged":
        warn(f"ShiftGuard's state for epoch {epoch + 1} is damaged: it begins anew.")
    return None

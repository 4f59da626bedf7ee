"""The answers to `/pictures` and `/picture`: images that `ShiftGuard(log_samples=...)` writes.

A request names a picture by numbers, and the path of the picture is made from these numbers. So no
path comes from a request or from a log. A file is read only if it lies inside TensorBoard's log
directory after all links are followed.
"""

from typing import Any

from tensorboard_plugin_shiftguard import checks
from tensorboard_plugin_shiftguard.answers import NotHere, Unreadable
from tensorboard_plugin_shiftguard.checks import Check, items, name, number, record, whole
from tensorboard_plugin_shiftguard.metadata import (
    MAX_PICTURE_BYTES,
    MAX_PICTURE_EPOCHS,
    MAX_PICTURE_LIST_BYTES,
    MAX_PICTURE_ROWS,
    MAX_PICTURES,
    PICTURE_FILE,
    PICTURE_LIST,
    PICTURE_SCHEMA,
    PICTURES,
)
from tensorboard_plugin_shiftguard.run_log import RunReader

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PROBLEM = f"{PICTURES}/{PICTURE_LIST}"  # path of the list of pictures, and its name in problems


def _in_place(check: Check, max_items: int) -> Check:
    """Returns a check for a list. Bad items are dropped; others get their index as `"place"`."""

    def checked(value: Any) -> list[Any]:
        found = map(check, value[:max_items] if isinstance(value, list) else [])
        return [{"place": place, **item} for place, item in enumerate(found) if item]

    return checked


# The checks of a picture, a row and an epoch.
_PICTURE = record(label=whole, distance=number)
_ROW = record(
    stream=name,
    input=name,
    what=checks.one_of("fed", "corrected", "repaired", "unusual"),
    pictures=_in_place(_PICTURE, MAX_PICTURES),
)
_EPOCH = record(epoch=whole, rows=_in_place(_ROW, MAX_PICTURE_ROWS))


def pictures(run: RunReader) -> dict[str, Any]:
    """Returns the lists of a run's pictures, one for each of the latest epochs with pictures.

    The oldest epoch comes first.

    Each item of `"epochs"` has the `"epoch"`, counted from 1, and its `"rows"`. A row has its
    `"place"`, `"stream"`, `"input"`, `"what"` and `"pictures"`. A picture has its `"place"`, and a
    `"label"` and a `"distance"`, which may be None.
    """
    return {"epochs": epochs_of(run), "problems": run.problems}


def picture(run: RunReader, epoch: int, row: int, number: int) -> bytes:
    """Returns one picture as a PNG file.

    The epoch is counted from 1. `row` is the place of the picture's row in the list of the epoch,
    and `number` is the place of the picture in the row.

    Raises:
        NotHere: If there is no such picture inside of TensorBoard's log directory.
        Unreadable: If the file is not a PNG file, or is too large.
    """
    file = f"{PICTURES}/{PICTURE_FILE.format(epoch=epoch, row=row, number=number)}"
    try:
        content = _read(run, file, MAX_PICTURE_BYTES)
    except Unreadable as error:
        raise Unreadable(f"This picture {error}.") from error
    if content is None:
        raise NotHere("There is no such picture: the guard keeps those of the last epochs only.")
    if not content.startswith(PNG_SIGNATURE):
        raise Unreadable("This file is no picture.")
    return content


def epochs_of(run: RunReader) -> list[dict[str, Any]]:
    """Returns the checked lists of the latest epochs with pictures, by epoch; may be empty."""
    try:
        content = _read(run, PROBLEM, MAX_PICTURE_LIST_BYTES)
        if content is None:
            return []
        looks = checks.versioned(content, PICTURE_SCHEMA, MAX_PICTURE_LIST_BYTES).get("looks")
    except Unreadable as error:
        run.add_problem(PROBLEM, str(error))
        return []
    shown = [each for each in items(_EPOCH, 1000)(looks) if each["epoch"] and each["rows"]]
    return sorted(shown, key=lambda each: each["epoch"])[-MAX_PICTURE_EPOCHS:]


def _read(run: RunReader, file: str, max_bytes: int) -> bytes | None:
    """Returns the content of a file of a run.

    Returns None if the file does not exist, cannot be read or is outside of the log directory.

    Raises:
        Unreadable: If the file is larger than `max_bytes`. The message is a predicate about the
            file.
    """
    if run.folder is None:
        return None
    root, path = run.folder
    try:
        path = (path / file).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            return None
        with path.open("rb") as opened:
            content = opened.read(max_bytes + 1)
    except (OSError, ValueError):
        return None
    if len(content) > max_bytes:
        raise Unreadable(f"is larger than {max_bytes:,} bytes")
    return content

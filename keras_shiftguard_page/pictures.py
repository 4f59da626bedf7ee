"""The section with pictures: small versions of some images of each stream.

`keras_shiftguard.log.pictures` writes the pictures as PNG files, and a file `index.json` that lists
them. This list has an entry for each of the last comparisons of the streams. The section shows one
entry: the argument `pictures` of `about_pictures`. The page embeds the PNG files.
"""

import base64
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from keras_shiftguard_page.content import Section
from keras_shiftguard_page.words import number, stream

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_BYTES = 270_000  # size of all PNG files of a page
WORDS = {
    "fed": "as fed",
    "corrected": "corrected, as the model sees them",
    "repaired": "the same with the repair",
    "unusual": "the most unusual, the farthest first",
}


class Picture(NamedTuple):
    """One picture."""

    data: str
    alt: str
    below: str


class Row(NamedTuple):
    """Pictures side by side, under their title."""

    title: str
    pictures: list[Picture]


def about_pictures(pictures: Mapping[str, Any], folder: Path | None) -> list[Section]:
    """Returns a list with the section; an empty list if there is no folder or no picture."""
    if folder is None:
        return []
    budget = MAX_BYTES // max(len(pictures["rows"]), 1)
    rows = [row for each in pictures["rows"] if (row := _row(each, folder, budget)).pictures]
    if not rows:
        return []
    title = f"What the model saw in epoch {int(pictures['epoch'])}"
    note = "images of your data: check whom they show before you share this page"
    return [Section(title, note, pictures=tuple(rows))]


def _row(row: Mapping[str, Any], folder: Path, budget: int) -> Row:
    """Returns the pictures of a row, as many as fit into `budget` bytes."""
    name = stream(row["stream"])
    found: list[Picture] = []
    for each in row["pictures"]:
        content = _read(folder, each["file"])
        if content is None:
            continue
        budget -= len(content)
        if budget < 0:
            break
        below = "" if each["label"] is None else f"class {each['label']}"
        if each["distance"] is not None:
            below = f"{below} · {number(each['distance'])}".removeprefix(" · ")
        data = base64.b64encode(content).decode("ascii")
        found.append(Picture(data, f"{name}, image {len(found) + 1}", below))
    return Row(f"{name}: {WORDS.get(row['what'], row['what'])}", found)


def _read(folder: Path, file: str) -> bytes | None:
    """Returns the bytes of a PNG file inside a folder; None if there is no such usable file."""
    inside = PurePosixPath(file)
    if inside.is_absolute() or inside.suffix != ".png":
        return None
    try:
        path = (folder / inside).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            return None
        if path.stat().st_size > MAX_BYTES:
            return None
        content = path.read_bytes()
    except (OSError, RuntimeError, ValueError):  # no permission, a circle of links, an odd name
        return None
    return content if content.startswith(SIGNATURE) else None

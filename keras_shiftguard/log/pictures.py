"""`PictureLog`: small pictures of the images of each stream, in the log directory.

A look is one comparison of the streams. `<log_dir>/shiftguard/samples` has a folder for each of
the last looks, with a PNG file for each image, and `index.json`, which lists the files:

    {"v": 1, "looks": [{"epoch": 3, "rows": [
        {"stream": "validation", "input": "images", "what": "fed", "range": [0.0, 255.0],
         "pictures": [{"file": "shiftguard/samples/epoch-3/0-0.png", "label": 4,
                       "distance": null}]}]}]}

`what` is `"fed"`, `"corrected"`, `"repaired"` (with the repair of a finding) or `"unusual"`.
`range` has the values that are drawn black and white. `distance` is how unusual an image is. `file`
is a path relative to `log_dir`.
"""

import math
import shutil
from collections.abc import Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_shiftguard.conventions import MIN_SPAN
from keras_shiftguard.io.atomic_files import replace_file
from keras_shiftguard.io.json_files import write_json
from keras_shiftguard.io.png import png
from tensorboard_plugin_shiftguard.metadata import (
    PICTURE_FILE,
    PICTURE_LIST,
    PICTURE_SCHEMA,
    PICTURES,
    RUN_NAME,
)

# Folders of pictures by kind of run. The Shift tab shows only the pictures of a fit.
FOLDERS = {
    "train": f"{RUN_NAME}/{PICTURES}",
    "validation": f"{RUN_NAME}/{PICTURES}-evaluation",
    "prediction": f"{RUN_NAME}/{PICTURES}-prediction",
}
MAX_LOOKS = 3  # number of looks whose pictures are kept. A convention.
MAX_TRIES = 5  # how often a look is written that another guard deletes meanwhile. A convention.
# Largest side of a picture in pixels; larger images are reduced by averaging. A convention.
MAX_SIDE = 64
# Usual ranges of the values of images. Given by the modes of `preprocess_input`.
RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
# Images have a usual range if their values span at least the share MIN_SPAN of it, and exceed
# either end by at most the share SLACK. A convention.
SLACK = 0.02


class PictureRow(NamedTuple):
    """Images of one input of one stream.

    Args:
        stream: Name of the stream.
        input: Name of the input.
        what: `"fed"`, `"corrected"`, `"repaired"` or `"unusual"`.
        images: `(images, height, width, channels)`, as the model is given them.
        labels: Class ids, `(images,)`; -1 if unknown.
        distances: How unusual each image is, `(images,)`; None if the images were not chosen
            for being unusual.
        is_corrected: Whether the images are corrected.
    """

    stream: str
    input: str
    what: str
    images: np.ndarray
    labels: np.ndarray
    distances: np.ndarray | None = None
    is_corrected: bool = False


class PictureLog:
    """Writes pictures at each look, and deletes all but those of the last `MAX_LOOKS` looks.

    The range of values from black to white is chosen from the first images of an input, and kept
    for all streams and looks. So a stream with darker images looks darker. Corrected images have a
    range of their own.

    Args:
        log_dir: The log directory.
        kind: `"train"` for a fit, `"validation"` for an evaluation, else `"prediction"`.
        since: The time at which the run began. Later pictures of other looks are those of another
            guard in the same directory, and are kept.
    """

    def __init__(
        self, log_dir: str | PathLike[str], kind: str = "train", since: float = math.inf
    ) -> None:
        self._log_dir = Path(log_dir)
        self._since = since
        self._own: set[str] = set()  # names of the folders that were written
        self._folder = FOLDERS[kind]
        self._looks: list[dict[str, Any]] = []
        self._ranges: dict[tuple[str, bool], tuple[float, float]] = {}

    def write(self, epoch: int, rows: Sequence[PictureRow]) -> dict[str, Any]:
        """Writes the pictures of a look; returns its entry in the index."""
        for _ in range(MAX_TRIES - 1):
            with suppress(FileNotFoundError):  # another guard has deleted the folder
                return self._write(epoch, rows)
        return self._write(epoch, rows)

    def _write(self, epoch: int, rows: Sequence[PictureRow]) -> dict[str, Any]:
        folder = self._log_dir / self._folder
        name = f"epoch-{epoch}"
        self._delete(folder / name)
        self._own.add(name)
        entries = []
        for number, row in enumerate(rows):
            key = (row.input, row.is_corrected)
            low, high = self._ranges.setdefault(key, range_of(row.images))
            pictures = []
            for i, image in enumerate(row.images):
                place = PICTURE_FILE.format(epoch=epoch, row=number, number=i)
                file = f"{self._folder}/{place}"
                picture = png(as_picture(image, low, high))
                replace_file(self._log_dir / file, picture, sync=False)
                label = int(row.labels[i])
                distance = None if row.distances is None else round(float(row.distances[i]), 2)
                pictures.append(
                    {"file": file, "label": None if label < 0 else label, "distance": distance}
                )
            entries.append(
                {
                    "stream": row.stream,
                    "input": row.input,
                    "what": row.what,
                    "range": [low, high],
                    "pictures": pictures,
                }
            )
        look = {"epoch": epoch, "rows": entries}
        self._looks = [*(each for each in self._looks if each["epoch"] < epoch), look][-MAX_LOOKS:]
        write_json(folder, PICTURE_LIST, {"v": PICTURE_SCHEMA, "looks": self._looks})
        kept = {f"epoch-{each['epoch']}" for each in self._looks}
        for other in folder.glob("epoch-*"):
            if other.name not in kept:
                self._delete(other)
        return look

    def _delete(self, folder: Path) -> None:
        """Deletes the pictures of a look, unless another guard wrote them during this run."""
        with suppress(FileNotFoundError):
            if folder.name in self._own or folder.stat().st_mtime < self._since:
                shutil.rmtree(folder, ignore_errors=True)


def as_picture(image: np.ndarray, low: float, high: float) -> np.ndarray:
    """Returns an image as a picture, `(height, width, 1 or 3)` uint8, with sides up to `MAX_SIDE`.

    Args:
        image: `(height, width, channels)`. The first three channels are shown, or only the
            first if there are fewer than three.
        low: The value that becomes black.
        high: The value that becomes white.
    """
    channels = 3 if image.shape[-1] >= 3 else 1
    x = np.asarray(image[..., :channels], "float32")
    step = -(-max(x.shape[:2]) // MAX_SIDE)
    height, width = (max(side // step, 1) for side in x.shape[:2])
    x = x[: height * step, : width * step]
    if step > 1:
        rows, columns = x.shape[0] // height, x.shape[1] // width
        x = x.reshape(height, rows, width, columns, channels).mean(axis=(1, 3))
    levels = np.nan_to_num((x - low) / (high - low) * 255, posinf=255, neginf=0)
    return np.clip(levels, 0, 255).round().astype("uint8")


def range_of(images: np.ndarray) -> tuple[float, float]:
    """Returns the values that become black and white: a usual range, or else the images' own."""
    finite = images[np.isfinite(images)]
    if not finite.size:
        return RANGES[0]
    low, high = (float(value) for value in np.quantile(finite, (0.001, 0.999)))
    for start, end in RANGES:
        span = end - start
        is_inside = low >= start - SLACK * span and high <= end + SLACK * span
        if is_inside and high - low >= MIN_SPAN * span:
            return start, end
    return low, high if high > low else low + 1.0

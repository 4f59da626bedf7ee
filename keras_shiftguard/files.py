"""Images and arrays on disk, read for the command line. NumPy and Pillow only."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from keras_shiftguard.errors import BadInputError, ShiftWarning

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
ARRAY_SUFFIXES = (".npy", ".npz")

Item = TypeVar("Item")


def read_images(
    path: Path,
    size: tuple[int, int],
    channels: int,
    max_samples: int,
    progress: Callable[[Sequence[Path]], Iterable[Path]] = iter,
) -> np.ndarray:
    """Reads image files, resized with antialiasing and not cropped.

    Args:
        path: A directory, walked with its sub-folders, or one image file.
        size: `(height, width)` of the result.
        channels: 3 for RGB, 1 for gray.
        max_samples: Reads at most so many, spread over the sorted files, so
            that each sub-folder has its part.
        progress: Goes over the files that are read, and may draw a bar meanwhile.

    Returns:
        `(images, height, width, channels)`, uint8.

    Raises:
        BadInputError: If there is not one readable image.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise BadInputError("Reading image files needs Pillow: pip install pillow.") from error
    if channels not in (1, 3):
        raise BadInputError(
            f"Image files have 1 or 3 channels, but the model takes {channels}. Pass a .npy array."
        )
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    files = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    if not files:
        raise BadInputError(
            f"{path} holds no images. Looked for {', '.join(IMAGE_SUFFIXES)}, "
            f"also in its sub-folders."
        )
    height, width = size
    images: list[np.ndarray] = []
    broken: dict[Path, Exception] = {}
    for file in progress(_spread(files, max_samples)):
        try:
            with Image.open(file) as opened:
                # Pillow drops transparency without a warning only from RGBA.
                image = opened.convert("RGBA") if "transparency" in opened.info else opened
                image = image.convert("RGB" if channels == 3 else "L")
            image = image.resize((width, height), Image.Resampling.BILINEAR)
            images.append(np.asarray(image).reshape(height, width, channels))
        # What Pillow's readers raise for files that are damaged or far too large.
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            broken[file] = error
    if broken:
        count = f"{len(broken)} of {len(images) + len(broken)} image files cannot be read"
        first = next(iter(broken))
        if not images:
            raise BadInputError(f"{count}, so nothing is left: {broken[first]}.")
        warnings.warn(f"{count} and are skipped, among them {first}.", ShiftWarning, 2)
    return np.stack(images)


def read_array(path: Path, max_samples: int) -> np.ndarray:
    """Reads at most `max_samples` images, evenly spread, of a `.npy` or `.npz` file.

    Args:
        path: The file. A `.npz` file must hold one array, or one named `x`,
            `x_train`, `images` or `data`. Pickled objects are not read.
        max_samples: How many.

    Returns:
        The array, as it was saved.

    Raises:
        BadInputError: If the file cannot be read or holds no batch of images.
    """
    try:
        if path.suffix == ".npz":
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                x = archive[_name_in(archive.files, path)]
        else:  # only what is looked at is read
            x = np.lib.format.open_memmap(path, mode="r")
    except BadInputError:
        raise
    except Exception as error:  # zip, header and end-of-file errors of many kinds
        raise BadInputError(f"{path} cannot be read as a NumPy array: {error}") from error
    if x.ndim != 4:
        raise BadInputError(
            f"{path} must hold a batch of images, (images, height, width, channels). "
            f"Received shape {x.shape}."
        )
    if len(x) == 0:
        raise BadInputError(f"{path} holds no images. Received shape {x.shape}.")
    if x.dtype.kind not in "biuf":
        raise BadInputError(f"{path} must hold real numbers. Received dtype {x.dtype}.")
    return np.asarray(x[_spread(range(len(x)), max_samples)])


def read_labels(path: Path, max_samples: int) -> np.ndarray | None:
    """The labels beside the images of a `.npz` file, for the same images as `read_array`.

    Args:
        path: The file. Labels are called `y`, `y_train`, `labels` or `label`.
        max_samples: How many, at most.

    Returns:
        The array; None if there is none, as in any `.npy` file.
    """
    if path.suffix != ".npz":
        return None
    with np.load(path, allow_pickle=False) as archive:
        for name in ("y", "y_train", "labels", "label"):
            if name in archive.files:
                y = archive[name]
                return np.asarray(y[_spread(range(len(y)), max_samples)])
    return None


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """One image `(height, width, channels)`, uint8, resized as `read_images` does."""
    from PIL import Image

    height, width = size
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    scaled = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(scaled).reshape(height, width, image.shape[-1])


def _name_in(names: Sequence[str], path: Path) -> str:
    if len(names) == 1:
        return names[0]
    for name in ("x", "x_train", "images", "data"):
        if name in names:
            return name
    raise BadInputError(
        f"{path} holds several arrays, {sorted(names)}, and none is named 'x', 'x_train', "
        f"'images' or 'data'. Save the images alone."
    )


def _spread(items: Sequence[Item], at_most: int) -> list[Item]:
    """At most so many of the items, evenly spread, in order."""
    if len(items) <= at_most:
        return list(items)
    return [items[i * len(items) // at_most] for i in range(at_most)]

"""Reader of image files and array files, with NumPy and Pillow only."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from keras_shiftguard.errors import BadInputError, ShiftWarning, warn
from keras_shiftguard.io.npz import names_in, read_npz, shape_in
from keras_shiftguard.terminal import shown

if TYPE_CHECKING:
    from PIL import Image

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
ARRAY_SUFFIXES = (".npy", ".npz")

# Largest size of the arrays that are read from a `.npz` file, because they are unpacked into
# memory. A `.npy` file has no limit, because it is memory-mapped. A convention.
MAX_ARRAY_BYTES = 8 * 2**30

Item = TypeVar("Item")


def read_images(
    path: Path,
    size: tuple[int, int],
    channels: int,
    max_samples: int,
    progress: Callable[[Sequence[Path]], Iterable[Path]] = iter,
) -> np.ndarray:
    """Returns images from files, resized with antialiasing and not cropped.

    Files that cannot be read are skipped with a warning.

    Args:
        path: A directory with its sub-folders, or one image file.
        size: `(height, width)` of the result in pixels.
        channels: 3 for RGB, 1 for gray.
        max_samples: The largest number of images. They are spread evenly over the
            sorted files, so that each sub-folder has its share.
        progress: A function that yields the files it is given, and may draw a
            progress bar.

    Returns:
        `(images, height, width, channels)`, uint8, 0 to 255.

    Raises:
        BadInputError: If no image can be read.
    """
    if channels not in (1, 3):
        raise BadInputError(
            f"Image files have 1 or 3 channels, but the model takes {channels}. Pass a .npy array."
        )
    files = image_files(path) if path.is_dir() else [path]
    if not files:
        has_links = any(p.is_symlink() and p.is_dir() for p in path.rglob("*"))
        raise BadInputError(
            f"{shown(path)} holds no images. Looked for {', '.join(IMAGE_SUFFIXES)}, also in its "
            f"sub-folders{', but not in those that are links' if has_links else ''}."
        )
    height, width = size
    images: list[np.ndarray] = []
    broken: dict[Path, Exception] = {}
    for file in progress(_spread(files, max_samples)):
        try:
            image = open_image(file, channels)
        except UnreadableImage as error:
            broken[file] = error
            continue
        images.append(_scaled(image, size).reshape(height, width, channels))
    if broken:
        count = f"{len(broken)} of {len(images) + len(broken)} image files cannot be read"
        first_file = next(iter(broken))
        if not images:
            raise BadInputError(f"{count}, so nothing is left: {broken[first_file]}.")
        warnings.warn(f"{count} and are skipped, among them {shown(first_file)}.", ShiftWarning, 2)
    return np.stack(images)


def image_files(path: Path) -> list[Path]:
    """Returns the image files of a directory and its sub-folders, sorted.

    Links to files outside the directory are skipped with a warning, so that a
    directory from an untrusted source cannot give access to other files.
    """
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    files = [file for file in files if file.is_file()]
    root = path.resolve()
    inside = [file for file in files if file.resolve().is_relative_to(root)]
    if len(inside) < len(files):
        warn(
            f"{len(files) - len(inside)} of {len(files)} image files in {shown(path)} are links "
            "that lead out of it, and are skipped. Copy the files, or pass the directory that they "
            "are in."
        )
    return inside


class UnreadableImage(BadInputError):
    """Raised for a file that `open_image` cannot read, such as a damaged one."""


def open_image(file: Path, channels: int) -> "Image.Image":
    """Returns an image in its original size, as RGB (3 channels) or gray (1).

    Raises:
        UnreadableImage: If the file cannot be read, has more than 90 megapixels, or holds floating
            point numbers.
        BadInputError: If Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise BadInputError("Reading image files needs Pillow: pip install pillow.") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as opened:
                image = _in_eight_bits(opened)
                # Pillow warns when it drops the transparency of any mode but RGBA.
                image = image.convert("RGBA") if "transparency" in image.info else image
                return image.convert("RGB" if channels == 3 else "L")
    # The errors that Pillow raises for files that are damaged or far too large.
    except (
        *(OSError, SyntaxError, ValueError, EOFError),
        *(Image.DecompressionBombError, Image.DecompressionBombWarning),
    ) as error:
        raise UnreadableImage(f"{shown(file)} cannot be read as an image: {error}") from error


def _in_eight_bits(image: "Image.Image") -> "Image.Image":
    """Returns an image with pixels in 0..255; 16-bit pixels are reduced to their upper 8 bits.

    Pillow itself would cut 16-bit pixels off at 255, which makes nearly all of them white.

    Raises:
        ValueError: If the pixels are floating point numbers, whose range is not in the file.
    """
    from PIL import Image

    if image.mode == "F":
        raise ValueError("its pixels are floating point numbers; save them as a .npy array")
    if not image.mode.startswith("I"):
        return image
    pixels = np.asarray(image)
    is_deep = image.mode != "I" or pixels.max() > 255
    levels = pixels // 256 if is_deep else pixels
    # The pixels of a 32-bit file may exceed 16 bits. The clip makes such pixels white.
    return Image.fromarray(np.clip(levels, 0, 255).astype("uint8"))


def read_array(path: Path, max_samples: int) -> np.ndarray:
    """Returns images from a `.npy` or `.npz` file.

    Args:
        path: The file. A `.npz` file must hold a single array, or one named `x`,
            `x_train`, `images` or `data`. Pickled objects are not read.
        max_samples: The largest number of images, spread evenly over the file.

    Returns:
        `(images, height, width, channels)` in the saved dtype; float64 if backends do not
        take that dtype.

    Raises:
        BadInputError: If the file cannot be read or holds no batch of images.
    """
    try:
        if path.suffix.lower() == ".npz":
            name = _name_in(names_in(path), path)
            x = read_npz(path, MAX_ARRAY_BYTES, [name])[name]
        else:  # memory-mapped: only the chosen images are read
            x = np.lib.format.open_memmap(path, mode="r")
    except BadInputError:
        raise
    except Exception as error:  # NumPy and zipfile raise many types
        raise BadInputError(f"{shown(path)} cannot be read as a NumPy array: {error}") from error
    if x.ndim != 4:
        raise BadInputError(
            f"{shown(path)} must hold a batch of images, (images, height, width, channels). "
            f"Received shape {x.shape}."
        )
    if len(x) == 0:
        raise BadInputError(f"{shown(path)} holds no images. Received shape {x.shape}.")
    if x.dtype.kind not in "biuf":
        raise BadInputError(f"{shown(path)} must hold real numbers. Received dtype {x.dtype}.")
    images = np.asarray(x[_spread(range(len(x)), max_samples)])
    # Backends do not take `uint64`, numbers of more than 64 bits, or a byte order other than the
    # machine's.
    dtype = images.dtype.newbyteorder("=")
    if dtype.itemsize > 8 or dtype == np.uint64:
        dtype = np.dtype("float64")
    return images.astype(dtype, copy=False)


def read_labels(path: Path, max_samples: int) -> np.ndarray | None:
    """Returns the labels in a `.npz` file, for the same images as `read_array`.

    Returns:
        `(images, ...)`; None if the file has no labels, such as any `.npy` file.
    """
    if path.suffix.lower() != ".npz":
        return None
    try:
        found = read_npz(path, MAX_ARRAY_BYTES, ("y", "y_train", "labels", "label"))
        number = shape_in(path, _name_in(names_in(path), path))[0]
    except Exception as error:
        raise BadInputError(f"The labels in {shown(path)} cannot be read: {error}") from error
    y = next(iter(found.values()), None)
    if y is None or not y.ndim:
        return None
    if len(y) != number:
        raise BadInputError(f"{shown(path)} holds {number:,} images and {len(y):,} labels.")
    return np.asarray(y[_spread(range(len(y)), max_samples)])


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns one image `(height, width, channels)`, uint8, resized as by `read_images`."""
    from PIL import Image

    pixels = image[..., 0] if image.shape[-1] == 1 else image
    return _scaled(Image.fromarray(pixels), size).reshape(*size, image.shape[-1])


def _scaled(image: "Image.Image", size: tuple[int, int]) -> np.ndarray:
    """Returns the image resized to `(height, width)`; without a channel axis if it is gray."""
    from PIL import Image

    height, width = size
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def _name_in(names: Sequence[str], path: Path) -> str:
    """Returns the name of the array of a `.npz` file that holds the images."""
    if len(names) == 1:
        return names[0]
    for name in ("x", "x_train", "images", "data"):
        if name in names:
            return name
    raise BadInputError(
        f"{shown(path)} holds several arrays, {sorted(names)}, and none is named 'x', 'x_train', "
        f"'images' or 'data'. Save the images alone."
    )


def _spread(items: Sequence[Item], max_items: int) -> list[Item]:
    """Returns at most `max_items` of the items, evenly spread, in their order."""
    if len(items) <= max_items:
        return list(items)
    return [items[i * len(items) // max_items] for i in range(max_items)]

"""Reads raw images from a directory with one folder for each class."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.io.images import IMAGE_SUFFIXES, image_files, open_image
from keras_shiftguard.terminal import shown

# Share of the shorter side that is kept. For the published accuracies of keras.applications, the
# shorter side was resized to 256 pixels with bicubic interpolation, and the central 224 pixels were
# kept. So the share is 224 / 256. Given by taehoonlee in
# github.com/keras-team/keras-applications/issues/88.
CROP = 0.875


@dataclass(frozen=True)
class Folder:
    """The image files of a directory, and their classes."""

    files: tuple[Path, ...]  # in the order of `image_dataset_from_directory(shuffle=False)`
    labels: np.ndarray | None  # class id of each file `(files,)`; None without class folders

    def chosen(self, which: np.ndarray) -> "Folder":
        """Returns a `Folder` with only the files at the positions `which`."""
        labels = None if self.labels is None else self.labels[which]
        return Folder(tuple(self.files[i] for i in which), labels)


def open_folder(path: Path, num_classes: int) -> Folder:
    """Lists the image files of a directory without reading them.

    With one folder for each class, the class id of a folder is its position in
    alphabetical order, as in Keras. Otherwise the names of the folders must be class ids. If no
    folder holds an image, the images of the directory itself are listed, without classes.
    An empty folder counts as a class, as in Keras, if the number of all folders is the number of
    classes; otherwise empty folders are ignored. Folders whose names begin with a dot are always
    ignored.

    Raises:
        BadInputError: if there are no images, or the folders cannot be assigned to classes.
    """
    if not path.is_dir():
        raise BadInputError(
            "`data` must be a directory with a folder of images for each class. "
            f"Received: {shown(path)}"
        )
    folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    by_folder = [(folder, image_files(folder)) for folder in folders]
    filled = [(folder, found) for folder, found in by_folder if found]
    if not filled:
        loose = image_files(path)
        if not loose:
            raise BadInputError(f"{shown(path)} holds no images ({', '.join(IMAGE_SUFFIXES)}).")
        return Folder(tuple(loose), None)
    if len(by_folder) != num_classes:
        by_folder = filled
    names = [folder.name for folder, _ in by_folder]
    if len(names) == num_classes:
        ids = list(range(num_classes))
    elif all(name.isdecimal() and int(name) < num_classes for name in names):
        ids = [int(name) for name in names]
    else:
        raise BadInputError(
            f"{shown(path)} has {len(names)} class folders, but the model has {num_classes} "
            "classes. Name the folders by class id (0, 1, ...), or have one for each class. "
            f"Received: {names[:3]}"
        )
    labels = np.repeat(ids, [len(found) for _, found in by_folder])
    return Folder(tuple(file for _, found in by_folder for file in found), labels)


def _opened(file: Path, channels: int) -> Any:
    if channels not in (1, 3):
        raise BadInputError(
            f"Image files are read with 1 or 3 channels, but the model takes {channels}: pass "
            f"arrays or a dataset in place of the directory. Received: {shown(file)}"
        )
    return open_image(file, channels)


def raw_image(file: Path, channels: int) -> np.ndarray:
    """Returns the image of a file in its own size, `(height, width, channels)` uint8."""
    image = _opened(file, channels)
    return np.asarray(image).reshape(image.height, image.width, channels)


def read_natively(
    files: Iterable[Path], size: tuple[int, int], channels: int, crop: float
) -> np.ndarray:
    """Returns images of files, cropped and resized as usual in the evaluation of networks.

    A central part with the aspect ratio of `size` (height and width) is cut out of each image, and
    resized with antialiased bicubic interpolation. The side of the part is the share `crop` of that
    of the largest one that fits into the image. The result is `(files, height, width, channels)`
    uint8.
    """
    from PIL import Image

    height, width = size
    found = []
    for file in files:
        image = _opened(file, channels)
        scale = min(image.width / width, image.height / height) * crop
        box_width, box_height = width * scale, height * scale
        left, top = (image.width - box_width) / 2, (image.height - box_height) / 2
        box = (left, top, left + box_width, top + box_height)
        resized = image.resize((width, height), Image.Resampling.BICUBIC, box=box)
        found.append(np.asarray(resized).reshape(height, width, channels))
    return np.stack(found)


def as_keras_reads(size: tuple[int, int]) -> Callable[[np.ndarray], Any]:
    """Returns a function that resizes an image as `image_dataset_from_directory` does.

    By default, Keras stretches images to `size` with bilinear interpolation, without antialiasing.
    """

    def read(image: np.ndarray) -> np.ndarray:
        resized = ops.image.resize(
            ops.convert_to_tensor(image.astype("float32")),
            size,
            interpolation="bilinear",
            antialias=False,
            data_format="channels_last",
        )
        return np.asarray(ops.convert_to_numpy(resized))

    return read


def native_line(size: tuple[int, int], crop: float) -> str:
    """Returns a line of Python that reads a file in nearly the same way as `read_natively`."""
    before_crop = tuple(round(side / crop) for side in size)
    margins = [(o - i) // 2 for o, i in zip(before_crop, size, strict=True)]
    cut = ", ".join(f"{m}:{m + side}" for m, side in zip(margins, size, strict=True))
    return (
        f"x = keras.utils.img_to_array(keras.utils.load_img(file, target_size={before_crop}, "
        'keep_aspect_ratio=True, interpolation="bicubic"))'
    ) + (f"[{cut}]" if before_crop != size else "")

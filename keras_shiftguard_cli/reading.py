"""Readers of the model and of the images that are named on the command line."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_shiftguard_cli.output import BadInput, steps

if TYPE_CHECKING:
    import keras
    import numpy as np

DEFAULT_SIZE = (224, 224)  # height and width, if neither the model nor the user gives them
# Suffixes of files of images and of arrays, as in `keras_shiftguard.io.images`, whose import starts
# Keras.
IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
ARRAY_SUFFIXES = (".npy", ".npz")
DATA_SUFFIXES = IMAGE_SUFFIXES + ARRAY_SUFFIXES
HDF5 = b"\x89HDF\r\n\x1a\n"  # how a file in this format begins
BATCH_SIZE = 256  # images measured at a time


@dataclass(frozen=True)
class Pipeline:
    """The steps of the user's own pipeline between the files and the model.

    Args:
        max_samples: The largest number of images to read.
        rescale: `(scale, offset)`: a pixel is fed as `pixel * scale + offset`. None
            leaves the pixels as they are.
        bgr: Whether the channels are fed in the order B, G, R.
        size: `(height, width)` to which image files are resized. None takes the size of
            the model's input, or else `DEFAULT_SIZE`.
    """

    max_samples: int
    rescale: tuple[float, float] | None
    bgr: bool
    size: tuple[int, int] | None

    def read(self, data: str, model: "keras.Model | None" = None) -> "np.ndarray":
        """Returns the images as the pipeline feeds them to the model.

        Returns:
            `(images, ...)`, in the layout of the model's input; arrays keep their saved layout.
        """
        import numpy as np

        from keras_shiftguard.io import images

        size, channels, channels_first = _input_shape(model)
        path = Path(data)
        if path.suffix.lower() in images.ARRAY_SUFFIXES:
            x = images.read_array(path, self.max_samples)
        else:
            size = self.size or size
            if size is None:
                size = DEFAULT_SIZE
                note = f"note: images are resized to {size[0]}x{size[1]}; see --size"
                click.echo(note, err=True)
            progress = partial(steps, label="Reading images")
            x = images.read_images(path, size, channels or 3, self.max_samples, progress)
            if channels_first:
                x = x.transpose(0, 3, 1, 2)
        return self.rescaled(np.flip(x, 1 if channels_first else -1) if self.bgr else x)

    def labelled(self, data: str, model: "keras.Model") -> Any:
        """Returns the images with their labels, as `explain_gap` takes them.

        Returns:
            For an array file: `(x, y)`, or `x` if it has no labels. For a directory: its path
            and a function from a raw image to the model's input, with which `explain_gap` can
            also find out whether resizing is a cause.
        """
        import numpy as np

        from keras_shiftguard.io import images

        path = Path(data)
        if path.suffix.lower() in images.ARRAY_SUFFIXES:
            x, y = self.read(data, model), images.read_labels(path, self.max_samples)
            return x if y is None else (x, y)
        size, _, channels_first = _input_shape(model)
        height, width = self.size or size or DEFAULT_SIZE

        def to_input(raw: "np.ndarray") -> "np.ndarray":
            x = images.resized(raw, (height, width))
            x = self.rescaled(x[..., ::-1] if self.bgr else x)
            return np.moveaxis(x, -1, 0) if channels_first else x

        return path, to_input

    def rescaled(self, x: "np.ndarray") -> "np.ndarray":
        """Returns the pixels after the pipeline's rescaling."""
        if not self.rescale:
            return x
        scale, offset = self.rescale
        return x.astype("float32") * scale + offset


def check_exists(*paths: str) -> None:
    """Raises BadInput for a path that does not exist. Commands call it before they start Keras."""
    for path in paths:
        if not Path(path).exists():
            raise BadInput(f"{path} does not exist.")


def check_data(path: str) -> None:
    """Raises BadInput for a path without images or arrays, before Keras is started."""
    check_exists(path)
    folder = Path(path)
    if not folder.is_dir():
        if folder.suffix.lower() not in DATA_SUFFIXES:
            raise BadInput(
                f"{path} is no directory, no image ({', '.join(IMAGE_SUFFIXES)}) and no array "
                f"({', '.join(ARRAY_SUFFIXES)}). Read other files, such as tables, in Python, and "
                "pass the arrays to keras_shiftguard.diagnose, profile or compare."
            )
    elif not any(file.suffix.lower() in IMAGE_SUFFIXES for file in folder.rglob("*")):
        raise BadInput(
            f"{path} holds no images. Looked for {', '.join(IMAGE_SUFFIXES)}, also in its "
            "sub-folders, but not in those that are links."
        )


def is_profile(path: str) -> bool:
    """Returns whether a path is that of a profile, or of a saved model, which may hold one."""
    return is_model(path) or "header.npy" in _members(path)


def is_model(path: str) -> bool:
    """Returns whether a path is that of a `.keras` file or of a SavedModel."""
    if Path(path).is_dir():
        return (Path(path) / "saved_model.pb").is_file()
    return {"config.json", "metadata.json"} <= _members(path)


def _members(path: str) -> set[str]:
    """Returns the names of the members of a zip file; the set is empty for any other file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist())
    except Exception:  # BadZipFile, OSError and others: damaged files raise many types
        return set()


def size_in_profile(path: str) -> tuple[int, int] | None:
    """Returns `(height, width)` of a profile's images; None for other files, or if sizes differ."""
    from keras_shiftguard.profiles import InputProfile

    if not is_profile(path):
        return None
    sizes = {
        size
        for summary in InputProfile.load(path).inputs.values()
        for size in (summary.smallest_size, summary.largest_size)
        if summary.is_image
    }
    (size,) = sizes if len(sizes) == 1 else (None,)
    return size


def check_model_file(path: str) -> None:
    """Raises BadInput for a path that does not exist or has no suffix of a model file."""
    check_exists(path)
    suffix = Path(path).suffix
    if suffix not in (".keras", ".h5", ".hdf5"):
        raise BadInput(f"MODEL must be a .keras or .h5 file. Received: {path}")
    with open(path, "rb") as file:
        begins_as_hdf5 = file.read(len(HDF5)) == HDF5
    if not (begins_as_hdf5 or (suffix == ".keras" and is_model(path))):
        raise BadInput(f"{path} cannot be loaded as a Keras model: it is no {suffix} file.")


def load_model(path: str) -> "keras.Model":
    """Returns the model of a `.keras` or `.h5` file."""
    import keras

    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # the file readers that Keras uses raise many types
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise BadInput(
            f"{path} cannot be loaded as a Keras model: {reason}\n"
            f"A model with custom objects or Lambda layers can be diagnosed from Python: "
            f"keras_shiftguard.diagnose(model, images)."
        ) from error


def in_chunks(x: "np.ndarray", label: str) -> Iterator[Any]:
    """Yields batches of the images, with a progress bar."""
    for start in steps(range(0, len(x), BATCH_SIZE), label):
        yield (x[start : start + BATCH_SIZE],)


def _input_shape(model: "keras.Model | None") -> tuple[tuple[int, int] | None, int | None, bool]:
    """Returns `((height, width), channels, channels_first)` of the model's input.

    The size or the number of channels is None if the model does not fix it. Both are None
    without a model.
    """
    if model is None:
        return None, None, False
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise BadInput(
            f"MODEL must have one input, of images. Received inputs of shapes {shapes}. "
            f"Other models can be diagnosed from Python: keras_shiftguard.diagnose(model, data)."
        )
    _, *shape = shapes[0]
    channels_first = shape[0] in (1, 3) and shape[2] not in (1, 3)
    channels = shape.pop(0 if channels_first else 2)
    return (tuple(shape) if all(shape) else None), channels, channels_first

"""The evaluation set, read once and kept: every cause is judged on the same samples."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.explain.image_folder import Folder, as_keras_reads, open_folder, raw_image
from keras_shiftguard.io.batches import batches, is_arrays, named_inputs, to_numpy
from keras_shiftguard.statistics.classes import host_class_ids

MOST_BYTES = 2 << 30  # of samples in memory
MOST_OF_A_GENERATOR = 10_000  # it may have no end
CHUNK = 128


@dataclass(frozen=True)
class Samples:
    """Samples as the model is fed them.

    Args:
        inputs: `(samples, ...)` of each input, by name.
        labels: Class ids `(samples,)`; None if there are none.
        folder: The raw files, in the same order, if they are at hand.
        form: What the model takes: `"tensor"`, `"dict"` or `"list"`.
        total: How many samples the data had; more than are kept, perhaps.
    """

    inputs: dict[str, np.ndarray]
    labels: np.ndarray | None
    folder: Folder | None = None
    form: str = "tensor"
    total: int = 0

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def chunks(self) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
        """Some samples at a time, by input name, and where they are."""
        for start in range(0, len(self), CHUNK):
            part = slice(start, start + CHUNK)
            yield part, {name: value[part] for name, value in self.inputs.items()}

    def packed(self, inputs: Mapping[str, np.ndarray]) -> Any:
        """Inputs by name in the structure that the model takes."""
        if self.form == "dict":
            return dict(inputs)
        return list(inputs.values()) if self.form == "list" else next(iter(inputs.values()))


def read_samples(
    data: Any,
    num_classes: int,
    size: tuple[int, int] | None,
    channels: int,
    names: list[str],
    max_samples: int | None,
) -> Samples:
    """Reads an evaluation set.

    Args:
        data: See `explain_gap`.
        num_classes: Of the model.
        size: Height and width that the model takes, if that is known.
        channels: 1 or 3, of raw images.
        names: Names of the model's inputs.
        max_samples: Keeps at most so many, evenly spread.

    Raises:
        BadInputError: for what is no evaluation set.
    """
    if isinstance(data, (str, PathLike)):
        if size is None:
            raise BadInputError(
                "The model takes images of any size, so it cannot be told how a directory is to "
                "be read. Pass (directory, function), where the function makes of one raw image "
                f"what the model is fed. Received: {str(data)!r}"
            )
        data = (data, as_keras_reads(size))
    if isinstance(data, tuple) and data and isinstance(data[0], (str, PathLike)):
        if len(data) != 2:
            raise BadInputError(
                "A directory goes alone or with one pipeline: (directory, pipeline). "
                f"Received a tuple of {len(data)} members."
            )
        folder = open_folder(Path(data[0]), num_classes)
        return _of_folder(folder, data[1], channels, names, num_classes, max_samples)
    return _of_pipeline(data, names, num_classes, max_samples)


def _of_folder(
    folder: Folder,
    pipeline: Any,
    channels: int,
    names: list[str],
    num_classes: int,
    max_samples: int | None,
) -> Samples:
    if not _is_function(pipeline):
        fed = _of_pipeline(pipeline, names, num_classes, None)
        if len(fed) != len(folder.files) or fed.total != len(fed):
            raise BadInputError(
                "The pipeline beside a directory must yield its images in order, "
                "shuffle=False, every one once. "
                f"Received: {len(folder.files)} files, {fed.total} samples of the pipeline."
            )
        if fed.labels is not None and folder.labels is not None:
            wrong = int((fed.labels != folder.labels).sum())
            if wrong:
                raise BadInputError(
                    "The pipeline beside a directory must yield its images in order, "
                    f"shuffle=False. {wrong} of {len(fed)} labels are not those of the folders."
                )
        labels = folder.labels if fed.labels is None else fed.labels
        which = spread(len(fed), max_samples)
        inputs = {name: value[which] for name, value in fed.inputs.items()}
        chosen = None if labels is None else labels[which]
        return Samples(inputs, chosen, folder.chosen(which), fed.form, len(fed))
    total = len(folder.files)
    first = np.asarray(pipeline(raw_image(folder.files[0], channels)))
    most = max(1, MOST_BYTES // max(first.nbytes, 1))
    folder = folder.chosen(spread(total, min(max_samples or most, most)))
    images = [np.asarray(pipeline(raw_image(file, channels))) for file in folder.files]
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise BadInputError(
            f"The function must return images of one size. Received: {sorted(shapes)[:3]}"
        )
    return Samples({"input": np.stack(images)}, folder.labels, folder, "tensor", total)


def _is_function(value: Any) -> bool:
    return (
        callable(value)
        and not hasattr(value, "__iter__")
        and not isinstance(value, keras.utils.PyDataset)
    )


def _of_pipeline(data: Any, names: list[str], num_classes: int, max_samples: int | None) -> Samples:
    limit = max_samples
    if is_arrays(data):
        leaf = keras.tree.flatten(data)[0]
        which = spread(len(leaf), max_samples)
        if len(which) < len(leaf):
            take = slice(None) if len(which) == len(leaf) else which
            data = keras.tree.map_structure(
                lambda value: None if value is None else to_numpy(value)[take], data
            )
        total = len(leaf)
    else:
        total = 0
        if hasattr(data, "__next__") and limit is None:
            limit = MOST_OF_A_GENERATOR
    kept = _Kept(limit, stop=hasattr(data, "__next__"))
    form = "tensor"
    for x, y, _ in batches(data, CHUNK):
        if isinstance(x, Mapping):
            form = "dict"
        elif isinstance(x, (list, tuple)) and len(x) > 1:
            form = "list"
        inputs = {name: to_numpy(value) for name, value in named_inputs(x, names).items()}
        if not inputs:
            continue
        if not kept.add(inputs, class_ids(y, num_classes)):
            break
    return Samples(*kept.joined(), None, form, total or kept.seen)


class _Kept:
    """An evenly spread part of a stream of unknown length, in bounded memory."""

    def __init__(self, limit: int | None, stop: bool) -> None:
        self.limit, self.stop = limit, stop
        self.seen, self.count, self.stride = 0, 0, 1
        self.inputs: dict[str, list[np.ndarray]] = {}
        self.labels: list[np.ndarray] | None = []

    def add(self, inputs: dict[str, np.ndarray], labels: np.ndarray | None) -> bool:
        size = len(next(iter(inputs.values())))
        if self.limit is None or self.seen == 0:
            each = sum(value.nbytes for value in inputs.values()) // max(size, 1)
            most = max(1, MOST_BYTES // max(each, 1))
            self.limit = min(self.limit or most, most)
        which = np.flatnonzero((self.seen + np.arange(size)) % self.stride == 0)
        self.seen += size
        self.count += len(which)
        for name, value in inputs.items():
            self.inputs.setdefault(name, []).append(value[which])
        if labels is None:
            self.labels = None
        elif self.labels is not None:
            self.labels.append(labels[which])
        if self.count >= self.limit and self.stop:
            self._thin(slice(None, self.limit))
            return False
        while self.count > self.limit:
            # Every second one of all: what is kept stays evenly spread.
            self.stride *= 2
            self._thin(slice(None, None, 2))
        return True

    def _thin(self, which: slice) -> None:
        self.inputs = {name: [_join(name, parts)[which]] for name, parts in self.inputs.items()}
        if self.labels is not None:
            self.labels = [np.concatenate(self.labels)[which]]
        self.count = len(next(iter(self.inputs.values()))[0])

    def joined(self) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        if not self.count:
            raise BadInputError("`data` is empty: not a single sample came out of it.")
        inputs = {name: _join(name, parts) for name, parts in self.inputs.items()}
        return inputs, None if self.labels is None else np.concatenate(self.labels)


def _join(name: str, parts: list[np.ndarray]) -> np.ndarray:
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) > 1:
        raise BadInputError(
            f"All samples must have one shape. Input {name!r} came in {sorted(shapes)[:3]}. "
            "Resize the images in the pipeline."
        )
    return np.concatenate(parts)


def class_ids(y: Any, num_classes: int) -> np.ndarray | None:
    """Labels as class ids, `(samples,)`; None where there are none.

    Raises:
        BadInputError: for what is no class of the model.
    """
    if y is None:
        return None
    if isinstance(y, (Mapping, list, tuple)):
        raise BadInputError("Labels must be one array. Received several sets of them.")
    labels = to_numpy(y)
    ids = host_class_ids(labels)
    if ids is None:
        raise BadInputError(
            "Labels must be class ids or one-hot rows: explain_gap is about accuracy. "
            f"Received labels such as {labels.reshape(len(labels), -1)[:1, :5]}"
        )
    if len(ids) and (ids.min() < 0 or ids.max() >= num_classes):
        raise BadInputError(
            f"Labels must be class ids from 0 to {num_classes - 1}, the classes of the model. "
            f"Received: labels from {ids.min()} to {ids.max()}"
        )
    return ids


def spread(number: int, at_most: int | None) -> np.ndarray:
    """Evenly spread positions, all where there are few."""
    if at_most is None or number <= at_most:
        return np.arange(number)
    return np.arange(at_most) * number // at_most

"""`Source`: data of any form that `fit` accepts, opened once; it yields batches."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from os import PathLike
from typing import Any, Literal

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError, warn
from keras_shiftguard.io.batches import (
    BATCH_SIZE,
    Batch,
    Shape,
    column_names,
    is_arrays,
    is_input,
    joined_labels,
    named_inputs,
    slices,
    to_numpy,
    unpacked,
)
from keras_shiftguard.io.readable import is_nested_numbers, readable, sliceable
from keras_shiftguard.io.tables import Columns

# If a list has more arrays shaped like images, each is an image, not an input. A convention.
MAX_INPUTS = 8
PATIENCE = 60  # seconds of reading after which data of unknown length gets a warning. A convention.

# Arrays; a `keras.utils.PyDataset`; a sequence, which gives batches by index; an iterable of
# batches; or a function that returns any of these.
Form = Literal["arrays", "dataset", "sequence", "iterable", "function"]


@dataclass(frozen=True, eq=False)
class Source:
    """Data of any form that `fit` accepts, and what its readers ask of it. See `open_source`.

    Args:
        data: The data. Tables of pandas are replaced by arrays.
        form: The form of the data.
        name: Name that messages use for the data.
        shapes: Shapes of the model's inputs by name, as for `named_inputs`; None if not known.
        columns: Names of the columns of tables, by input.
        size: Number of samples of arrays; None in other forms, which would have to be read.
        is_one_shot: Whether the data can be read only once: it is an iterator.
        has_labels: Whether there are labels; False if only reading the data would show it.
    """

    data: Any
    form: Form
    name: str
    shapes: Mapping[str, Shape] | None
    columns: Columns
    size: int | None
    is_one_shot: bool
    has_labels: bool

    def batches(
        self, batch_size: int = BATCH_SIZE, order: Iterable[int] | None = None
    ) -> Iterator[Batch]:
        """Yields `(x, y, sample_weight)`, with None for each missing part.

        Args:
            batch_size: Number of samples in a batch of arrays, and of those that a function
                returns. All other data is batched already.
            order: Indices of the batches of a dataset; None for all of them in order.

        Raises:
            BadInputError: If a batch has another form, or arrays differ in length.
        """
        if self.form == "function":
            yield from self._made().batches(batch_size)
        elif self.form == "arrays":
            yield from map(readable, slices(unpacked(self.data), batch_size))
        else:
            yield from map(readable, map(unpacked, self._parts(order)))

    def _parts(self, order: Iterable[int] | None) -> Iterator[Any]:
        """Yields the batches of data that is batched already."""
        parts: Iterable[Any] = self.data
        if self.form == "sequence":
            parts = (self.data[index] for index in range(len(self.data)))
        elif self.form == "dataset":
            number = self.data.num_batches  # None if it is endless
            if order is None:
                order = count() if number is None else range(number)
            parts = (self.data[index] for index in order)
        # `fit` takes a list for a tuple here. A torch DataLoader turns a tuple into a list.
        from_list = self.form == "dataset" or hasattr(self.data, "collate_fn")
        for batch in parts:
            yield tuple(batch) if from_list and isinstance(batch, list) else batch

    def all_batches(self, batch_size: int = BATCH_SIZE) -> Iterator[Batch]:
        """Yields the same as `batches`, for a caller that reads all of the data.

        Raises a `BadInputError` if the data is known to have no end, or is a list of single images.
        """
        if self.form == "function":
            yield from self._made().all_batches(batch_size)
            return
        if self.is_endless:
            raise BadInputError(
                f"`{self.name}` has no end, and it is read as a whole. Pass a part of it, such as "
                f"dataset.take(100). Received: {type(self.data).__name__}"
            )
        _check_list(self.data, self.name)
        says_its_end = self.form == "dataset" or hasattr(self.data, "__len__")
        start, count = time.monotonic(), 0
        for batch in self.batches(batch_size):
            yield batch
            count += 1
            if not says_its_end and time.monotonic() - start > PATIENCE:
                says_its_end = True  # warns only once
                warn(
                    f"ShiftGuard has read {count:,} batches of `{self.name}` so far, which does "
                    "not say where it ends. If it has no end, pass a part of it: "
                    "itertools.islice(data, 100)."
                )

    def first_batches(self, max_samples: int) -> Iterator[Batch]:
        """Yields whole batches, until they hold `max_samples` samples or more, or all are read."""
        count = 0
        for x, y, weight in self.batches():
            yield x, y, weight
            leaves = [leaf for leaf in keras.tree.flatten(x) if hasattr(leaf, "shape")]
            count += leaves[0].shape[0] if leaves else 1
            if count >= max_samples:
                return

    def first_samples(self, max_samples: int) -> tuple[dict[str, np.ndarray], Any]:
        """Returns the first samples as NumPy arrays.

        Returns:
            The inputs by name, `(samples, ...)`, and the labels `(samples, ...)`. If the samples
            differ in size, only those of the first size are returned, and the labels are None. The
            labels are also None if there are none, several sets of them, or some of varying shape.

        Raises:
            BadInputError: If the data is empty, or an input has no batch dimension.
        """
        inputs: dict[str, list[np.ndarray]] = {}
        labels: list[Any] | None = []
        count = 0
        for x, y, _ in self.batches():
            batch = {name: to_numpy(value) for name, value in named_inputs(x, self.shapes).items()}
            if not batch:
                continue
            scalars = {name: a.shape for name, a in batch.items() if a.ndim == 0}
            if scalars:
                raise BadInputError(f"Inputs need a batch dimension. Received scalars: {scalars}")
            num_new = min(len(next(iter(batch.values()))), max_samples - count)
            for name, value in batch.items():
                inputs.setdefault(name, []).append(value[:num_new])
            if y is None or isinstance(y, (Mapping, list, tuple)):
                labels = None
            elif labels is not None:
                labels.append(y)
            count += num_new
            if count >= max_samples:
                break
        if count == 0:
            raise BadInputError(f"`{self.name}` is empty: not a single sample came out of it.")
        try:
            joined = {n: np.concatenate(p) if len(p) > 1 else p[0] for n, p in inputs.items()}
        except ValueError:
            # The samples differ in size from batch to batch: only those of the first size are used.
            joined = {
                name: np.concatenate([p for p in parts if p.shape[1:] == parts[0].shape[1:]])
                for name, parts in inputs.items()
            }
            labels = None
        return joined, joined_labels(labels, count) if labels else None

    def rows(self, which: np.ndarray | slice) -> "Source":
        """Returns the samples of arrays at these positions, as NumPy arrays."""
        data = keras.tree.map_structure(
            lambda a: None if a is None else to_numpy(a)[which], self.data
        )
        return replace(self, data=data, size=_size(data))

    @property
    def is_endless(self) -> bool:
        """Whether the data is known to have no end, as that of `tf.data.Dataset.repeat()` is.

        Whether a generator has an end is not known.
        """
        if self.form == "dataset":
            return self.data.num_batches is None
        cardinality = getattr(self.data, "cardinality", None)  # a method of tf.data.Dataset
        return callable(cardinality) and int(cardinality()) == -1

    def _made(self) -> "Source":
        """Returns the result of the function that makes the data."""
        return open_source(self.data(), self.name, self.shapes)


def open_source(data: Any, name: str = "data", shapes: Mapping[str, Shape] | None = None) -> Source:
    """Returns data of any form that `fit` accepts as a `Source`.

    Args:
        data: NumPy arrays or tensors (a tuple is `(x,)`, `(x, y)` or
            `(x, y, w)`; a list or dict is a multi-input `x`); or a
            `tf.data.Dataset`, `keras.utils.PyDataset`, torch `DataLoader` or
            generator that yields batches of such tuples; or a function without
            arguments that returns any of these. Tables and columns of pandas count as arrays.
        name: Name that messages use for `data`.
        shapes: Shapes of the model's inputs by name, as for `named_inputs`.

    Raises:
        BadInputError: If `data` is none of these.

    Example:

    >>> source = open_source((np.zeros((5, 2)), np.arange(5)))
    >>> source.form, source.size, source.has_labels
    ('arrays', 5, True)
    """
    columns, data = column_names(data, shapes), sliceable(data)
    form = _form_of(data, name)
    size = _size(data) if form == "arrays" else None
    spec = getattr(data, "element_spec", None)  # of a tf.data.Dataset
    parts = data if isinstance(data, tuple) else spec if isinstance(spec, tuple) else ()
    has_labels = len(parts) > 1 and parts[1] is not None
    return Source(data, form, name, shapes, columns, size, isinstance(data, Iterator), has_labels)


def _size(arrays: Any) -> int | None:
    """Returns the number of samples of arrays; None without arrays, or for single numbers."""
    shapes = [leaf.shape for leaf in keras.tree.flatten(arrays) if leaf is not None]
    return int(shapes[0][0]) if shapes and len(shapes[0]) else None


def _form_of(data: Any, name: str) -> Form:
    if isinstance(data, keras.layers.Layer):
        raise BadInputError(
            f"A model was passed in place of data. Received: {type(data).__name__} {data.name!r}"
        )
    if isinstance(data, list) and is_nested_numbers(data):
        of_what = "lists of numbers" if isinstance(data[0], (list, tuple)) else "numbers"
        raise BadInputError(
            f"`{name}` must be an array, whose first axis is that of the samples: "
            f"np.asarray({name}). Received: a list of {len(data):,} {of_what}"
        )
    if is_arrays(data):
        return "arrays"
    if isinstance(data, keras.utils.PyDataset):
        return "dataset"
    if callable(data) and not isinstance(data, Iterable):
        return "function"
    if _is_sequence_of_batches(data):
        return "sequence"
    if isinstance(data, tuple) and data and is_input(data[0]):
        raise BadInputError(
            f"In `{name}`, each member of (x, y) or (x, y, sample_weight) must be an array, or a "
            "list or dict of arrays: np.asarray(y) for a list of numbers. "
            f"Received: {', '.join(type(member).__name__ for member in data)}"
        )
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes)):
        return "iterable"
    if isinstance(data, (str, PathLike)):
        raise BadInputError(
            f"`{name}` must be data, not a path: read the files first, for example with "
            f"keras.utils.image_dataset_from_directory. Received: {str(data)!r}"
        )
    raise BadInputError(
        f"`{name}` must be what `model.fit` accepts: arrays, tensors, a tf.data.Dataset, a "
        "keras.utils.PyDataset, a torch DataLoader or a generator of batches. "
        f"Received: {type(data).__name__}"
    )


def _is_sequence_of_batches(data: Any) -> bool:
    """Whether `data` has a length and gives batches by index.

    The iterator of a legacy `ImageDataGenerator` is such a sequence. A loop over it never ends,
    so its batches are read by index.
    """
    has_index = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    return has_index and not isinstance(data, (str, bytes, list, tuple, Mapping))


def _check_list(data: Any, name: str) -> None:
    """Raises a BadInputError if `data` is a list of images, which would count as inputs."""
    parts = data if isinstance(data, list) else []
    shapes: list[tuple[int, ...]] = [getattr(part, "shape", ()) for part in parts]
    if len(shapes) > MAX_INPUTS and all(len(s) == 3 and s[-1] in (3, 4) for s in shapes):
        raise BadInputError(
            f"`{name}` is a list, and a list is taken for several inputs. Stack images with "
            f"np.stack(images). Received: {len(shapes)} arrays, the first of shape {shapes[0]}"
        )

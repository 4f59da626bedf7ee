"""Batches of any data that `fit` accepts: arrays, datasets, loaders and generators."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, ValuesView
from itertools import count
from os import PathLike
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError, warn
from keras_shiftguard.io.readable import is_nested_numbers, readable, sliceable
from keras_shiftguard.io.tables import columns_of, is_table, without_pandas

# If a list has more arrays shaped like images, each is an image, not an input. A convention.
MAX_INPUTS = 8
# Samples in a batch of arrays, unless the caller passes another number. Given by Keras's `fit`.
BATCH_SIZE = 32
PATIENCE = 60  # seconds of reading after which data of unknown length gets a warning. A convention.

# The keys of a pair, the batch of a `DomainAdaptationModel`: `{SOURCE: x, TARGET: x_target}`.
SOURCE, TARGET = "shiftguard_source", "shiftguard_target"

Shape = tuple[int | None, ...]

# A batch: inputs (a tensor, or a list or dict of them), labels, sample weights.
Batch = tuple[Any, Any, Any]


def num_samples(x: Any) -> int:
    """Returns the number of samples in an array, or in a structure of arrays."""
    return len(keras.tree.flatten(x)[0])


def is_pair(x: Any) -> bool:
    """Whether `x` is a pair: a batch of the source and a batch of the target."""
    return isinstance(x, dict) and SOURCE in x and TARGET in x


def named_inputs(x: Any, shapes: Mapping[str, Shape] | None = None) -> dict[str, Any]:
    """Returns the input tensors of one batch by name.

    Args:
        x: A tensor, or a list, tuple or dict of tensors.
        shapes: Shapes of the model's inputs by name, with the batch dimension, if known. The names
            are given to the members of a list. If there are more or fewer names than members, the
            names are `input_0`, `input_1` and so on.

    Returns:
        `{"input": x}` for a single tensor, also in a list; a dict keeps its own keys.
        Members that are None are left out. A last dimension of one is added to a tensor, or removed
        from it, if `shapes` asks for it: see `with_declared_rank`.

    Example:

    >>> sorted(named_inputs([1.0, 2.0]))
    ['input_0', 'input_1']
    """
    shapes = shapes or {}
    if isinstance(x, Mapping):
        named = {str(key): value for key, value in x.items()}
    elif isinstance(x, (list, tuple)):
        if len(x) == 1:
            return named_inputs(x[0], shapes)
        default = [f"input_{i}" for i in range(len(x))]
        named = dict(zip(shapes if len(shapes) == len(x) else default, x, strict=True))
    else:
        named = {"input": x}
        shapes = {"input": next(iter(shapes.values()))} if len(shapes) == 1 else {}
    return {
        name: with_declared_rank(value, shapes.get(name))
        for name, value in named.items()
        if value is not None
    }


def column_names(
    data: Any, shapes: Mapping[str, Shape] | None = None
) -> dict[str, tuple[str, ...]]:
    """Returns the names of the columns of the tables of pandas in `data`, by name of the input.

    Args:
        data: Any data that `batches` takes.
        shapes: Shapes of the model's inputs by name, as for `named_inputs`.
    """
    x = data[0] if isinstance(data, tuple) and data else data
    tables = [x] if is_table(x) else x.values() if isinstance(x, Mapping) else x
    is_inputs = isinstance(tables, (list, tuple, ValuesView)) and any(map(is_table, tables))
    return columns_of(named_inputs(x, shapes)) if is_inputs else {}


def with_declared_rank(x: Any, declared: Shape | None) -> Any:
    """Returns a tensor with the number of dimensions that a model declares for its input.

    A functional model of Keras does this by itself with what it is fed: gray images
    `(samples, height, width)` may be fed to an input `(None, height, width, 1)`, and the reverse.
    So they must be measured as the model sees them.

    Args:
        x: A tensor.
        declared: Shape of the input, with the batch dimension; None if it is not known.

    Returns:
        `x` itself if it has another shape in other respects, if the shape of the input is not
        known, and if `x` is sparse or ragged.
    """
    shape = getattr(x, "shape", None)
    if shape is None or declared is None or why_not_dense(x):
        return x
    longer, shorter = max(tuple(shape), declared, key=len), min(tuple(shape), declared, key=len)
    if len(shorter) < 2 or len(longer) != len(shorter) + 1 or longer[-1] != 1:
        return x
    if any(None not in (a, b) and a != b for a, b in zip(longer[1:-1], shorter[1:], strict=True)):
        return x
    return x[..., 0] if longer == tuple(shape) else x[..., None]


def why_not_dense(x: Any) -> str:
    """Returns a phrase that says why `x` is not one dense tensor; "" if it is."""
    kind = type(x).__name__
    if isinstance(x, (dict, list, tuple)):
        return "it consists of several tensors"
    if kind == "RaggedTensor":
        return "it is ragged"
    if kind in ("SparseTensor", "BCOO") or hasattr(x, "toarray") or getattr(x, "is_sparse", False):
        return "it is sparse"
    return ""


def batches(data: Any, batch_size: int = BATCH_SIZE, name: str = "data") -> Iterator[Batch]:
    """Yields `(x, y, sample_weight)` for any data that `fit` accepts.

    Args:
        data: NumPy arrays or tensors (a tuple is `(x,)`, `(x, y)` or
            `(x, y, w)`; a list or dict is a multi-input `x`); or a
            `tf.data.Dataset`, `keras.utils.PyDataset`, torch `DataLoader` or
            generator that yields batches of such tuples; or a function without
            arguments that returns any of these. Tables and columns of pandas count as arrays.
        batch_size: Number of samples in a batch of arrays. All other data is batched
            already.
        name: Name that error messages use for `data`.

    Raises:
        BadInputError: If `data` is none of these, or arrays differ in length.
    """
    yield from map(readable, _batches(sliceable(without_pandas(_made(data))), batch_size, name))


def _batches(data: Any, batch_size: int, name: str) -> Iterator[Batch]:
    """Yields batches as `batches` does, with arrays as they are."""
    if isinstance(data, list) and is_nested_numbers(data):
        of_what = "lists of numbers" if isinstance(data[0], (list, tuple)) else "numbers"
        raise BadInputError(
            f"`{name}` must be an array, whose first axis is that of the samples: "
            f"np.asarray({name}). Received: a list of {len(data):,} {of_what}"
        )
    if is_arrays(data):
        yield from _slices(_unpack(data), batch_size)
    elif isinstance(data, keras.utils.PyDataset):
        number = data.num_batches  # None if it is endless
        indices: Iterable[int] = count() if number is None else range(number)
        for index in indices:
            batch = data[index]
            yield _unpack(tuple(batch) if isinstance(batch, list) else batch)  # as `fit` does
    elif _is_sequence_of_batches(data):
        for index in range(len(data)):
            yield _unpack(data[index])
    elif isinstance(data, tuple) and data and _is_input(data[0]):
        raise BadInputError(
            f"In `{name}`, each member of (x, y) or (x, y, sample_weight) must be an array, or a "
            "list or dict of arrays: np.asarray(y) for a list of numbers. "
            f"Received: {', '.join(type(member).__name__ for member in data)}"
        )
    elif isinstance(data, Iterable) and not isinstance(data, (str, bytes)):
        for batch in data:
            # A torch DataLoader turns a tuple `(x, y)` into a list.
            was_tuple = isinstance(batch, list) and hasattr(data, "collate_fn")
            yield _unpack(tuple(batch) if was_tuple else batch)
    elif isinstance(data, (str, PathLike)):
        raise BadInputError(
            f"`{name}` must be data, not a path: read the files first, for example with "
            f"keras.utils.image_dataset_from_directory. Received: {str(data)!r}"
        )
    else:
        raise BadInputError(
            f"`{name}` must be what `model.fit` accepts: arrays, tensors, a tf.data.Dataset, a "
            "keras.utils.PyDataset, a torch DataLoader or a generator of batches. "
            f"Received: {type(data).__name__}"
        )


def all_batches(data: Any, batch_size: int = BATCH_SIZE, name: str = "data") -> Iterator[Batch]:
    """Yields the same as `batches`, for a caller that reads all of the data.

    Args:
        data: Any data that `batches` takes.
        batch_size: Number of samples in a batch of arrays.
        name: Name that error and warning messages use for `data`.

    Raises:
        BadInputError: If `data` is known to have no end, or is a list of single images.
    """
    data = _made(data)
    if _is_endless(data):
        raise BadInputError(
            f"`{name}` has no end, and it is read as a whole. Pass a part of it, such as "
            f"dataset.take(100). Received: {type(data).__name__}"
        )
    parts = data if isinstance(data, list) else []
    shapes: list[tuple[int, ...]] = [getattr(part, "shape", ()) for part in parts]
    if len(shapes) > MAX_INPUTS and all(len(s) == 3 and s[-1] in (3, 4) for s in shapes):
        raise BadInputError(
            f"`{name}` is a list, and a list is taken for several inputs. Stack images with "
            f"np.stack(images). Received: {len(shapes)} arrays, the first of shape {shapes[0]}"
        )
    says_its_end = isinstance(data, keras.utils.PyDataset) or hasattr(data, "__len__")
    start, count = time.monotonic(), 0
    for batch in batches(data, batch_size, name):
        yield batch
        count += 1
        if not says_its_end and time.monotonic() - start > PATIENCE:
            says_its_end = True  # warns only once
            warn(
                f"ShiftGuard has read {count:,} batches of `{name}` so far, which does not say "
                "where it ends. If it has no end, pass a part of it: itertools.islice(data, 100)."
            )


def _made(data: Any) -> Any:
    """Returns the result of a function that makes data; any other data as it is."""
    if isinstance(data, keras.layers.Layer):
        raise BadInputError(
            f"A model was passed in place of data. Received: {type(data).__name__} {data.name!r}"
        )
    is_data = isinstance(data, (keras.utils.PyDataset, Iterable))
    return data() if callable(data) and not is_data else data


def _is_endless(data: Any) -> bool:
    """Whether `data` is known to have no end, as the result of `tf.data.Dataset.repeat()` is.

    Whether a generator has an end is not known.
    """
    if isinstance(data, keras.utils.PyDataset):
        return data.num_batches is None
    cardinality = getattr(data, "cardinality", None)  # a method of tf.data.Dataset
    return callable(cardinality) and int(cardinality()) == -1


def first_batches(data: Any, max_samples: int) -> Iterator[Batch]:
    """Yields whole batches, until they hold `max_samples` samples or more, or `data` ends."""
    count = 0
    for x, y, weight in batches(data):
        yield x, y, weight
        leaves = [leaf for leaf in keras.tree.flatten(x) if hasattr(leaf, "shape")]
        count += leaves[0].shape[0] if leaves else 1
        if count >= max_samples:
            return


def first_samples(
    data: Any, max_samples: int, shapes: Mapping[str, Shape] | None = None
) -> tuple[dict[str, np.ndarray], Any]:
    """Returns the first samples of `data` as NumPy arrays.

    Args:
        data: Any data that `batches` takes.
        max_samples: The largest number of samples to return.
        shapes: Shapes of the model's inputs by name, as for `named_inputs`.

    Returns:
        The inputs by name, `(samples, ...)`, and the labels `(samples, ...)`. If the samples
        differ in size, only those of the first size are returned, and the labels are None.
        The labels are also None if there are none, several sets of them, or some of varying shape.

    Raises:
        BadInputError: If `data` is empty, or an input has no batch dimension.
    """
    inputs: dict[str, list[np.ndarray]] = {}
    labels: list[Any] | None = []
    count = 0
    for x, y, _ in batches(data):
        batch = {name: to_numpy(value) for name, value in named_inputs(x, shapes).items()}
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
        raise BadInputError("`data` is empty: not a single sample came out of it.")
    try:
        joined = {n: np.concatenate(p) if len(p) > 1 else p[0] for n, p in inputs.items()}
    except ValueError:
        # The samples differ in size from batch to batch: only those of the first size are used.
        joined = {
            name: np.concatenate([p for p in parts if p.shape[1:] == parts[0].shape[1:]])
            for name, parts in inputs.items()
        }
        labels = None
    return joined, _joined_labels(labels, count) if labels else None


def _joined_labels(parts: Sequence[Any], count: int) -> np.ndarray | None:
    """Returns the labels of the first `count` samples; None if their shapes differ, as of boxes."""
    try:
        return np.concatenate([to_numpy(part) for part in parts])[:count]
    except (TypeError, ValueError, AttributeError):
        return None


def to_numpy(value: Any) -> np.ndarray:
    """Returns a tensor of any backend as a NumPy array."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach"):  # a torch tensor, even if torch is not the backend
        return value.detach().cpu().numpy()
    if hasattr(value, "toarray"):  # a sparse matrix of SciPy
        return value.toarray()
    return np.asarray(value)


def is_arrays(data: Any) -> bool:
    """Whether `data` consists of arrays, rather than being an iterable of batches."""
    if isinstance(data, Mapping):
        return all(_is_array(value) for value in data.values())
    if isinstance(data, tuple):
        return len(data) > 0 and all(v is None or is_arrays(v) for v in data)
    if isinstance(data, list):
        return len(data) > 0 and all(_is_array(value) for value in data)
    return _is_array(data)


def _is_input(value: Any) -> bool:
    """Whether the first member of a tuple shows that the tuple is `(x, y)`."""
    return _is_array(value) or isinstance(value, Mapping) or is_nested_numbers(value)


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "__getitem__")


def _is_sequence_of_batches(data: Any) -> bool:
    """Whether `data` has a length and gives batches by index.

    The iterator of a legacy `ImageDataGenerator` is such a sequence. A loop over it never ends,
    so its batches are read by index.
    """
    has_index = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    return has_index and not isinstance(data, (str, bytes, list, tuple, Mapping))


def _unpack(batch: Any) -> Batch:
    """Returns a batch as `(x, y, sample_weight)`, with None for each missing part."""
    if isinstance(batch, list) and len(batch) in (2, 3) and not is_arrays(batch):
        batch = tuple(batch)
    if isinstance(batch, tuple):
        if not 1 <= len(batch) <= 3:
            raise BadInputError(
                "A tuple is (x,), (x, y) or (x, y, sample_weight); a multi-input x goes in a list "
                f"or dict. Received a tuple of {len(batch)} members."
            )
        x, y, weight = (*batch, None, None)[:3]
        if isinstance(y, (int, float)) or getattr(y, "shape", None) == ():
            raise BadInputError(
                "Labels need a batch dimension, one label for each sample. Received a single "
                "label. A dataset of single samples has to be batched: dataset.batch(32)."
            )
        return x, y, weight
    return batch, None, None


def _slices(batch: Batch, batch_size: int) -> Iterator[Batch]:
    """Yields slices of all arrays along their first axis."""
    leaves = [leaf for leaf in keras.tree.flatten(batch) if leaf is not None]
    if not all(len(leaf.shape) for leaf in leaves):
        raise BadInputError(
            "Arrays need a batch dimension. Received a single number, or a list of them: pass "
            "np.asarray(y) in place of a list."
        )
    ragged = [type(leaf).__name__ for leaf in leaves if not hasattr(leaf, "__len__")]
    if ragged:
        raise BadInputError(
            f"Arrays must be dense: pad samples to one length. Received: {', '.join(ragged)}"
        )
    lengths = {leaf.shape[0] for leaf in leaves}  # sparse matrices of SciPy have no `len`
    if len(lengths) > 1:
        raise BadInputError(
            f"All arrays need the same number of samples. Received: {sorted(lengths)}"
        )
    total = lengths.pop() if lengths else 0

    def cut(start: int) -> Callable[[Any], Any]:
        return lambda leaf: None if leaf is None else leaf[start : start + batch_size]

    for start in range(0, total, batch_size):
        x, y, weight = keras.tree.map_structure(cut(start), batch)
        yield x, y, weight

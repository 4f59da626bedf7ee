"""Batches of what `fit` accepts: their inputs by name, their parts, and slices of arrays."""

from collections.abc import Callable, Iterator, Mapping, Sequence, ValuesView
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.io.readable import is_nested_numbers
from keras_shiftguard.io.tables import is_table

# Samples in a batch of arrays, unless the caller passes another number. Given by Keras's `fit`.
BATCH_SIZE = 32

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
    """Returns the names of the columns of the tables of pandas in `data`, by name of the input."""
    x = data[0] if isinstance(data, tuple) and data else data
    tables = [x] if is_table(x) else x.values() if isinstance(x, Mapping) else x
    is_inputs = isinstance(tables, (list, tuple, ValuesView)) and any(map(is_table, tables))
    named = named_inputs(x, shapes) if is_inputs else {}
    return {name: tuple(map(str, t.columns)) for name, t in named.items() if is_table(t)}


def with_declared_rank(x: Any, declared: Shape | None) -> Any:
    """Returns a tensor with the number of dimensions that a model declares for its input.

    A functional model of Keras does this by itself with what it is fed: gray images
    `(samples, height, width)` may be fed to an input `(None, height, width, 1)`, and the reverse.
    So they must be measured as the model sees them.

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


def joined_labels(parts: Sequence[Any], count: int) -> np.ndarray | None:
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
        return all(is_array(value) for value in data.values())
    if isinstance(data, tuple):
        return len(data) > 0 and all(v is None or is_arrays(v) for v in data)
    if isinstance(data, list):
        return len(data) > 0 and all(is_array(value) for value in data)
    return is_array(data)


def is_input(value: Any) -> bool:
    """Whether the first member of a tuple shows that the tuple is `(x, y)`."""
    return is_array(value) or isinstance(value, Mapping) or is_nested_numbers(value)


def is_array(value: Any) -> bool:
    """Whether `value` is an array or a tensor."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "__getitem__")


def unpacked(batch: Any) -> Batch:
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


def slices(batch: Batch, batch_size: int) -> Iterator[Batch]:
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

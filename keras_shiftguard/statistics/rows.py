"""`Rows`: arrays that have one row for each sample, such as several inputs or several labels."""

from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np


class Rows:
    """A tree of NumPy arrays with the same number of rows, indexed together.

    Args:
        tree: Arrays `(samples, ...)` in any structure, at least one.
    """

    def __init__(self, tree: Any) -> None:
        self.tree = tree

    def __len__(self) -> int:
        return len(keras.tree.flatten(self.tree)[0])

    def __getitem__(self, which: Any) -> Self:
        """Returns the rows at these positions: a slice, an array of positions, or a mask."""
        return type(self)(keras.tree.map_structure(lambda part: part[which], self.tree))

    @property
    def num_bytes(self) -> int:
        """Size of a row in bytes."""
        leaves = keras.tree.flatten(self.tree)
        return sum(leaf.nbytes for leaf in leaves) // max(len(self), 1)

    @classmethod
    def joined(cls, parts: Sequence["Rows"]) -> Self | None:
        """Returns the rows of all parts; None if their structures or shapes differ."""
        flat = [keras.tree.flatten(part.tree) for part in parts]
        shapes = {tuple(leaf.shape[1:] for leaf in leaves) for leaves in flat}
        if len(shapes) != 1:
            return None
        columns = [np.concatenate(column) for column in zip(*flat, strict=True)]
        return cls(keras.tree.pack_sequence_as(parts[0].tree, columns))


def joined(parts: Sequence[Any]) -> Any:
    """Returns arrays, or `Rows`, of the same structure and shape as one, one after another."""
    if len(parts) == 1:
        return parts[0]
    return Rows.joined(parts) if isinstance(parts[0], Rows) else np.concatenate(parts)

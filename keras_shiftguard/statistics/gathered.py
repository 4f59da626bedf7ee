"""`Gathered`: small batches put together, so that one update measures several of them.

PyTorch compiles nothing. An update has hundreds of short operations, and takes as long for 32 small
samples as for 128. The statistics are sums over samples, so the result is the same.
"""

from collections.abc import Mapping
from math import prod
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_shiftguard.statistics.spread import PART

# Batches are put together up to about this many samples, which are then measured in whole parts, or
# up to this many values, so that copies stay small (4 MiB of float32). Larger batches are not
# copied. Conventions.
MAX_SAMPLES, MAX_VALUES = 32 * PART, 2**20


class Batch(NamedTuple):
    """One or more batches.

    Attributes:
        inputs: Tensors `(samples, ...)` by name.
        y: Labels; None if there are none, or none that can be counted.
        chosen: Positions of the samples whose attributes are measured; None if it is only counted.
    """

    inputs: dict[str, Any]
    y: Any
    chosen: np.ndarray | None


class Gathered:
    """Batches of tensors of the same shapes, which wait for their update."""

    def __init__(self) -> None:
        self._waiting: list[Batch] = []
        self._kind: Any = None  # shapes and dtypes of the waiting batches
        self._samples = self._values = 0

    def add(self, batch: Batch) -> list[tuple[Batch, Batch | None]]:
        """Adds a batch; returns what is now due, as `take` does."""
        tensors = [*batch.inputs.values(), *([] if batch.y is None else [batch.y])]
        kind = [*batch.inputs, *((tuple(x.shape[1:]), x.dtype) for x in tensors)]
        due = self.take() if kind != self._kind else []
        values = sum(prod(x.shape) for x in tensors)
        if 2 * values > MAX_VALUES or 2 * tensors[0].shape[0] > MAX_SAMPLES:
            return [*due, *self.take(), (batch, None if batch.chosen is None else batch)]
        # Copies, because a loader may write its next batch into the same memory.
        inputs = {name: keras.ops.copy(x) for name, x in batch.inputs.items()}
        y = None if batch.y is None else keras.ops.copy(batch.y)
        self._waiting.append(Batch(inputs, y, batch.chosen))
        self._kind = kind
        self._samples += tensors[0].shape[0]
        self._values += values
        is_full = self._samples >= MAX_SAMPLES or self._values >= MAX_VALUES
        return [*due, *self.take()] if is_full else due

    def take(self) -> list[tuple[Batch, Batch | None]]:
        """Returns the waiting batches as one, and those of them that are measured; empties them."""
        waiting, self._waiting, self._kind = self._waiting, [], None
        self._samples = self._values = 0
        if not waiting:
            return []
        measured = [batch for batch in waiting if batch.chosen is not None]
        everything = _joined(waiting)
        if len(measured) == len(waiting):
            return [(everything, everything)]
        return [(everything, _joined(measured) if measured else None)]


def _joined(batches: list[Batch]) -> Batch:
    """Returns the samples of several batches as one batch."""
    if len(batches) == 1:
        return batches[0]
    inputs: Mapping[str, Any] = batches[0].inputs
    joined = {name: keras.ops.concatenate([b.inputs[name] for b in batches]) for name in inputs}
    y = None if batches[0].y is None else keras.ops.concatenate([b.y for b in batches])
    sizes = [next(iter(batch.inputs.values())).shape[0] for batch in batches]
    starts = np.cumsum([0, *sizes[:-1]])
    chosen = [
        start + b.chosen for start, b in zip(starts, batches, strict=True) if b.chosen is not None
    ]
    return Batch(joined, y, np.concatenate(chosen) if chosen else None)

"""Two streams as one: batches of source and target, side by side.

Source and target have sizes of their own, and the target begins again when it
is over. Each batch is `({SOURCE: x, TARGET: x_target}, y, sample_weight)`.
"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.io.batches import SOURCE, TARGET, Batch, batches, is_arrays

MOST_AHEAD = 16  # batches; Keras looks at two before it starts
MOST_REPLAYED = 4096  # batches of a one-shot target that are kept to begin again


class Pairs(keras.utils.PyDataset):
    """One epoch over the source, with as many batches of the target beside it.

    Batches come in order: Keras must be told `shuffle=False`.

    Args:
        source: Whatever `fit` accepts, as `(x, y)` or `(x, y, sample_weight)`.
        target: Whatever `fit` accepts; labels are left out.
        batch_size: For arrays, of either stream.
        shuffle: Whether arrays and indexed datasets of the source are shuffled
            anew each epoch.
        steps: How many batches an epoch has; needed for a one-shot source.
        seed: Of the shuffling.
    """

    def __init__(
        self,
        source: Any,
        target: Any,
        batch_size: int = 32,
        shuffle: bool = True,
        steps: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(workers=1)
        self._rng = np.random.default_rng(seed)
        self._source, self._steps = _passes(source, batch_size, shuffle, steps, self._rng)
        self._target = endless(target, batch_size, np.random.default_rng(seed + 1))
        self._current: Iterator[Batch] | None = None
        self._next = 0
        # What was looked at of a stream that cannot begin again, until training has begun.
        self._looked_at: list[Batch] | None = [] if is_one_shot(source) else None
        self._has_begun = False

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> Any:
        # Keras looks at the first batches before it starts: each look at
        # number 0 begins a pass.
        if index == 0 or self._current is None or index < self._next:
            if self._looked_at is None:
                self._current = self._source()
            else:
                self._current = chain(self._looked_at, self._current or self._source())
                self._looked_at = []
            self._next = 0
        while True:
            batch = next(self._current, None)
            if batch is None:
                raise BadInputError(
                    f"The source ended after {self._next} batches and was expected to have "
                    f"{self._steps}: pass `steps_per_epoch={self._next}`."
                )
            self._next += 1
            if self._looked_at is not None:
                self._looked_at.append(batch)
                if len(self._looked_at) > MOST_AHEAD:
                    self._looked_at = None
            if self._next > index:
                break
        x, y, weight = batch
        pair = ({SOURCE: x, TARGET: next(self._target)}, y)
        return pair if weight is None else (*pair, weight)

    def on_epoch_begin(self) -> None:
        """Called by Keras."""
        self._has_begun = True

    def on_epoch_end(self) -> None:
        """Called by Keras, before the first epoch as well."""
        if self._has_begun and self._next >= self._steps:
            self._looked_at = None  # training is under way: nothing is looked at twice


def endless(target: Any, batch_size: int, rng: np.random.Generator) -> Iterator[Any]:
    """The inputs of the target, batch after batch, for ever."""
    if is_arrays(target):
        yield from _drawn(_inputs(target), batch_size, rng)
    kept: list[Any] = []
    once = is_one_shot(target)
    while True:
        count = 0
        for x, _, _ in batches(target, batch_size):
            count += 1
            if once and len(kept) < MOST_REPLAYED:
                kept.append(x)
            yield x
        if not count:
            raise BadInputError("`target_data` is empty: not a single batch came out of it.")
        if once:
            break
    if len(kept) >= MOST_REPLAYED:
        raise BadInputError(
            f"`target_data` is a generator that ended after more than {MOST_REPLAYED} batches and "
            "cannot begin again. Pass a function that makes it, a dataset, or arrays."
        )
    while True:
        yield from kept


def is_one_shot(data: Any) -> bool:
    """Whether `data` can be gone through only once."""
    return isinstance(data, Iterator)


def _inputs(target: Any) -> Any:
    return target[0] if isinstance(target, tuple) else target


def _drawn(x: Any, batch_size: int, rng: np.random.Generator) -> Iterator[Any]:
    """Full batches of arrays, in a new order each time round."""
    total = len(keras.tree.flatten(x)[0])
    size = min(batch_size, total)
    order = rng.permutation(total)
    while True:
        while len(order) < size:
            order = np.concatenate([order, rng.permutation(total)])
        yield _rows(x, order[:size])
        order = order[size:]


def _rows(x: Any, index: np.ndarray) -> Any:
    return keras.tree.map_structure(lambda a: None if a is None else _take(a, index), x)


def _take(a: Any, index: np.ndarray) -> Any:
    if isinstance(a, np.ndarray):
        return a[index]
    return keras.ops.take(a, index, axis=0)


def _passes(
    source: Any, batch_size: int, shuffle: bool, steps: int | None, rng: np.random.Generator
) -> tuple[Callable[[], Iterator[Batch]], int]:
    """What starts a pass over the source, and how many batches it has."""
    if is_arrays(source):
        total = len(keras.tree.flatten(source)[0])

        def arrays() -> Iterator[Batch]:
            while True:
                order = rng.permutation(total) if shuffle else np.arange(total)
                for start in range(0, total, batch_size):
                    rows = order[start : start + batch_size]
                    x, y, weight = (*_rows(source, rows), None, None)[:3]
                    yield x, y, weight

        own = -(-total // batch_size)
        if steps is None or steps == own:
            return arrays, own
        running = arrays()
        return lambda: running, steps
    if is_one_shot(source):
        if steps is None:
            raise BadInputError(
                "The source is a generator: say how many batches are an epoch, with "
                "`steps_per_epoch=`, or pass a function that makes it."
            )
        once = batches(source)
        return lambda: once, steps
    length = steps if steps is not None else _length(source)
    if isinstance(source, keras.utils.PyDataset) and shuffle and steps is None:

        def indexed() -> Iterator[Batch]:
            for i in rng.permutation(length):
                yield next(batches([source[int(i)]].__iter__()))
            source.on_epoch_end()

        return indexed, length

    if steps is None:
        return lambda: batches(source), length

    def forever() -> Iterator[Batch]:
        while True:
            yield from batches(source)

    running_batches = forever()
    return lambda: running_batches, length


def _length(source: Any) -> int:
    """Number of batches of a source that can be gone through again."""
    for measure in (lambda: len(source), lambda: int(source.cardinality())):
        try:
            count = measure()
        except (TypeError, AttributeError, NotImplementedError):
            continue
        if count > 0:
            return count
        if count == -1:
            raise BadInputError("The source never ends: pass `steps_per_epoch=`.")
        if count == 0:
            raise BadInputError("The source is empty: it has no batches.")
    # Counted once, by going through it.
    count = sum(1 for _ in batches(source))
    if not count:
        raise BadInputError("The source is empty: not a single batch came out of it.")
    return count

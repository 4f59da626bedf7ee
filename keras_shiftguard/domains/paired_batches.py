"""`Pairs`: a dataset whose batches combine a source batch and a target batch.

Source and target may have different sizes: the target is repeated. Each batch is
`({SOURCE: x, TARGET: x_target}, y, sample_weight)`.
"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.io.batches import SOURCE, TARGET, Batch, batches, is_arrays, num_samples

# Keras fetches two batches of a dataset before training. If the source is one-shot (an iterator),
# they are cached. If more than `MAX_PREFETCHED` batches are fetched, training has begun, and the
# cache is dropped. A convention.
MAX_PREFETCHED = 16
# Batches of a one-shot target that are cached to repeat it. A convention.
MAX_CACHED_BATCHES = 4096


class Pairs(keras.utils.PyDataset):
    """A Keras dataset that adds a target batch to each batch of the source.

    Batches must be read in order, so `fit` needs `shuffle=False`.

    Args:
        source: `(x, y)` or `(x, y, sample_weight)`, in any form that `fit` accepts.
        target: The target, in any form that `fit` accepts; labels are ignored.
        batch_size: Batch size for source and target arrays.
        shuffle: Whether to shuffle source arrays in each epoch, and the batches of a source
            `PyDataset` if `steps` is None.
        steps: Number of batches in an epoch; required if the source is an iterator or endless.
        seed: Seed of the shuffling.

    Raises:
        BadInputError: For an empty source, or if the number of batches is unknown.
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
        self._source, self._steps = _make_source(source, batch_size, shuffle, steps, self._rng)
        self._target = endless_batches(target, batch_size, np.random.default_rng(seed + 1))
        self._datasets = [d for d in (source, target) if isinstance(d, keras.utils.PyDataset)]
        self._current: Iterator[Batch] | None = None  # the source batches of this epoch
        self._next = 0  # index of the source batch that is read next
        # The first batches of a one-shot source, cached until training has started.
        self._prefetched: list[Batch] | None = [] if is_one_shot(source) else None
        self._has_started = False

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> Any:
        # Keras fetches the first batches before training as well, so each request for
        # batch 0 starts the epoch again.
        if index == 0 or self._current is None or index < self._next:
            if self._prefetched is None:
                self._current = self._source()
            else:
                self._current = chain(self._prefetched, self._current or self._source())
                self._prefetched = []
            self._next = 0
        while True:
            batch = next(self._current, None)
            if batch is None:
                raise BadInputError(
                    f"The source ended after {self._next} batches and was expected to have "
                    f"{self._steps}: pass `steps_per_epoch={self._next}`."
                )
            self._next += 1
            if self._prefetched is not None:
                self._prefetched.append(batch)
                if len(self._prefetched) > MAX_PREFETCHED:
                    self._prefetched = None
            if self._next > index:
                break
        x, y, weight = batch
        pair = ({SOURCE: x, TARGET: next(self._target)}, y)
        return pair if weight is None else (*pair, weight)

    def on_epoch_begin(self) -> None:
        """Records that training has started; Keras calls this method."""
        self._has_started = True
        for dataset in self._datasets:
            dataset.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """Drops the cache after the first epoch; Keras also calls this before training."""
        if self._has_started and self._next >= self._steps:
            self._prefetched = None  # no batch is fetched twice after the first epoch
        for dataset in self._datasets:  # which may shuffle themselves
            dataset.on_epoch_end()


def endless_batches(target: Any, batch_size: int, rng: np.random.Generator) -> Iterator[Any]:
    """Yields batches of the target's inputs without end.

    Args:
        target: The target, in any form that `fit` accepts; labels are ignored.
        batch_size: Batch size for arrays.
        rng: Random generator that shuffles arrays, and the batches of a `PyDataset`, as `fit`
            does with its training data.

    Raises:
        BadInputError: For an empty target, or an iterator of `MAX_CACHED_BATCHES` batches
            or more.
    """
    if is_arrays(target):
        inputs = target[0] if isinstance(target, tuple) else target
        yield from _shuffled_batches(inputs, batch_size, rng)
    cached: list[Any] = []
    one_shot = is_one_shot(target)
    while True:
        count = 0
        for x, _, _ in _one_pass(target, batch_size, rng):
            count += 1
            if one_shot and len(cached) < MAX_CACHED_BATCHES:
                cached.append(x)
            yield x
        if not count:
            raise BadInputError("`target_data` is empty: it yielded no batch.")
        if one_shot:
            break
    if len(cached) >= MAX_CACHED_BATCHES:
        raise BadInputError(
            f"`target_data` is a generator with {MAX_CACHED_BATCHES} batches or more, too many "
            "to be repeated from memory. Pass a function that makes it, a dataset, or arrays."
        )
    while True:
        yield from cached


def _one_pass(data: Any, batch_size: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Returns the batches of data; those of a finite `PyDataset` in random order."""
    if isinstance(data, keras.utils.PyDataset) and data.num_batches is not None:
        shuffled = (data[int(i)] for i in rng.permutation(data.num_batches))
        return batches(tuple(each) if isinstance(each, list) else each for each in shuffled)
    return batches(data, batch_size)


def is_one_shot(data: Any) -> bool:
    """Whether `data` is an iterator, which yields its batches only once."""
    return isinstance(data, Iterator)


def _shuffled_batches(x: Any, batch_size: int, rng: np.random.Generator) -> Iterator[Any]:
    """Yields full batches of arrays without end, in a new order in each pass."""
    total = num_samples(x)
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


def _make_source(
    source: Any, batch_size: int, shuffle: bool, steps: int | None, rng: np.random.Generator
) -> tuple[Callable[[], Iterator[Batch]], int]:
    """Returns a function that starts an epoch, and the number of batches in an epoch.

    If `steps` is not the number of batches in the source, each epoch continues where the
    previous epoch ended, instead of starting the source again.
    """
    if is_arrays(source):
        total = num_samples(source)

        def array_batches() -> Iterator[Batch]:
            while True:
                order = rng.permutation(total) if shuffle else np.arange(total)
                for start in range(0, total, batch_size):
                    rows = order[start : start + batch_size]
                    x, y, weight = (*_rows(source, rows), None, None)[:3]
                    yield x, y, weight

        length = -(-total // batch_size)  # rounded up
        if steps is None or steps == length:
            return array_batches, length
        endless = array_batches()
        return lambda: endless, steps
    if is_one_shot(source):
        if steps is None:
            raise BadInputError(
                "The source is a generator: give the number of batches in an epoch with "
                "`steps_per_epoch=`, or pass a function that makes it."
            )
        all_batches = batches(source)
        return lambda: all_batches, steps
    length = steps if steps is not None else _length(source)
    if isinstance(source, keras.utils.PyDataset) and shuffle and steps is None:
        return lambda: _one_pass(source, batch_size, rng), length
    if steps is None:
        return lambda: batches(source), length

    def repeated() -> Iterator[Batch]:
        while True:
            yield from batches(source)

    endless_source = repeated()
    return lambda: endless_source, length


def _length(source: Any) -> int:
    """Returns the number of batches of a source that can be read repeatedly."""
    for measure in (lambda: len(source), lambda: int(source.cardinality())):
        try:
            count = measure()
        except (TypeError, AttributeError, NotImplementedError):
            continue
        if count > 0:
            return count
        if count == -1:  # the cardinality of an endless tf.data.Dataset
            raise BadInputError("The source has no end: pass `steps_per_epoch=`.")
        if count == 0:
            raise BadInputError("The source is empty: it has no batches.")
    # The length is unknown, so the batches are counted in one pass.
    count = sum(1 for _ in batches(source))
    if not count:
        raise BadInputError("The source is empty: it yielded no batch.")
    return count

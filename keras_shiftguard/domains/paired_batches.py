"""`Pairs`: a dataset whose batches combine a source batch and a target batch.

Source and target may have different sizes: the target is repeated. Each batch is
`({SOURCE: x, TARGET: x_target}, y, sample_weight)`.
"""

from collections.abc import Callable, Iterator
from itertools import chain, count
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.io.batches import SOURCE, TARGET, Batch, unpacked
from keras_shiftguard.io.source import Source

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
        source: The source, whose batches have labels.
        target: The target; labels are ignored.
        batch_size: Batch size for source and target arrays.
        shuffle: Whether to shuffle source arrays in each epoch, and the batches of a source
            `PyDataset` if `steps` is None.
        steps: Number of batches in an epoch; required if the source is an iterator or endless.
        seed: Seed of the shuffling.
    """

    def __init__(
        self,
        source: Source,
        target: Source,
        batch_size: int = 32,
        shuffle: bool = True,
        steps: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(workers=1)
        self._rng = np.random.default_rng(seed)
        self._source, self._steps = _make_source(source, batch_size, shuffle, steps, self._rng)
        self._target = endless_batches(target, batch_size, np.random.default_rng(seed + 1))
        self._datasets = [s.data for s in (source, target) if s.form == "dataset"]
        self._current: Iterator[Batch] | None = None  # the source batches of this epoch
        self._next = 0  # index of the source batch that is read next
        # The first batches of a one-shot source, cached until training has started.
        self._prefetched: list[Batch] | None = [] if source.is_one_shot else None
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


def endless_batches(target: Source, batch_size: int, rng: np.random.Generator) -> Iterator[Any]:
    """Yields batches of the target's inputs without end.

    `rng` shuffles arrays, and the batches of a `PyDataset`, as `fit` does with its training data.

    Raises:
        BadInputError: For an empty target, or an iterator of `MAX_CACHED_BATCHES` batches
            or more.
    """
    if target.size:
        yield from _shuffled_batches(target, batch_size, rng)
    cached: list[Any] = []
    has_begun = False
    while not (target.is_one_shot and has_begun):
        is_empty = True
        for x, _, _ in _one_pass(target, batch_size, rng):
            is_empty, has_begun = False, True
            if target.is_one_shot and len(cached) < MAX_CACHED_BATCHES:
                cached.append(x)
            yield x
        if is_empty:
            raise BadInputError("`target_data` is empty: it yielded no batch.")
    if len(cached) >= MAX_CACHED_BATCHES:
        raise BadInputError(
            f"`target_data` is a generator with {MAX_CACHED_BATCHES} batches or more, too many "
            "to be repeated from memory. Pass a function that makes it, a dataset, or arrays."
        )
    while True:
        yield from cached


def _one_pass(source: Source, batch_size: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Returns the batches of data; those of a finite `PyDataset` in random order."""
    if source.form == "dataset" and not source.is_endless:
        return source.batches(order=map(int, rng.permutation(source.data.num_batches)))
    return source.batches(batch_size)


def _shuffled_batches(target: Source, batch_size: int, rng: np.random.Generator) -> Iterator[Any]:
    """Yields full batches of arrays without end, in a new order in each pass."""
    total, x = target.size or 0, unpacked(target.data)[0]
    size = min(batch_size, total)
    order = rng.permutation(total)
    while True:
        while len(order) < size:
            order = np.concatenate([order, rng.permutation(total)])
        yield _rows(x, order[:size])
        order = order[size:]


def _rows(x: Any, index: np.ndarray) -> Any:
    def part(a: Any) -> Any:
        if a is None or isinstance(a, np.ndarray):
            return None if a is None else a[index]
        return keras.ops.take(a, index, axis=0)

    return keras.tree.map_structure(part, x)


def _make_source(
    source: Source, batch_size: int, shuffle: bool, steps: int | None, rng: np.random.Generator
) -> tuple[Callable[[], Iterator[Batch]], int]:
    """Returns a function that starts an epoch, and the number of batches in an epoch.

    If `steps` is not the number of batches in the source, each epoch continues where the
    previous epoch ended, instead of starting the source again.
    """
    if source.is_one_shot:
        if steps is None:
            raise BadInputError(
                "The source is a generator: give the number of batches in an epoch with "
                "`steps_per_epoch=`, or pass a function that makes it."
            )
        the_only_pass = source.batches()
        return lambda: the_only_pass, steps

    def one_pass() -> Iterator[Batch]:
        if source.size is not None:
            order = rng.permutation(source.size) if shuffle else np.arange(source.size)
            for start in range(0, source.size, batch_size):
                yield unpacked(_rows(source.data, order[start : start + batch_size]))
        elif shuffle and steps is None:
            yield from _one_pass(source, batch_size, rng)
        else:
            yield from source.batches(batch_size)

    length = None if source.size is None else -(-source.size // batch_size)  # rounded up
    if steps is None or steps == length:
        return one_pass, length if length is not None else _length(source)
    endless = chain.from_iterable(one_pass() for _ in count())
    return lambda: endless, steps


def _length(source: Source) -> int:
    """Returns the number of batches of a source that can be read repeatedly."""
    if source.is_endless:
        raise BadInputError("The source has no end: pass `steps_per_epoch=`.")
    for measure in (lambda: len(source.data), lambda: int(source.data.cardinality())):
        try:
            length = measure()
        except (TypeError, AttributeError, NotImplementedError):
            continue
        if length >= 0:  # the cardinality of a tf.data.Dataset is negative if it is not known
            break
    else:  # the batches are counted in one pass
        length = sum(1 for _ in source.batches())
    if not length:
        raise BadInputError("The source is empty: it has no batches.")
    return length

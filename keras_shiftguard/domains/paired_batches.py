"""`Pairs`: a dataset whose batches combine a source batch and a target batch.

Source and target may have different sizes: the target is repeated. Each batch is
`({SOURCE: x, TARGET: x_target}, y, sample_weight)`.
"""

from collections.abc import Callable, Iterator
from itertools import chain, count, cycle, tee
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.io.batches import SOURCE, TARGET, Batch, unpacked
from keras_shiftguard.io.source import Source

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
        # Tensors are copied to the host once, not in each batch.
        source, target = (s.rows(slice(None)) if s.size else s for s in (source, target))
        rng = np.random.default_rng(seed)
        self._source, self._steps = _make_source(source, batch_size, shuffle, steps, rng)
        self._target = endless_batches(target, batch_size, np.random.default_rng(seed + 1))
        self._datasets = [s.data for s in (source, target) if s.form == "dataset"]
        self._current: Iterator[Batch] = iter(())  # the source batches of this epoch
        self._is_one_shot, self._has_begun = source.is_one_shot, False

    def begin(self, *_: Any) -> None:
        """Records that Keras trains, and no longer reads the first batches in advance."""
        self._has_begun = True

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> Any:
        # Keras reads the first batches before training as well, so batch 0 starts the epoch again.
        if index == 0:
            if self._is_one_shot and not self._has_begun:
                first, again = tee(self._source())
                self._current, self._source = first, lambda: again
            else:
                self._current = self._source()
        batch = next(self._current, None)
        if batch is None:
            raise BadInputError(
                f"The source ended after {index} batches and was expected to have "
                f"{self._steps}: pass `steps_per_epoch={index}`."
            )
        x, y, weight = batch
        pair = ({SOURCE: x, TARGET: next(self._target)}, y)
        return pair if weight is None else (*pair, weight)

    def on_epoch_begin(self) -> None:
        for dataset in self._datasets:
            dataset.on_epoch_begin()

    def on_epoch_end(self) -> None:
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
    number = 1
    while number and not cached:
        number = 0
        for number, (x, _, _) in enumerate(_one_pass(target, batch_size, rng), 1):
            if target.is_one_shot and number < MAX_CACHED_BATCHES:
                cached.append(x)
            yield x
    if not number:
        raise BadInputError("`target_data` is empty: it yielded no batch.")
    if number >= MAX_CACHED_BATCHES:
        raise BadInputError(
            f"`target_data` is a generator with {MAX_CACHED_BATCHES} batches or more, too many "
            "to be repeated from memory. Pass a function that makes it, a dataset, or arrays."
        )
    yield from cycle(cached)


def _one_pass(source: Source, batch_size: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Returns the batches of data; those of a finite `PyDataset` in random order."""
    if source.form == "dataset" and not source.is_endless:
        return source.batches(order=map(int, rng.permutation(source.data.num_batches)))
    return source.batches(batch_size)


def _shuffled_batches(target: Source, batch_size: int, rng: np.random.Generator) -> Iterator[Any]:
    """Yields full batches of arrays without end, in a new order in each pass."""
    total = target.size or 0
    size = min(batch_size, total)
    order = rng.permutation(total)
    while True:
        while len(order) < size:
            order = np.concatenate([order, rng.permutation(total)])
        yield unpacked(target.rows(order[:size]).data)[0]
        order = order[size:]


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
                yield unpacked(source.rows(order[start : start + batch_size]).data)
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

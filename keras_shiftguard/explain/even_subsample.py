"""`EvenSubsample`: an evenly spread part of a stream, in bounded memory."""

import numpy as np

from keras_shiftguard.errors import BadInputError

MAX_BYTES = 2 << 30  # largest size of the kept samples in memory. A convention.


class EvenSubsample:
    """An evenly spread subsample of a stream of unknown length, in bounded memory.

    Args:
        limit: Largest number of kept samples; None keeps as many as fit into `MAX_BYTES`. With a
            number, the samples must fit into `MAX_BYTES` as well.
        stop: Whether to stop at the limit; the subsample is then the first samples of the stream.
            Otherwise the whole stream is read, and every second sample is dropped whenever more
            than `limit` are held.
    """

    def __init__(self, limit: int | None, stop: bool) -> None:
        self.limit, self.stop = limit, stop
        # Number of samples added, number kept, and stride: one of every `stride` samples is kept.
        self.seen, self.count, self.stride = 0, 0, 1
        self.inputs: dict[str, list[np.ndarray]] = {}
        self.labels: list[np.ndarray] | None = []

    def add(self, inputs: dict[str, np.ndarray], labels: np.ndarray | None) -> bool:
        """Adds a batch; returns whether more batches are needed."""
        size = len(next(iter(inputs.values())))
        if self.limit is None or self.seen == 0:
            sample_bytes = sum(value.nbytes for value in inputs.values()) // max(size, 1)
            fitting = max(1, MAX_BYTES // max(sample_bytes, 1))
            self.limit = min(self.limit or fitting, fitting)
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
            # Dropping every second sample keeps the subsample evenly spread.
            self.stride *= 2
            self._thin(slice(None, None, 2))
        return True

    def _thin(self, which: slice) -> None:
        self.inputs = {name: [_join(name, parts)[which]] for name, parts in self.inputs.items()}
        if self.labels is not None:
            self.labels = [np.concatenate(self.labels)[which]]
        self.count = len(next(iter(self.inputs.values()))[0])

    @property
    def positions(self) -> np.ndarray:
        """The positions of the kept samples in the stream."""
        return np.arange(self.count) * self.stride

    def joined(self) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """Returns the inputs by name, and the labels or None."""
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

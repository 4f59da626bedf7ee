"""Whether two passes over training had the same samples, by hashes of the kept ones."""

from collections.abc import Set

import numpy as np

from keras_shiftguard.statistics.stream import Stream

# Two epochs have other samples if their kept samples have less than this share of the samples in
# common that chance gives, where chance gives at least so many.
MAX_COMMON, MIN_COMMON = 0.25, 20
# They have the same samples if they have at least this share in common, where chance gives at least
# so many: of images that are mirrored at random, half are the same.
MIN_UNCHANGED, MIN_CERTAIN = 0.8, 100


def are_redrawn(before: Set[int], now: Set[int], num_samples: int) -> bool:
    """Whether augmentation surely changed the training samples between two epochs.

    Args:
        before: Result of `contents` in one epoch.
        now: The same in another epoch.
        num_samples: Number of training samples.
    """
    by_chance = len(before) * len(now) / max(num_samples, 1)
    return by_chance >= MIN_COMMON and len(before & now) < MAX_COMMON * by_chance


def are_unchanged(before: Set[int], now: Set[int], num_samples: int) -> bool:
    """Whether the training samples surely are the same in two epochs; see `are_redrawn`."""
    by_chance = len(before) * len(now) / max(num_samples, 1)
    return by_chance >= MIN_CERTAIN and len(before & now) > MIN_UNCHANGED * by_chance


def contents(stream: Stream) -> Set[int]:
    """Returns a hash of each kept sample; none if its inputs have other numbers of samples."""
    return set(hashes(stream))


def hashes(stream: Stream) -> list[int]:
    """Returns a hash of each kept sample; none if its inputs have other numbers of samples."""
    rows = [kept.read()[0] for kept in stream.buffers.values()]
    size = min((len(each) for each in rows), default=0)
    if not size or len({len(each) for each in rows}) > 1:
        return []
    parts = [np.ascontiguousarray(each).reshape(size, -1) for each in rows]
    return [hash(b"".join(each[i].tobytes() for each in parts)) for i in range(size)]

"""How the model has seen the training samples: once, or before, so that it may know them by heart.

The accuracy on training samples that the model saw only once is honest. Samples that it saw more
often may be memorized. The training samples were seen before if the model was trained before the
fit, or if one epoch passes over the samples several times.
"""

from collections.abc import Set

import keras
import numpy as np

from keras_shiftguard.preprocessing.expected.trained_weights import has_trained_head
from keras_shiftguard.statistics.state import on_host
from keras_shiftguard.statistics.stream import Stream

# Training repeats its samples if the kept ones include at least this many copies, and twice as
# large a share of copies as those of validation, where the copies may be natural.
MIN_COPIES, MIN_RATIO = 3, 2.0
# Two epochs have other samples if their kept samples have less than this share of the samples in
# common that chance gives, where chance gives at least so many.
MAX_COMMON, MIN_COMMON = 0.25, 20
# They have the same samples if they have at least this share in common, where chance gives at least
# so many: of images that are mirrored at random, half are the same.
MIN_UNCHANGED, MIN_CERTAIN = 0.8, 100


def is_trained(model: keras.Model) -> bool:
    """Whether the model was trained: its optimizer has made steps, or its head has a bias."""
    try:
        steps = getattr(getattr(model, "optimizer", None), "iterations", None)
        is_in_training = steps is not None and int(on_host(steps)) > 0
        return is_in_training or has_trained_head(model)
    except Exception:  # the user's own optimizer or layer may raise anything
        return False


def repeats_samples(training: Stream, validation: Stream) -> bool:
    """Whether the latest pass over training had samples several times.

    This is so if an "epoch" is several passes (`repeat()` with `steps_per_epoch`), or if the
    samples of rare classes are repeated.

    Args:
        training: Training, with its kept samples.
        validation: Validation, with its kept samples.
    """
    copies, size = _copies(training)
    natural, other_size = _copies(validation)
    return copies >= MIN_COPIES and copies * other_size > MIN_RATIO * natural * size


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


def _copies(stream: Stream) -> tuple[int, int]:
    """Returns how many kept samples equal an earlier one, and how many samples are kept."""
    found = hashes(stream)
    return len(found) - len(set(found)), max(len(found), 1)


def hashes(stream: Stream) -> list[int]:
    """Returns a hash of each kept sample; none if its inputs have other numbers of samples."""
    rows = [kept.read()[0] for kept in stream.buffers.values()]
    size = min((len(each) for each in rows), default=0)
    if not size or len({len(each) for each in rows}) > 1:
        return []
    parts = [np.ascontiguousarray(each).reshape(size, -1) for each in rows]
    return [hash(b"".join(each[i].tobytes() for each in parts)) for i in range(size)]

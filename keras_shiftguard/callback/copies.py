"""Copies within a stream: rows drawn with replacement, or copied, count once.

A generator that draws rows with replacement gives some of them several times in a pass. Copies hold
no more evidence than one of them. Rows of few categories are equal by nature: these are as frequent
between two streams as within one, and count in full.
"""

from collections.abc import Sequence

import numpy as np

from keras_shiftguard.detection.two_sample.tail_probabilities import BEYOND_CHANCE
from keras_shiftguard.statistics.stream import Stream

# A sample that comes so many times as often as the median one was not drawn so by chance: it is a
# black image, or the row of a sensor that fails. A convention.
MAX_TIMES = 10


def hashes(stream: Stream) -> list[int]:
    """Returns a hash of each kept sample; none if its inputs have other numbers of samples."""
    found = [kept.hashes() for kept in stream.buffers.values()]
    if len({len(each) for each in found}) > 1:
        return []
    return [hash(each) for each in zip(*found, strict=True)]


def share_without_copies(kept: Sequence[int], others: Sequence[int], number: int) -> float:
    """Returns the share of the samples of a pass that tests may count, in (0, 1].

    It is `1 / (1 + (number - 1) p)`, where two samples of the pass are copies with the probability
    p (Kish's effective size of weighted rows). Pairs across the streams are taken off.

    >>> rows = np.random.default_rng(0).integers(0, 500, 1000)  # drawn from 500
    >>> round(share_without_copies(rows, range(500, 900), 2000), 2)  # about 1 / (1 + 2000 / 500)
    0.19
    >>> share_without_copies(range(500), range(500, 900), 500)
    1.0

    Args:
        kept: Hashes of the kept samples of the stream.
        others: Hashes of the kept samples of another stream.
        number: Number of samples of the pass.
    """
    if min(len(kept), len(others)) < 2:
        return 1.0
    _, ids = np.unique(np.concatenate([kept, others]).astype("int64"), return_inverse=True)
    here, there = np.split(ids, [len(kept)])
    counts = [np.bincount(each, minlength=len(ids)) for each in (here, there)]
    usual = counts[0] <= MAX_TIMES * np.median(counts[0][counts[0] > 0])
    within = np.where(usual, counts[0] - 1, 0)[here] / (len(here) - 1)
    across, back = counts[1][here] / len(there), counts[0][there] / len(here)
    probability = float(within.mean() - across.mean())
    # What each sample contributes to the difference; a copy is in the pairs of both its samples.
    error = np.hypot((2 * within - across).std() / len(here) ** 0.5, back.std() / len(there) ** 0.5)
    if probability <= BEYOND_CHANCE * error:
        return 1.0
    return 1 / (1 + (number - 1) * probability)

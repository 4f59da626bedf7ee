"""Successive halving: of many candidates, finds the best one with few predictions.

All candidates are judged on a few samples, the better ones on more, and the best ones on all
(Karnin, Koren, Somekh, "Almost Optimal Exploration in Multi-Armed Bandits", ICML 2013).
"""

from collections.abc import Callable, Sequence

import numpy as np

# Samples of each stage, and how many candidates go on to the next stage. At the last stage all
# samples judge. A convention: about twenty predictions a sample for a hundred candidates.
KEPT = (24, 8)
# The first stage has an eighth of the samples within these bounds, the second one twice as many.
FEWEST, MOST = 16, 64

Judged = Callable[[int, np.ndarray], np.ndarray]  # from a candidate and rows to their likelihoods


def stages(num_samples: int) -> tuple[tuple[int, int], ...]:
    """Returns the number of samples up to each stage, and how many candidates it leaves.

    >>> stages(50), stages(500)
    (((16, 24), (32, 8), (50, 1)), ((62, 24), (124, 8), (500, 1)))
    """
    first = min(max(num_samples // 8, FEWEST), MOST)
    sizes = (min(first, num_samples), min(2 * first, num_samples), num_samples)
    return tuple(zip(sizes, (*KEPT, 1), strict=True))


def num_predictions(number: int, num_samples: int) -> int:
    """Returns how many predictions `best` makes.

    Args:
        number: Number of candidates.
        num_samples: Number of samples that choose.
    """
    total, done, left = 0, 0, number
    for size, kept in stages(num_samples):
        total += left * (size - done)
        done, left = size, min(left, kept)
    return total


def best(judged: Judged, number: int, rows: np.ndarray) -> tuple[int, float]:
    """Returns the candidate with the largest mean likelihood, and this mean.

    Args:
        judged: Runs a candidate on some rows, and returns the likelihood of each.
        number: Number of candidates.
        rows: Indices of the samples that choose, in random order.
    """
    left: Sequence[int] = range(number)
    sums = np.zeros(number)
    done = 0
    for size, kept in stages(len(rows)):
        if size > done:
            for i in left:
                sums[i] += judged(i, rows[done:size]).sum()
            done = size
        left = sorted(left, key=lambda i: -sums[i])[:kept]
    return left[0], float(sums[left[0]] / max(done, 1))

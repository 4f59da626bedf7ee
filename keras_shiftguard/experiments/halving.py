"""Successive halving: of many candidates, finds the best one with few predictions.

All candidates are judged on a few samples, the better ones on more, and the best ones on all
(Karnin, Koren, Somekh, "Almost Optimal Exploration in Multi-Armed Bandits", ICML 2013).
"""

from collections.abc import Callable, Sequence

import numpy as np

# Samples of each stage, and how many candidates go on to the next stage. At the last stage all
# samples judge. A convention: about twenty predictions a sample for a hundred candidates.
STAGES = ((64, 24), (128, 8))

Judged = Callable[[int, np.ndarray], np.ndarray]  # from a candidate and rows to their likelihoods


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
    for size, kept in (*STAGES, (len(rows), 1)):
        size = min(size, len(rows))
        if size > done:
            for i in left:
                sums[i] += judged(i, rows[done:size]).sum()
            done = size
        left = sorted(left, key=lambda i: -sums[i])[:kept]
    return left[0], float(sums[left[0]] / max(done, 1))

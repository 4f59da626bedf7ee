"""Choice by some samples: random halves of them, and the best of many candidates.

One half of the samples chooses, and the other one counts what was chosen. The best candidate is
found by successive halving: all are judged on a few samples, the better ones on more, and the best
ones on all (Karnin, Koren, Somekh, "Almost Optimal Exploration in Multi-Armed Bandits", ICML 2013).
"""

from collections.abc import Callable, Sequence

import numpy as np

# How many candidates go on from each stage to the next one. At the last stage all samples judge. A
# convention: about twelve predictions a sample for a hundred candidates.
KEPT = (24, 8, 3)
# The first stage has a sixteenth of the samples within these bounds, the second one twice as many,
# and the third one half of all. Conventions, checked in `examples/benchmarks/promises.py`.
FEWEST, MOST = 16, 32

# From candidates and rows to the likelihood of each row with each candidate, `(candidates, rows)`.
Judged = Callable[[Sequence[int], np.ndarray], np.ndarray]


def halves(num_samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the positions of two halves of some samples, in random order.

    >>> [len(half) for half in halves(5, seed=0)]
    [2, 3]
    """
    order = np.random.default_rng(seed).permutation(num_samples)
    return order[: num_samples // 2], order[num_samples // 2 :]


def agreed(values: Sequence[np.ndarray], seed: int) -> int:
    """Returns which of some options has the largest mean in both halves; 0 if they disagree.

    Args:
        values: Value of each sample with each option, `(samples,)` each. The first option is that
            samples are right as they are.
        seed: Divides the samples into halves.
    """
    both = halves(len(values[0]), seed)
    first, second = (int(np.argmax([value[half].mean() for value in values])) for half in both)
    return first if first == second else 0


def stages(num_samples: int) -> tuple[tuple[int, int], ...]:
    """Returns the number of samples up to each stage, and how many candidates it leaves.

    >>> stages(50)
    ((16, 24), (32, 8), (32, 3), (50, 1))
    >>> stages(500)
    ((31, 24), (62, 8), (250, 3), (500, 1))
    """
    first = min(max(num_samples // 16, FEWEST), MOST)
    second = min(2 * first, num_samples)
    sizes = (min(first, num_samples), second, max(second, num_samples // 2), num_samples)
    return tuple(zip(sizes, (*KEPT, 1), strict=True))


def num_predictions(number: int, num_samples: int) -> int:
    """Returns how many predictions `best` makes for a number of candidates."""
    total, done, left = 0, 0, number
    for size, kept in stages(num_samples):
        total += left * (size - done)
        done, left = size, min(left, kept)
    return total


def best(
    judged: Judged, number: int, rows: np.ndarray, first: np.ndarray | None = None
) -> tuple[int, float]:
    """Returns the candidate with the largest mean likelihood, and this mean.

    Args:
        judged: Runs candidates on some rows, and returns the likelihoods.
        number: Number of candidates.
        rows: Indices of the samples that choose, in random order.
        first: What `judged` returned for all candidates and the first rows; None for no rows.
    """
    left = list(range(number))
    sums, done = np.zeros(number), 0
    if first is not None:
        sums, done = first.sum(axis=1), first.shape[1]
    for size, kept in stages(len(rows)):
        if size > done:
            sums[left] += judged(left, rows[done:size]).sum(axis=1)
            done = size
        left = sorted(left, key=lambda i: -sums[i])[:kept]
    return left[0], float(sums[left[0]] / max(done, 1))

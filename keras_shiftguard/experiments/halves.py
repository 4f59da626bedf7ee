"""`halves`: two random halves of samples. One chooses, and the other counts what was chosen."""

import numpy as np


def halves(num_samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the positions of two halves of some samples, in random order.

    >>> [len(half) for half in halves(5, seed=0)]
    [2, 3]
    """
    order = np.random.default_rng(seed).permutation(num_samples)
    return order[: num_samples // 2], order[num_samples // 2 :]

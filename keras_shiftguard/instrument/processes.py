"""Several processes that train one model together, as JAX lets them."""

from typing import Any

import keras
import numpy as np


def is_first_process() -> bool:
    """Whether this process speaks for all that train one model together."""
    return not _are_several() or _jax().process_index() == 0


def from_all(data: Any) -> Any:
    """Samples of all processes, which each of them then holds in the same order.

    What is decided from them is decided alike everywhere: processes that disagree wait for
    each other for ever. Alone, or where each process trains for itself, `data` comes back.

    Args:
        data: NumPy arrays `(samples, ...)` in any structure; None stays None. Each process
            gives as many samples as the one that has fewest.
    """
    if not _are_several() or keras.distribution.distribution() is None:
        return data
    from jax.experimental.multihost_utils import process_allgather

    arrays = [leaf for leaf in keras.tree.flatten(data) if leaf is not None]
    fewest = int(np.min(process_allgather(np.asarray(len(arrays[0])))))

    def gathered(a: Any) -> Any:
        return None if a is None else np.asarray(process_allgather(a[:fewest], tiled=True))

    return keras.tree.map_structure(gathered, data)


def _are_several() -> bool:
    return keras.backend.backend() == "jax" and _jax().process_count() > 1


def _jax() -> Any:
    import jax

    return jax

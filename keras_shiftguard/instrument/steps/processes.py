"""Helpers for several JAX processes that train one model together."""

from typing import Any

import keras
import numpy as np


def is_first_process() -> bool:
    """Whether this process prints and writes for all processes that train the model."""
    return not has_several_processes() or _jax().process_index() == 0


def from_all(data: Any) -> Any:
    """Gathers the samples of all processes; each process gets them in the same order.

    So all processes make the same decisions from the samples. Processes that decide
    differently would wait for each other forever. A single process, or one that
    trains a model of its own, gets `data` back.

    Args:
        data: NumPy arrays `(samples, ...)` in any structure; None stays None. Each process
            contributes as many samples as the process with the fewest.
    """
    if not has_several_processes() or keras.distribution.distribution() is None:
        return data
    from jax.experimental.multihost_utils import process_allgather

    arrays = [leaf for leaf in keras.tree.flatten(data) if leaf is not None]
    num_samples = int(np.min(process_allgather(np.asarray(len(arrays[0])))))

    def gathered(a: Any) -> Any:
        return None if a is None else np.asarray(process_allgather(a[:num_samples], tiled=True))

    return keras.tree.map_structure(gathered, data)


def has_several_processes() -> bool:
    """Whether JAX runs in several processes, of which this is one."""
    return keras.backend.backend() == "jax" and _jax().process_count() > 1


def _jax() -> Any:
    import jax

    return jax

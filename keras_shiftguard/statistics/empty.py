"""Handling of empty batches: a replica gets one if the last batch is too short for all replicas."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def is_empty(x: Any) -> Any:
    """Whether a batch holds no sample, as a boolean tensor."""
    return ops.equal(ops.shape(x)[0], 0)


def unless_empty(x: Any, update: Callable[[], None]) -> None:
    """Calls `update` unless the batch `x` is empty.

    Only TensorFlow's strategies give a replica an empty batch. Without several replicas, no
    condition is added to the step.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if tf.distribute.get_strategy().num_replicas_in_sync > 1:

            def updated() -> Any:
                update()
                return ops.zeros(())

            ops.cond(is_empty(x), lambda: ops.zeros(()), updated)
            return
    update()

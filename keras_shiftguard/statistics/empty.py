"""A replica that is left without a sample: the last batch may be too short for all."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def is_empty(x: Any) -> Any:
    """Whether a batch holds no sample: a bool, on TensorFlow perhaps a tensor."""
    return ops.equal(ops.shape(x)[0], 0)


def unless_empty(x: Any, update: Callable[[], None]) -> None:
    """Calls `update`, unless `x` is what is left for a replica that gets nothing.

    Only TensorFlow deals out batches like that. Without replicas there is nothing
    to ask, and the step stays as it is.
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

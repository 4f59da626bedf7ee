"""`Pair`: the outputs of a network for a batch of the source and a batch of the target."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

EPSILON = 1e-6  # avoids divisions by 0 and logarithms of 0 in the losses. A convention.


class Pair(NamedTuple):
    """The outputs of a network for both domains in one training step; the input of the losses.

    Features are float32, `(samples, features)`. Class probabilities are float32,
    `(samples, classes)`, and None for regression. The number of samples differs by domain.
    """

    features: Any = None
    target_features: Any = None
    probabilities: Any = None
    target_probabilities: Any = None
    # Of the strongly augmented target, in the same order; None without a strong view.
    strong_log_probabilities: Any = None
    answers: Any = None  # the outputs for the source as they are, view by view


def joined(parts: Sequence[Any]) -> Any:
    """Concatenates batches (tensors or structures of them), in the dtypes of the first batch."""
    return keras.tree.map_structure(
        lambda *tensors: ops.concatenate(
            [ops.cast(tensor, tensors[0].dtype) for tensor in tensors], axis=0
        ),
        *parts,
    )


def repeated(labels: Any, times: int) -> Any:
    """Returns labels or weights repeated `times` times as a whole; None stays None."""
    return None if labels is None else joined([ops.convert_to_tensor(labels)] * times)


def num_rows(batch: Any) -> Any:
    """Returns the number of samples of a batch, a tensor or a structure of tensors."""
    return ops.shape(keras.tree.flatten(batch)[0])[0]


def flat(features: Any) -> Any:
    """Returns features as float32 vectors, `(samples, features)`."""
    width = math.prod(int(n) for n in features.shape[1:])
    return ops.reshape(ops.cast(features, "float32"), (ops.shape(features)[0], width))

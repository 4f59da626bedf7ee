"""Predictions in inference mode during a fit, without any change of the model."""

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.instrument.layer_calls import as_called, no_gradients
from keras_shiftguard.statistics.classes import are_probabilities, probabilities

BATCH = 128


def class_probabilities(model: keras.Model, name: str, chunks: Iterable[Any]) -> np.ndarray:
    """Returns the predicted probability of each class, `(samples, classes)`.

    Args:
        model: A classifier with one input. It is not changed: no function is compiled for it.
        name: Name of the model's input.
        chunks: Arrays of samples, `(samples, ...)` each.

    Raises:
        Exception: any error that the model's own `call` raises.
    """
    return _as_probabilities(list(_outputs(model, name, chunks)))


def _outputs(model: keras.Model, name: str, chunks: Iterable[Any]) -> Iterator[np.ndarray]:
    """Yields the outputs of the model for small batches of samples, `(samples, columns)` each."""
    for chunk in chunks:
        for start in range(0, len(chunk), BATCH):
            with keras.StatelessScope(), no_gradients():
                inputs = as_called(model, {name: chunk[start : start + BATCH]})
                outputs = ops.convert_to_numpy(ops.stop_gradient(model(inputs, training=False)))
            if all(side == 1 for side in outputs.shape[1:-1]):  # such as (samples, 1, 1, classes)
                outputs = outputs.reshape(len(outputs), -1)
            yield outputs


def _as_probabilities(batches: list[np.ndarray]) -> np.ndarray:
    """Returns batches of outputs as probabilities, `(samples, classes)`; empties the list.

    Whether the outputs are probabilities or logits is decided on all samples together. With many
    classes the outputs are large, so they are converted batch by batch.
    """
    if batches[0].shape[1] == 1:
        return np.asarray(ops.convert_to_numpy(probabilities(np.concatenate(batches))))
    as_they_are = all(bool(ops.convert_to_numpy(are_probabilities(x))) for x in batches)
    found = np.empty((sum(map(len, batches)), batches[0].shape[1]), batches[0].dtype)
    start = len(found)
    while batches:
        outputs = batches.pop()
        x = outputs if as_they_are else ops.convert_to_numpy(ops.softmax(outputs, axis=1))
        found[start - len(outputs) : start] = x
        start -= len(outputs)
    return found

"""Predictions in inference mode during a fit, without any change of the model."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.instrument.layer_calls import as_called, no_gradients
from keras_shiftguard.statistics.classes import probabilities

BATCH = 128


def predicted_classes(model: keras.Model, name: str, chunks: Iterable[Any]) -> np.ndarray:
    """Returns the class that a classifier predicts for each sample, `(samples,)`.

    For the arguments see `class_probabilities`.
    """
    return class_probabilities(model, name, chunks).argmax(axis=1)


def class_probabilities(model: keras.Model, name: str, chunks: Iterable[Any]) -> np.ndarray:
    """Returns the predicted probability of each class, `(samples, classes)`.

    Args:
        model: A classifier with one input. It is not changed: no function is compiled for it.
        name: Name of the model's input.
        chunks: Arrays of samples, `(samples, ...)` each.

    Raises:
        Exception: any error that the model's own `call` raises.
    """
    found = []
    for chunk in chunks:
        for start in range(0, len(chunk), BATCH):
            with keras.StatelessScope(), no_gradients():
                inputs = as_called(model, {name: chunk[start : start + BATCH]})
                outputs = ops.convert_to_numpy(ops.stop_gradient(model(inputs, training=False)))
            if all(side == 1 for side in outputs.shape[1:-1]):  # such as (samples, 1, 1, classes)
                outputs = outputs.reshape(len(outputs), -1)
            found.append(outputs)
    # Whether a single column holds probabilities or logits is decided on all samples together.
    return np.asarray(ops.convert_to_numpy(probabilities(np.concatenate(found))))

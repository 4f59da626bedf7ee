"""Moving statistics of batch norm, measured anew on training samples; the model stays as it is."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.instrument.graph import walk
from keras_shiftguard.instrument.layer_calls import as_called, no_gradients, replaced_calls
from keras_shiftguard.statistics.rows import Rows
from keras_shiftguard.statistics.state import read

BATCH = 64  # samples that are normalised together. A convention.

# Values of variables, to use in place of their own.
Values = Sequence[tuple[Any, Any]]


def batch_norm_anew(model: keras.Model, name: str, x: Any, known: Values = ()) -> Values | None:
    """Returns means and variances of each batch-norm layer over some samples.

    The means are cumulative, over the batches of one pass in which each layer normalises with the
    statistics of the batch, as in training. Dropout and augmentation are off.

    Args:
        model: A built model.
        name: Name of its input, if it has one.
        x: Samples as the model is fed them, `(samples, ...)`, or `Rows` of several inputs.
        known: Values of other variables that the model is to have.

    Returns:
        Pairs of a variable and its new value; None if the model has no batch norm that learns.
    """
    norms = learning_norms(model)
    if not norms or len(x) < 2:
        return None
    meters = [_Meter(layer) for layer in norms]
    size = min(BATCH, len(x))
    with keras.StatelessScope(state_mapping=list(known)), no_gradients():
        with replaced_calls((meter.layer, meter) for meter in meters):
            for start in range(0, len(x) - size + 1, size):
                part = x[start : start + size]
                inputs = part.tree if isinstance(part, Rows) else {name: part}
                model(as_called(model, inputs), training=False)
    return [pair for meter in meters if meter.count for pair in meter.values()]


def learning_norms(model: keras.Model) -> list[Any]:
    """Returns the batch-norm layers of a model whose statistics training changes."""
    norm = keras.layers.BatchNormalization
    return [layer for layer in walk(model) if isinstance(layer, norm) and layer.trainable]


def normalised(layer: Any, inputs: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """Returns what a batch-norm layer makes of a batch with the statistics of that batch.

    With it come the mean and the variance of each channel, `(channels,)`.
    """
    x = ops.cast(inputs, "float32")
    axis = layer.axis % len(x.shape)
    axes = tuple(i for i in range(len(x.shape)) if i != axis)
    mean, variance = ops.moments(x, axes=axes)
    shape = [1] * len(x.shape)
    shape[axis] = -1
    y = (x - ops.reshape(mean, shape)) / ops.sqrt(ops.reshape(variance, shape) + layer.epsilon)
    if layer.scale:
        y = y * ops.reshape(ops.cast(layer.gamma, "float32"), shape)
    if layer.center:
        y = y + ops.reshape(ops.cast(layer.beta, "float32"), shape)
    m, v = (np.asarray(ops.convert_to_numpy(each)) for each in (mean, variance))
    return ops.cast(y, layer.compute_dtype), m, v


class _Meter:
    """A replacement for the `call` of one batch-norm layer, which normalises with its batch."""

    def __init__(self, layer: Any) -> None:
        self.layer, self.count = layer, 0
        self.mean: Any = 0.0
        self.variance: Any = 0.0

    def __call__(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        outputs, mean, variance = normalised(self.layer, inputs)
        self.count += 1
        self.mean = self.mean + (mean - self.mean) / self.count
        self.variance = self.variance + (variance - self.variance) / self.count
        return outputs

    def values(self) -> Values:
        """Returns the new values of the moving statistics."""
        return [
            (variable, ops.convert_to_tensor(value.astype(read(variable).dtype)))
            for variable, value in (
                (self.layer.moving_mean, self.mean),
                (self.layer.moving_variance, self.variance),
            )
        ]

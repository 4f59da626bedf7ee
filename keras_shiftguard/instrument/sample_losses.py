"""`SampleLosses`: the loss of a compiled model for each sample, on the host.

Keras reduces a loss to its mean. To judge an experiment, the loss of each sample is needed, so the
parts of the compiled loss are called one by one, before their reduction.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.keras_private import loss_weights
from keras_shiftguard.statistics.rows import Rows


class SampleLosses:
    """The compiled loss of a model, sample by sample, without sample weights and penalties.

    Attributes:
        name: Name of the loss, such as `"mean_squared_error"`; `"loss"` if there are several.

    Raises:
        BadInputError: if the model is compiled without a loss.
    """

    def __init__(self, model: keras.Model) -> None:
        self._loss = getattr(model, "loss", None)
        self._weights = loss_weights(model)
        if all(loss is None for loss in keras.tree.flatten(self._loss)):
            raise BadInputError("The model has no compiled loss. Received: loss=None")
        self._names = list(getattr(model, "output_names", None) or ())
        single = not isinstance(self._loss, (Mapping, list, tuple))
        self.name = _name(self._loss) if single else "loss"

    def __call__(self, outputs: Any, labels: Rows) -> np.ndarray:
        """Returns the loss of each sample, `(samples,)`.

        Raises:
            BadInputError: if the loss is no mean over samples, or has another structure.
        """
        total = np.zeros(len(labels))
        for prediction, target, loss, weight in self._parts(outputs, labels.tree):
            total += weight * _of_samples(_function(loss), target, prediction)
        return total

    def _parts(self, outputs: Any, labels: Any) -> list[tuple[Any, Any, Any, float]]:
        """Returns the output, the labels, the loss and its weight, for each part of the loss."""
        if not isinstance(outputs, (Mapping, list, tuple)):
            return [(outputs, _only(labels), _only(self._loss), 1.0)]
        keys = list(outputs) if isinstance(outputs, Mapping) else list(range(len(outputs)))
        names = self._names if len(self._names) == len(keys) else [str(key) for key in keys]
        found = []
        for i, (key, name) in enumerate(zip(keys, names, strict=True)):
            loss = _member(self._loss, key, name, i)
            if loss is not None:
                target = _member(labels, key, name, i)
                weight = _member(self._weights, key, name, i)
                found.append((outputs[key], target, loss, 1.0 if weight is None else float(weight)))
        return found


def _only(tree: Any) -> Any:
    """Returns the only leaf of a tree."""
    leaves = keras.tree.flatten(tree)
    if len(leaves) != 1:
        raise BadInputError(f"One output needs one part of labels and loss. Received: {tree!r}")
    return leaves[0]


def _member(tree: Any, key: Any, name: str, position: int) -> Any:
    """Returns what a tree has for one output: by key or name, or by position; None without it."""
    if isinstance(tree, Mapping):
        return tree.get(key, tree.get(name))
    if isinstance(tree, (list, tuple)):
        return tree[position] if position < len(tree) else None
    return tree  # one loss for all outputs


def _function(loss: Any) -> Callable[[Any, Any], Any]:
    """Returns the function of a loss that is not reduced over the samples."""
    found = keras.losses.get(loss)
    return found.call if isinstance(found, keras.losses.Loss) else found


def _of_samples(function: Callable[[Any, Any], Any], target: Any, output: Any) -> np.ndarray:
    """Returns the mean of a loss over all axes but the samples, `(samples,)`, float64."""
    y, p = (keras.ops.convert_to_tensor(part) for part in (target, output))
    if keras.backend.is_float_dtype(keras.backend.standardize_dtype(p.dtype)):
        y = keras.ops.cast(y, p.dtype)  # as `keras.losses.Loss` does
    if len(y.shape) + 1 == len(p.shape) and p.shape[-1] == 1:
        y = keras.ops.expand_dims(y, -1)
    values = np.asarray(keras.ops.convert_to_numpy(function(y, p)), np.float64)
    if values.ndim == 0 or len(values) != len(output):
        raise BadInputError(
            "The loss must have one value for each sample before its reduction. Received: shape "
            f"{values.shape} for {len(output)} samples."
        )
    return np.asarray(values.reshape(len(values), -1).mean(axis=1))


def _name(loss: Any) -> str:
    """Returns the name of a loss as Keras's logs would have it."""
    if isinstance(loss, str):
        return loss
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", None) or "loss")

"""The features of a network: what its last layer receives, one vector for each sample.

Recorded in an ordinary forward pass, of any model: with or without a classifier, functional or
subclassed, of convolutions or of attention.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.instrument.graph import sublayers, walk
from keras_shiftguard.instrument.layer_calls import as_called, no_gradients, replaced_calls

MIN_FEATURES = 32  # columns that an output without a classifier must have to be features


@dataclass(frozen=True)
class Features:
    """What a network sees in some samples.

    Args:
        penultimate: `(n, d)` float64: what the last layer receives, averaged over space or
            tokens; of a network without a classifier, its widest map near the end.
        logits: `(n, classes)` float64: what the classifier makes of it, before the softmax;
            None without a classifier.
    """

    penultimate: np.ndarray
    logits: np.ndarray | None


class FeatureReader:
    """Computes the features of a network in inference mode.

    The first call finds out which layer receives them, on one sample.

    Args:
        model: A built model. It is not changed.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._layers: list[Any] | None = None  # the layer that receives them; empty: the outputs

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> Features | None:
        """Returns the features of some samples; None if the model has no layer with weights.

        Args:
            inputs: The samples, by input name.
        """
        if self._layers is None:
            every = [a for a in walk(self._model) if a.built and a.weights and not sublayers(a)]
            one = {name: np.asarray(x)[:1] for name, x in inputs.items()}
            found, outputs = self._run(one, every)
            if not found:
                return None
            self._layers = _chosen(found, outputs)
        received, outputs = self._run(inputs, self._layers)
        if not self._layers:
            return Features(_numbers(_averaged(keras.tree.flatten(outputs)[0], -1)), None)
        (layer,) = self._layers
        _, features, rank = received[-1]
        if not isinstance(layer, keras.layers.Dense) or rank != 2:
            return Features(features, None)
        kernel, bias = (_numbers(v) for v in (layer.kernel, layer.bias))
        return Features(features, features @ kernel + bias)

    def _run(self, inputs: Mapping[str, np.ndarray], layers: list[Any]) -> tuple[list[Any], Any]:
        """Returns what the layers received, as `(layer, values, rank)`, and the outputs."""
        found: list[tuple[Any, np.ndarray, int]] = []
        with (
            replaced_calls([(layer, _recorder(layer, layer.call, found)) for layer in layers]),
            keras.StatelessScope(),
            no_gradients(),
        ):
            outputs = self._model(as_called(self._model, inputs), training=False)
        return found, outputs


def _chosen(found: list[tuple[Any, np.ndarray, int]], outputs: Any) -> list[Any]:
    """Returns the layer that receives the features, in a list; an empty list for the outputs.

    It is the classifier. Without one, the first output is the features if it is a wide vector
    or the widest map; else the last layer that receives the widest map does.
    """
    last, _, rank = found[-1]
    if isinstance(last, keras.layers.Dense) and rank == 2:
        return [last]
    output = keras.tree.flatten(outputs)[0]
    if len(output.shape) == 2 and output.shape[-1] >= MIN_FEATURES:
        return []
    maps = [each for each in found if each[2] == 4] or found
    widest = max(values.shape[1] for _, values, _ in maps)
    if output.shape[-1] >= widest:
        return []
    return [next(layer for layer, x, _ in reversed(maps) if x.shape[1] == widest)]


def _recorder(
    layer: Any, call: Callable[..., Any], found: list[tuple[Any, np.ndarray, int]]
) -> Callable[..., Any]:
    """Returns a replacement for `call` that adds what `layer` receives to `found`."""

    def record(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        shape = getattr(inputs, "shape", ())
        if len(shape) > 1:
            axis = 1 if getattr(layer, "data_format", None) == "channels_first" else -1
            found.append((layer, _numbers(_averaged(inputs, axis)), len(shape)))
        return call(inputs, *args, **kwargs)

    return record


def _averaged(x: Any, axis: int) -> Any:
    """Returns the mean over all axes but the first and the channel axis, float32."""
    rank = len(x.shape)
    middle = tuple(a for a in range(1, rank) if a != axis % rank)
    x = ops.cast(x, "float32")
    return ops.mean(x, axis=middle) if middle else x


def _numbers(x: Any) -> Any:
    if x is None:
        return 0.0
    return np.asarray(ops.convert_to_numpy(ops.stop_gradient(ops.cast(x, "float32"))), "float64")

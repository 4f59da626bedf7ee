"""`FeatureReader`: the features of a network, which are the inputs of its last layer.

Features are one vector for each sample. They are recorded in an ordinary forward pass. The model
may have a classifier or not, be functional or subclassed, and have convolutions or attention.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.instrument.graph import sublayers, walk
from keras_shiftguard.instrument.layer_calls import as_called, no_gradients, replaced_calls

# Number of passes that TensorFlow runs operation by operation before the network is compiled. The
# compilation takes as long as about two such passes. A compiled pass of a small network takes a
# tenth of the time. A convention.
MAX_UNCOMPILED = 2
# Without a classifier, outputs with at least this many columns are features. A convention.
MIN_FEATURES = 32


@dataclass(frozen=True)
class Features:
    """Features of some samples.

    Args:
        penultimate: `(n, d)` float64: input of the last layer, averaged over space or tokens.
            Without a classifier, the last of the widest feature maps, or the network's output.
        logits: `(n, classes)` float64: output of the classifier before the softmax; None
            without a classifier.
    """

    penultimate: np.ndarray
    logits: np.ndarray | None


class FeatureReader:
    """Computes the features of a network in inference mode.

    The first call runs the network on one sample, to find the layer that receives the features.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        # The layer that receives the features, in a list; [] if the outputs are the features.
        self._layers: list[Any] | None = None
        self._passes = 0
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> Features | None:
        """Returns the features of some samples; None if the model has no layer with weights."""
        if self._layers is None:
            every = self._weighted_layers()
            one = {name: np.asarray(x)[:1] for name, x in inputs.items()}
            found, outputs = self._run(one, every)
            if not found:
                return None
            self._layers = _chosen(found, outputs)
        values, rank = self._pass({name: np.asarray(x) for name, x in inputs.items()})
        features = _numbers(values)
        if not self._layers:
            return Features(features, None)
        (layer,) = self._layers
        if not isinstance(layer, keras.layers.Dense) or rank != 2:
            return Features(features, None)
        kernel, bias = (_numbers(v) for v in (layer.kernel, layer.bias))
        with np.errstate(over="ignore", invalid="ignore"):  # if the training has diverged
            return Features(features, features @ kernel + bias)

    @property
    def has_one_layer(self) -> bool:
        """Whether only one layer has weights. Its input, the features, is then the image itself."""
        return len(self._weighted_layers()) == 1

    def _weighted_layers(self) -> list[Any]:
        return [a for a in walk(self._model) if a.built and a.weights and not sublayers(a)]

    def _pass(self, inputs: dict[str, np.ndarray]) -> tuple[Any, int]:
        """Returns the features of a pass, and the rank of the tensor before averaging."""
        self._passes += 1
        can_compile = keras.backend.backend() == "tensorflow" and not self._model.run_eagerly
        if not can_compile or self._passes <= MAX_UNCOMPILED:
            return self._features(inputs)
        import tensorflow as tf

        if self._compiled is None:
            self._compiled = tf.function(self._features, autograph=False, reduce_retracing=True)
            try:
                values, rank = self._compiled(inputs)
                return values, int(rank)
            except Exception:  # the `call` of the model cannot be compiled
                self._compiled = self._features
        values, rank = self._compiled(inputs)
        return values, int(rank)

    def _features(self, inputs: Mapping[str, Any]) -> tuple[Any, int]:
        """Returns what `_pass` returns, without counting; TensorFlow may compile this method."""
        received, outputs = self._run(inputs, self._layers or [])
        if not self._layers:
            return _averaged(keras.tree.flatten(outputs)[0], -1), 2
        _, values, rank = received[-1]
        return values, rank

    def _run(self, inputs: Mapping[str, Any], layers: list[Any]) -> tuple[list[Any], Any]:
        """Returns the averaged inputs of layers as `(layer, values, rank)`, and the outputs."""
        found: list[tuple[Any, Any, int]] = []
        with (
            replaced_calls([(layer, _recorder(layer, layer.call, found)) for layer in layers]),
            keras.StatelessScope(),
            no_gradients(),
        ):
            outputs = self._model(as_called(self._model, inputs), training=False)
        return found, outputs


def _chosen(found: list[tuple[Any, Any, int]], outputs: Any) -> list[Any]:
    """Returns the layer that receives the features, in a list; [] if the outputs are the features.

    The layer is the classifier, if there is one. Without a classifier, the features are the first
    output, if this output is a wide vector or at least as wide as every map. Otherwise the layer is
    the last one that receives the widest map.
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
    layer: Any, call: Callable[..., Any], found: list[tuple[Any, Any, int]]
) -> Callable[..., Any]:
    """Returns a replacement for `call` that adds the averaged input of `layer` to `found`."""

    def record(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        shape = getattr(inputs, "shape", ())
        if len(shape) > 1:
            axis = 1 if getattr(layer, "data_format", None) == "channels_first" else -1
            found.append((layer, _averaged(inputs, axis), len(shape)))
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

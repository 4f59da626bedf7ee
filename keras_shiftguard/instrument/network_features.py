"""The features of a network: what its last layer receives, one vector for each sample.

Recorded in an ordinary forward pass, of any model: with or without a classifier, functional or
subclassed, of convolutions or of attention.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.instrument.graph import sublayers, walk
from keras_shiftguard.instrument.layer_calls import as_called, replaced_calls

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


def features_of(
    model: keras.Model, inputs: Mapping[str, np.ndarray], variables: Sequence[tuple[Any, Any]] = ()
) -> Features | None:
    """Returns the features of some samples, computed in inference mode.

    Args:
        model: A built model. It is not changed.
        inputs: The samples, by input name.
        variables: Values to use in place of those of some of its variables.

    Returns:
        None if no layer with weights was called.
    """
    found: list[tuple[Any, np.ndarray, int]] = []
    layers = [a for a in walk(model) if a.built and a.weights and not sublayers(a)]
    scope = keras.StatelessScope(
        state_mapping=[(v, ops.convert_to_tensor(value, dtype=v.dtype)) for v, value in variables]
    )
    with replaced_calls([(a, _recorder(a, a.call, found)) for a in layers]), scope:
        outputs = model(as_called(model, inputs), training=False)
    if not found:
        return None
    last, received, rank = found[-1]
    if isinstance(last, keras.layers.Dense) and rank == 2:
        kernel, bias = (_numbers(v) for v in (last.kernel, last.bias))
        return Features(received, received @ kernel + bias)
    maps = [(values, rank) for _, values, rank in found]
    for output in keras.tree.flatten(outputs):
        if len(output.shape) == 2 and output.shape[-1] >= MIN_FEATURES:
            return Features(_numbers(output), None)
        maps.append((_numbers(_averaged(output, -1)), len(output.shape)))
    spatial = [values for values, rank in maps if rank == 4] or [values for values, _ in maps]
    widest = max(values.shape[1] for values in spatial)
    return Features(next(v for v in reversed(spatial) if v.shape[1] == widest), None)


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

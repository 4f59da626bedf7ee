"""Signs of training in the weights of a model, and the kind of its head."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import activations, initializers, layers

from keras_shiftguard.instrument.graph import has_graph, sublayers, walk
from keras_shiftguard.instrument.model_outputs import declares_classes
from keras_shiftguard.statistics.state import on_host

MAX_INITIAL_BIAS = 1e-5  # a step of training moves a bias much farther. A convention.
# Relative error of an initial bias in half precision; that of bfloat16 is .004. A convention.
MAX_ROUNDING = 0.01
# Numbers of classes, with or without one for the background. Given by ImageNet.
PUBLISHED_CLASSES = (1000, 1001, 21841, 21843)


def is_fresh(network_layers: tuple[Any, ...]) -> bool:
    """Whether all moving statistics (without batch norm: all biases) have their initial values.

    Biases whose initial value is not known, such as random ones, do not count.
    """
    norms = [layer for layer in network_layers if _has_statistics(layer)]
    if norms:
        return all(
            _all_equal(n.moving_mean, 0.0) and _all_equal(n.moving_variance, 1.0) for n in norms
        )
    return not any(_has_moved(layer) for layer in network_layers)


def can_tell(network_layers: tuple[Any, ...]) -> bool:
    """Whether any layer has moving statistics or a bias, which show whether it was trained."""
    return any(
        _has_statistics(layer) or _initial_bias(layer) is not None for layer in network_layers
    )


def head_of(model: Any, backbone: Sequence[Any] = ()) -> str:
    """Returns the kind of head that the model ends in, see `StructuralExpectation`.

    Args:
        model: A Keras model.
        backbone: The layers of the networks that were recognized in the model. All layers behind
            them that have a kernel belong to the head. If no network was recognized, only the
            last layer can be a head: a `Dense` layer, or another layer with a kernel (such as a
            convolution that segments) if the activation or the loss shows that it predicts classes,
            or if it is a convolution that predicts numbers, see `_predicts_a_map`.
    """
    every = [a for a in walk(model) if not sublayers(a) and getattr(a, "weights", None)]
    known = set(map(id, backbone))
    first = 0
    if has_graph(model):  # else the layers may be in another order than they are called
        first = next((i for i, a in enumerate(every) if id(a) in known), 0)
    head = [a for a in every[first:] if id(a) not in known and _has_kernel(a)]
    if not known:
        is_head = declares_classes(model) or _predicts_a_map(model, every)
        kinds: Any = object if is_head else layers.Dense
        head = [a for a in every[-1:] if isinstance(a, kinds) and _has_kernel(a)]
    if not head:
        return "none"
    last = head[-1]
    if _has_moved(last) is False:
        return "fresh"
    classes = getattr(last, "units", None) or getattr(last, "filters", None)
    return "published" if classes in PUBLISHED_CLASSES else "own"


def _predicts_a_map(model: Any, every: Sequence[Any]) -> bool:
    """Whether a trained linear convolution makes the model's output, such as a map of depths.

    A network without a head rarely ends in one: an activation, a normalization or a pooling
    follows. A convolution without other layers in front is the whole network, and no head.

    Args:
        model: A Keras model.
        every: Its layers with weights.
    """
    last: Any = every[-1] if len(every) > 1 else None
    filters, bias = getattr(last, "filters", None), getattr(last, "bias", None)
    if (
        filters is None
        or bias is None
        or getattr(last, "activation", None) is not activations.linear
    ):
        return False
    maps = [t for t in model.outputs if len(t.shape) > 3] if has_graph(model) else []
    is_output = not has_graph(model) or any(filters in t.shape[1:] for t in maps)
    return is_output and _has_moved(last) is not False


def _has_moved(layer: Any) -> bool | None:
    """Whether the bias differs from its initial value; None if this value is not known."""
    begin = _initial_bias(layer)
    if begin is None:
        return None
    bias = on_host(layer.bias).astype("float32")
    is_exact = keras.backend.standardize_dtype(layer.bias.dtype) in ("float32", "float64")
    allowed = MAX_INITIAL_BIAS if is_exact else MAX_ROUNDING
    return not np.allclose(bias, begin, rtol=allowed, atol=MAX_INITIAL_BIAS)


def _initial_bias(layer: Any) -> float | None:
    """Returns the initial value of the bias; None without a bias, or if the value is not known.

    A classifier of rare classes may begin with the logarithm of their frequency
    (`bias_initializer=Constant(...)`). A bias without an initializer is taken to begin at 0.
    """
    if not hasattr(getattr(layer, "bias", None), "shape"):
        return None
    begin = getattr(layer, "bias_initializer", None)
    if getattr(layer, "unit_forget_bias", False):
        return None  # the forget gate begins at 1
    if begin in (None, "zeros") or isinstance(begin, initializers.Zeros):
        return 0.0
    if isinstance(begin, initializers.Ones):
        return 1.0
    if isinstance(begin, initializers.Constant) and np.ndim(begin.value) == 0:
        return float(begin.value)
    return None


def _has_kernel(layer: Any) -> bool:
    """Whether a layer has a matrix of weights; a normalization or a pooling has none."""
    is_matrix = any(len(weight.shape) > 1 for weight in layer.weights)
    return is_matrix and not isinstance(layer, layers.Normalization)


def _has_statistics(layer: Any) -> bool:
    """Whether a layer has moving statistics; a layer that was never called has none."""
    return isinstance(layer, layers.BatchNormalization) and layer.built


def _all_equal(variable: Any, value: float) -> bool:
    return bool(np.all(on_host(variable) == value))

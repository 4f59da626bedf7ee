"""Signs of training in the weights of a model, and the kind of its head."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import activations, initializers, layers, ops

from keras_shiftguard.instrument.graph import has_graph, sublayers, walk
from keras_shiftguard.instrument.keras_private import is_called_for_inference
from keras_shiftguard.instrument.model_outputs import declares_classes
from keras_shiftguard.statistics.state import on_host

MAX_INITIAL_BIAS = 1e-5  # a step of training moves a bias much farther. A convention.
# Numbers of classes, with or without one for the background. Given by ImageNet.
PUBLISHED_CLASSES = (1000, 1001, 21841, 21843)


def is_fresh(network_layers: Iterable[Any]) -> bool:
    """Whether all moving statistics (without batch norm: all biases) have their initial values.

    Biases whose initial value is not known, such as random ones, do not count. The result is False
    if nothing can tell.
    """
    found = list(network_layers)
    # A batch norm that was never called has no statistics.
    norms = [each for each in found if isinstance(each, layers.BatchNormalization) and each.built]
    moved = [
        bool(np.any(on_host(each.moving_mean) != 0) or np.any(on_host(each.moving_variance) != 1))
        for each in norms
    ] or [each for each in map(_has_moved, found) if each is not None]
    return bool(moved) and not any(moved)


def head_of(model: Any, backbone: Sequence[Any] = ()) -> str:
    """Returns the kind of head that the model ends in, such as a classifier or a decoder.

    The kind is `"none"` without a head; `"fresh"` if its bias is as initialized; `"published"` if
    it has as many classes as ImageNet, and so was probably published with the network. Else the
    user trained it, maybe on other input than the network was trained on: it is `"transferred"` if
    layers in front of it are frozen, and so did not learn from that input; else `"own"`.

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
    if known:
        first = 0
        if has_graph(model):  # else the layers may be in another order than they are called
            first = next((i for i, a in enumerate(every) if id(a) in known), 0)
        head = [a for a in every[first:] if id(a) not in known and _has_kernel(a)]
    else:
        is_head = declares_classes(model) or _predicts_a_map(model, every)
        head = [
            a for a in every[-1:] if _has_kernel(a) and (is_head or isinstance(a, layers.Dense))
        ]
    if not head:
        return "none"
    if _has_moved(head[-1]) is False:
        return "fresh"
    classes = getattr(head[-1], "units", None) or getattr(head[-1], "filters", None)
    if classes in PUBLISHED_CLASSES:
        return "published"
    return "transferred" if head[-1].trainable and _has_frozen_part(model) else "own"


def _has_frozen_part(model: Any) -> bool:
    """Whether layers do not learn, or a part with batch norm is always called for inference.

    That is how Keras's guide to transfer learning treats a backbone: `base.trainable = False`, and
    `base(x, training=False)`.
    """
    for each in walk(model):
        if isinstance(each, layers.BatchNormalization) or (each.weights and _has_kernel(each)):
            if not each.trainable:
                return True
        if sublayers(each) and is_called_for_inference(each):
            return True
    return False


def _predicts_a_map(model: Any, every: Sequence[Any]) -> bool:
    """Whether a trained linear convolution makes the model's output, such as a map of depths.

    A network without a head rarely ends in one: an activation, a normalization or a pooling
    follows. A convolution without other layers in front (`every` has all layers with weights) is
    the whole network, and no head.
    """
    last: Any = every[-1] if len(every) > 1 else None
    filters = getattr(last, "filters", None)
    is_linear = getattr(last, "activation", None) is activations.linear
    if filters is None or not is_linear or getattr(last, "bias", None) is None:
        return False
    if has_graph(model):
        maps = [tensor.shape for tensor in model.outputs if len(tensor.shape) > 3]
        is_linear = any(filters in shape[1:] for shape in maps)
    return is_linear and _has_moved(last) is not False


def _has_moved(layer: Any) -> bool | None:
    """Whether the bias differs from its initial value; None if this value is not known.

    A classifier of rare classes may begin with the logarithm of their frequency
    (`bias_initializer=Constant(...)`). A bias without an initializer is taken to begin at 0.
    """
    begin = getattr(layer, "bias_initializer", None)
    if not hasattr(getattr(layer, "bias", None), "shape") or (
        getattr(layer, "unit_forget_bias", False)  # the forget gate begins at 1
    ):
        return None
    if begin in (None, "zeros") or isinstance(begin, initializers.Zeros):
        value = 0.0
    elif isinstance(begin, initializers.Ones):
        value = 1.0
    elif isinstance(begin, initializers.Constant) and np.ndim(begin.value) == 0:
        value = begin.value
    else:
        return None
    dtype = keras.backend.standardize_dtype(layer.bias.dtype)
    initial = ops.convert_to_tensor(value, dtype=dtype)  # rounded like the bias
    bias, start = (on_host(ops.cast(each, "float32")) for each in (layer.bias, initial))
    return not np.allclose(bias, start, rtol=MAX_INITIAL_BIAS, atol=MAX_INITIAL_BIAS)


def _has_kernel(layer: Any) -> bool:
    """Whether a layer has a matrix of weights; a normalization or a pooling has none."""
    is_matrix = any(len(weight.shape) > 1 for weight in layer.weights)
    return is_matrix and not isinstance(layer, layers.Normalization)

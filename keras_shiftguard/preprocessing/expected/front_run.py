"""Runs a model on constant images up to its backbone, and records the input of the backbone.

Functional, sequential and subclassed models, wrappers and custom layers are all
run in the same way: in inference mode, until the first convolution of the
backbone is called. Neither this convolution nor anything after it is run.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.instrument.graph import has_graph
from keras_shiftguard.instrument.keras_private import call_takes_training
from keras_shiftguard.instrument.layer_calls import replaced_calls
from keras_shiftguard.preprocessing.expected.front import Front, FrontError, fit, probes

PROBE_SIZE = 32  # height and width of a constant image. A convention.


class _ReachedError(Exception):
    """Raised when the backbone is reached, to stop the run."""


def run_model(
    model: Any,
    position: int,
    stop: Any,
    tensors_to_stop: tuple[Any, ...] | None,
    inner_shape: tuple[int | None, ...],
    channels_first: bool,
) -> list[Front]:
    """Returns the front: what the model computes between one of its inputs and the layer `stop`.

    The list has one `Front` if that front holds for all ranges of values. Otherwise it has one
    front for each range in which the computation is affine.

    Args:
        model: Any Keras model. If it was never called, this run builds the layers in
            front of `stop`.
        position: Index of the input.
        stop: The layer whose input is recorded. Neither this layer nor any later layer is run.
        tensors_to_stop: For a model with a graph, the tensors of that graph that must
            be computed to reach `stop`; None if not known.
        inner_shape: Shape of the images, with the batch axis, that the backbone was built for. This
            shape is used for models that declare no input shape.
        channels_first: Whether the images at `stop` have the channels first.

    Raises:
        FrontError: If the model cannot be run on a constant image, or if there is no range of
            values in which the front is a scale and an offset for each channel.
    """
    if has_graph(model):
        run, shapes, dtypes = _graph_runner(model, tensors_to_stop)
    else:
        run, shapes, dtypes = _call_runner(model, inner_shape, channels_first)
    shape = shapes[position]
    axis = _channel_axis(shape, channels_first)
    channels = shape[axis]
    if channels is None:
        channels = 3
    integers = "int" in dtypes[position]
    x = probes(channels, integers)
    pixels = np.concatenate(list(x.values()))
    failure: Exception | None = None
    for sizes in _sizes(shape, axis, inner_shape):
        feeds = []
        for i, (s, dtype) in enumerate(zip(shapes, dtypes, strict=True)):
            if i == position:
                image_shape = [len(pixels), *sizes]
                image_shape[axis] = channels
                pixel_shape = [1] * len(image_shape)
                pixel_shape[0], pixel_shape[axis] = len(pixels), channels
                value = np.broadcast_to(pixels.reshape(pixel_shape), image_shape)
            else:
                value = np.zeros([len(pixels), *(d or 1 for d in s[1:])])
            feeds.append(ops.convert_to_tensor(np.ascontiguousarray(value), dtype=dtype))
        try:
            received = np.asarray(ops.convert_to_numpy(_record_input(run, feeds, stop)))
            if received.size:
                break
            failure = FrontError("it cuts everything off a small image")
        except Exception as error:  # the user's own code may raise anything
            failure = error
    else:
        raise FrontError(f"it could not be run on a probe image ({_reason(failure)})")
    out = _middle(received, channels_first)
    if len(out) % len(pixels):
        raise FrontError("it changes the number of images")
    out = out.reshape(len(pixels), -1, out.shape[-1])[:, 0]
    bounds = np.cumsum([0, *(len(v) for v in x.values())])
    return fit(x, {n: out[a:b] for n, a, b in zip(x, bounds[:-1], bounds[1:], strict=True)})


def _graph_runner(
    model: Any, tensors_to_stop: tuple[Any, ...] | None
) -> tuple[Any, list[Any], list[str]]:
    """Returns a function that runs a model with a graph, and the shapes and dtypes of its inputs.

    For `tensors_to_stop` see `run_model`.
    """
    inputs = list(model.inputs)
    shapes = [tuple(t.shape) for t in inputs]
    dtypes = [str(keras.backend.standardize_dtype(t.dtype)) for t in inputs]
    pruned = model
    if tensors_to_stop:
        # Run only the part of the model that the backbone depends on. If a name is passed, Keras
        # does not advance its counter of model names.
        pruned = keras.Model(inputs, list(tensors_to_stop), name="front")

    def run(feeds: list[Any]) -> Any:
        # A custom layer may draw random numbers at any time. The scope keeps the state of the
        # layer's random generator unchanged.
        with keras.StatelessScope():
            if pruned is not model:
                # `call` does not check the shape, so a small image can go into a model that
                # was declared for large images.
                return pruned.call(feeds, training=False)
            return model(keras.tree.pack_sequence_as(model.input, feeds), training=False)

    return run, shapes, dtypes


def _call_runner(
    model: Any, inner_shape: tuple[int | None, ...], channels_first: bool
) -> tuple[Any, list[Any], list[str]]:
    """Returns the same as `_graph_runner` for a model without a graph."""
    shape: Any = (None, None, None, *inner_shape[-1:])
    if channels_first:
        shape = (None, *inner_shape[1:2], None, None)
    shapes: Any = None
    pack: Any = None
    if model.built:
        shapes, pack = _declared_inputs(model)
    if shapes is None:
        shapes, pack = [shape], lambda feeds: feeds[0]

    def run(feeds: list[Any]) -> Any:
        if model.built:
            return model(pack(feeds), training=False)
        # Calling the model itself would build all of it for small images.
        arguments = {"training": False} if call_takes_training(model) else {}
        return model.call(feeds[0], **arguments)

    return run, shapes, ["float32"] * len(shapes)


def _declared_inputs(model: Any) -> tuple[Any, Any]:
    """Returns the input shapes that a model was built with, and a function that packs inputs.

    Both are None unless the model was built with a dict or list of inputs. The shape of the image
    input comes first.
    """
    declared = (model.get_build_config() or {}).get("input_shape")
    if isinstance(declared, dict):
        keys = list(declared)
    elif isinstance(declared, list) and all(isinstance(s, tuple | list) for s in declared):
        keys = list(range(len(declared)))
    else:
        return None, None
    keys.sort(key=lambda k: len(declared[k]) < 4)
    if len(keys) > 1 and len(declared[keys[1]]) >= 4:
        raise FrontError("it takes several images, and which one feeds the network is not visible")

    def pack(feeds: list[Any]) -> Any:
        named = dict(zip(keys, feeds, strict=True))
        return named if isinstance(declared, dict) else [named[k] for k in sorted(named)]

    return [tuple(declared[k]) for k in keys], pack


def _sizes(shape: Any, axis: int, inner_shape: Any) -> Iterator[list[int]]:
    """Yields image shapes to try: a small one, then the declared one.

    The shapes have no batch axis, and their number of channels is 0.

    `shape` and `axis` are the declared shape of the input and its channel axis. For
    `inner_shape` see `run_model`.
    """
    for fallback in (None, inner_shape):
        sizes = []
        for i, d in enumerate(shape):
            if i == 0 or i == axis:
                continue
            if fallback is None:
                # A leading axis of frames or views keeps its length.
                sizes.append(PROBE_SIZE if i >= len(shape) - 3 or d is None else d)
            else:
                inner = fallback[i] if len(fallback) == len(shape) else None
                sizes.append(d or inner or 224)
        sizes.insert(axis - 1, 0)
        yield sizes


def _record_input(run: Callable[[list[Any]], Any], feeds: list[Any], stop: Any) -> Any:
    """Runs the model until it calls the layer `stop`; returns the first argument of that call."""
    received: list[Any] = []

    def record(*args: Any, **kwargs: Any) -> Any:
        received.append(args[0] if args else next(iter(kwargs.values())))
        raise _ReachedError

    with replaced_calls([(stop, record)]):
        try:
            run(feeds)
        except Exception:
            # Keras may wrap `_ReachedError` in an error of its own.
            if not received:
                raise
    if not received:
        raise FrontError("the backbone is not reached by calling the model")
    return received[0]


def _reason(error: Exception | None) -> str:
    """Returns the first line of an error message without the preamble and colors of Keras."""
    lines = re.sub(r"\x1b\[\d*m", "", str(error)).splitlines()
    lines = [x for x in lines if x.strip() and not x.startswith("Exception encountered")]
    return f"{type(error).__name__}: {lines[0][:160] if lines else ''}"


def _channel_axis(shape: tuple[int | None, ...], channels_first: bool) -> int:
    """Returns the channel axis of an input.

    `channels_first` is whether the backbone takes the channels first. The input may differ.
    """
    return len(shape) - (3 if channels_first and shape[-1] not in (1, 3, 4) else 1)


def _middle(images: np.ndarray, channels_first: bool) -> np.ndarray:
    """Returns the middle pixel of each image, which padding does not affect."""
    if channels_first:
        images = np.moveaxis(images, -3, -1)
    middle = images[..., images.shape[-3] // 2, images.shape[-2] // 2, :]
    return middle.reshape(-1, images.shape[-1])

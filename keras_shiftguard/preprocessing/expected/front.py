"""Front of a model: the computation between its input and its backbone, fitted as an affine map.

The backbone is the recognized network, from its first convolution on. The front is measured rather
than read from the configuration of the layers: the model is run in inference mode on constant
images of known values, until it calls the backbone, and the input of the backbone is recorded. Then
`y[c] = x[permutation[c]] * scale[c] + offset[c]` is fitted, and the fit is checked on values that
were not used for it. So a `Rescaling`, a `Lambda`, an operator and a custom layer are all handled
in the same way, in functional, sequential and subclassed models. The images are constant in space,
so that resizing and cropping change nothing. The backbone itself is never run.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.instrument.graph import has_graph
from keras_shiftguard.instrument.keras_private import call_takes_training
from keras_shiftguard.instrument.layer_calls import replaced_calls
from keras_shiftguard.instrument.model_outputs import cause_of

# Ranges of input values. A front that clips may be affine in only some of them. Given by the modes
# of `preprocess_input`.
RANGES = {"0..255": (0.0, 255.0), "[0, 1]": (0.0, 1.0), "[-1, 1]": (-1.0, 1.0)}
# Channel values of two more constant images, from 0 (low end of a range) to 1 (high end). These
# images only serve to check the fit. A convention.
HELD_OUT = ((0.2, 0.7, 0.45, 0.6), (0.9, 0.1, 0.6, 0.3))
PROBE_SIZE = 32  # height and width of a constant image. A convention.


class FrontError(Exception):
    """Raised if the front is not a scale and an offset for each channel; the message says why."""


class _Reached(BaseException):
    """Raised with the input of the backbone; no `Exception`, so that no layer catches it."""


@dataclass(frozen=True)
class Front:
    """The front of a model as `y[c] = x[permutation[c]] * scale[c] + offset[c]`."""

    permutation: tuple[int, ...]  # the index of the input channel for each output channel
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    channels: int  # of the input
    only_in: str | None  # the range of input values of the fit; None if it holds in all ranges
    precision: float  # relative rounding error of the fit

    @property
    def keeps_order(self) -> bool:
        """Whether each channel stays in its place; a single channel may be repeated."""
        return self.channels == 1 or self.permutation == tuple(range(self.channels))

    @property
    def is_identity(self) -> bool:
        """Whether the front leaves the values as they are; it may repeat a single channel."""
        is_unscaled = np.allclose(self.scale, 1.0, rtol=1e-3)
        return self.keeps_order and is_unscaled and np.allclose(self.offset, 0.0, atol=1e-3)

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Returns what the front makes of values, `(images, channels)`."""
        return x[:, list(self.permutation)] * np.asarray(self.scale) + np.asarray(self.offset)

    def explains(self, x: np.ndarray, y: np.ndarray) -> bool:
        """Whether the front turns `x` into `y`, up to 20 rounding errors of the summands."""
        size_of_summands = np.abs(self.apply(x) - self.offset) + np.abs(self.offset) + np.abs(y)
        errors = np.abs(self.apply(x) - y)
        return bool((errors <= 20 * self.precision * size_of_summands + 1e-6).all())

    def __str__(self) -> str:
        scale, offset = (
            f"{values[0]:.4g}"
            if np.allclose(values, values[0], rtol=1e-5, atol=1e-9)
            else "[" + ", ".join(f"{v:.4g}" for v in values) + "]"
            for values in (self.scale, self.offset)
        )
        order = "" if self.keeps_order else f", channels taken in the order {[*self.permutation]}"
        return f"x * {scale} + {offset}{order}"


def probes(channels: int, integers: bool = False) -> dict[str, np.ndarray]:
    """Returns the values of the constant images that the model is run on, by range.

    Each range has `(channels + 3, channels)` values: the smallest value in all channels; for each
    channel, the same row with the largest value in that channel; and `HELD_OUT`. If the model
    accepts `integers`, only the range 0..255 is used.
    """
    held_out = [np.resize(row, channels) for row in HELD_OUT]
    unit = np.concatenate([np.zeros((1, channels)), np.eye(channels), held_out])
    if integers:
        return {"0..255": np.round(255 * unit)}
    return {name: low + (high - low) * unit for name, (low, high) in RANGES.items()}


def fit(values_in: dict[str, np.ndarray], values_out: dict[str, np.ndarray]) -> list[Front]:
    """Returns the fronts that turn `probes` into the recorded input of a backbone.

    Both arguments have `(probes, channels)` values by range. The result is one front if it holds in
    every range, else one for each range in which it is affine. If there is none, or if channels are
    mixed, the function raises `FrontError`.
    """
    found, reasons = [], []
    for name, x in values_in.items():
        try:
            found.append(_fit_range(name, x, values_out[name]))
        except FrontError as error:
            reasons.append(error)
    if not found:
        raise reasons[0]
    for front in found:
        if all(front.explains(x, values_out[name]) for name, x in values_in.items()):
            return [replace(front, only_in=None)]
    return found


def _fit_range(name: str, x: np.ndarray, y: np.ndarray) -> Front:
    """Returns the front that turns the probes `x` of one range into `y`."""
    # NumPy's finfo does not know bfloat16. The last number is 8 times the error of float32.
    precision = {"float16": 2**-10, "bfloat16": 2**-7}.get(str(y.dtype), 2**-20)
    y = y.astype("float64")
    if not np.isfinite(y).all():
        raise FrontError("it turns constant images into values that are not finite")
    channels, (low, high) = x.shape[1], RANGES[name]
    slope = (y[1 : channels + 1] - y[0]).T / (high - low)  # (out, in)
    strongest, peak = np.abs(slope).argmax(axis=1), np.abs(slope).max(axis=1)
    if (peak * (high - low) <= precision * max(high, 20 * np.abs(y).max())).any():
        raise FrontError("the value of a constant image does not come through it")
    scale = np.take_along_axis(slope, strongest[:, None], axis=1)[:, 0]
    order, scales, offsets = (tuple(v.tolist()) for v in (strongest, scale, y[0] - scale * low))
    front = Front(order, scales, offsets, channels, name, precision)
    from_others = np.abs(slope).sum(axis=1) - peak
    if (from_others > (1e-3 + 20 * precision) * peak).any():
        raise FrontError("it mixes the colour channels")
    if not front.explains(x, y):
        raise FrontError("it is not a scale and an offset for each channel")
    return front


def run_layers(layers: list[Any], channels_first: bool = False) -> list[Front]:
    """Returns the fronts of a chain of layers that takes three channels; see `fit`."""
    x, made = probes(3), {}
    for name, pixels in x.items():
        shape = (-1, 3, 1, 1) if channels_first else (-1, 1, 1, 3)
        images = ops.convert_to_tensor(pixels.reshape(shape), "float32")
        for layer in layers:
            images = layer(images)
        made[name] = np.reshape(ops.convert_to_numpy(images), (len(pixels), -1))
    return fit(x, made)


def run_model(
    model: Any,
    position: int,
    stop: Any,
    tensors_to_stop: tuple[Any, ...] | None,
    inner_shape: tuple[int | None, ...],
    channels_first: bool,
) -> list[Front]:
    """Returns the fronts between the input at a position and the layer `stop`; see `fit`.

    The input of `stop` is recorded; neither this layer nor any later layer is run. If the model was
    never called, this run builds the layers in front of `stop`. If it cannot be run on a constant
    image, the function raises `FrontError`.

    Args:
        model: Any Keras model.
        position: Index of the input.
        stop: The layer.
        tensors_to_stop: For a model with a graph, the tensors of that graph that must
            be computed to reach `stop`; None if not known.
        inner_shape: Shape of the images, with the batch axis, that the backbone was built for, for
            models that declare no input shape.
        channels_first: Whether the images at `stop` have the channels first.
    """
    if has_graph(model):
        run, shapes = _graph_runner(model, tensors_to_stop), [t.shape for t in model.inputs]
        dtypes = [keras.backend.standardize_dtype(t.dtype) for t in model.inputs]
    else:
        run, shapes, position = _call_runner(model, inner_shape, channels_first)
        dtypes = ["float32"] * len(shapes)
    shape = shapes[position]
    # The input may have the channels last although the backbone takes them first.
    axis = len(shape) - (3 if channels_first and shape[-1] not in (1, 3, 4) else 1)
    x = probes(shape[axis] or 3, "int" in dtypes[position])
    pixels = np.concatenate([*x.values()])
    for is_small in (True, False):
        feeds = [np.zeros([len(pixels), *(d or 1 for d in each[1:])]) for each in shapes]
        feeds[position] = _constant_images(pixels, shape, axis, None if is_small else inner_shape)
        tensors = [ops.convert_to_tensor(v, d) for v, d in zip(feeds, dtypes, strict=True)]
        try:
            received = np.asarray(ops.convert_to_numpy(_record_input(run, tensors, stop)))
            if not received.size:
                raise FrontError("it cuts everything off a small image")
            break
        except Exception as error:  # the user's own code may raise anything
            reason = f"{type(error).__name__}: {cause_of(error)[:160]}"
    else:
        raise FrontError(f"it could not be run on a probe image ({reason})")
    images = np.moveaxis(received, -3, -1) if channels_first else received
    # The middle pixel, which padding does not affect.
    middle = images[..., images.shape[-3] // 2, images.shape[-2] // 2, :]
    if middle[..., 0].size % len(pixels):
        raise FrontError("it changes the number of images")
    out = middle.reshape(len(pixels), -1, middle.shape[-1])[:, 0]  # of the first frame
    ends = np.cumsum([len(values) for values in x.values()])[:-1]
    return fit(x, dict(zip(x, np.split(out, ends), strict=True)))


def _constant_images(pixels: np.ndarray, shape: Any, axis: int, inner: Any) -> np.ndarray:
    """Returns an image of each pixel value.

    `shape` and `axis` are the declared shape of the input and its channel axis. The images are
    small if `inner` is None, else of the declared size, or of that of the shape `inner`.
    """
    sizes = [len(pixels), *(d or 1 for d in shape[1:])]  # a leading axis of frames keeps its length
    for i in {len(shape) - 3, len(shape) - 2, len(shape) - 1} - {axis}:
        of_inner = inner[i] if inner is not None and len(inner) == len(shape) else None
        sizes[i] = PROBE_SIZE if inner is None else shape[i] or of_inner or PROBE_SIZE
    sizes[axis] = pixels.shape[1]
    values = np.expand_dims(pixels, [i for i in range(1, len(shape)) if i != axis])
    return np.ascontiguousarray(np.broadcast_to(values, sizes))


def _graph_runner(model: Any, tensors_to_stop: tuple[Any, ...] | None) -> Callable[[Any], Any]:
    """Returns a function that runs the part of a graph that the backbone depends on."""
    # If a name is passed, Keras does not advance its counter of model names.
    pruned = keras.Model(list(model.inputs), list(tensors_to_stop or model.outputs), name="front")

    def run(feeds: list[Any]) -> Any:
        # A custom layer may draw random numbers at any time. The scope keeps the state of its
        # random generator unchanged. `call` does not check the shape, so a small image can go
        # into a model that was declared for large images.
        with keras.StatelessScope():
            return pruned.call(feeds, training=False)

    return run


def _call_runner(
    model: Any, inner_shape: tuple[int | None, ...], channels_first: bool
) -> tuple[Callable[[Any], Any], list[Any], int]:
    """Returns a function that calls a model without a graph, its input shapes, and the image's."""
    declared: Any = model.built and (model.get_build_config() or {}).get("input_shape")
    is_list = isinstance(declared, list) and all(isinstance(s, tuple | list) for s in declared)
    shapes: list[Any] = [(None, None, None, *inner_shape[-1:])]
    if isinstance(declared, dict):
        shapes = list(declared.values())
    elif is_list:
        shapes = declared
    elif channels_first:
        shapes = [(None, *inner_shape[1:2], None, None)]
    images = [i for i, shape in enumerate(shapes) if len(shape) >= 4]
    if len(images) > 1:
        raise FrontError("it takes several images, and which one feeds the network is not visible")
    arguments = {"training": False} if call_takes_training(model) else {}

    def run(feeds: list[Any]) -> Any:
        packed: Any = feeds if is_list else feeds[0]
        if isinstance(declared, dict):
            packed = dict(zip(declared, feeds, strict=True))
        # Calling the model itself would build all of it for small images.
        return model.call(packed, **arguments)

    return run, shapes, images[0]


def _record_input(run: Callable[[list[Any]], Any], feeds: list[Any], stop: Any) -> Any:
    """Runs the model until it calls the layer `stop`; returns the first argument of that call."""

    def record(*args: Any, **kwargs: Any) -> Any:
        raise _Reached(args[0] if args else next(iter(kwargs.values())))

    try:
        with replaced_calls([(stop, record)]):
            run(feeds)
    except _Reached as reached:
        return reached.args[0]
    raise FrontError("the backbone is not reached by calling the model")

"""What a network was trained on, read from its batch-norm layers.

A batch-norm layer remembers the mean and variance that each channel of its
input had in training. Images that reach it in the form of the training images
have about the same statistics; images in another form do not. The first few
layers see the pipeline, the deep ones see the subject: only the first are used.

The divergence of one channel is that between two Gaussians, KL(batch || moving):
`0.5 * (log(v1 / v0) + (v0 + (m0 - m1)^2) / v1 - 1)`. Its logarithm is averaged,
so that a few wild channels do not decide alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_shiftguard.preprocessing.graph import sublayers

SMALLEST = 1e-4  # of a divergence: below, sampling noise decides


class Transform(NamedTuple):
    """`y[c] = x[permutation[c]] * scale[c] + offset[c]`, on images as fed."""

    permutation: tuple[int, ...] | None
    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def apply(self, images: np.ndarray, axis: int = -1) -> np.ndarray:
        """Float32 images, transformed along the channel axis."""
        x = np.asarray(images).astype("float32")
        if self.permutation is not None:
            x = np.take(x, self.permutation, axis=axis)
        shape = [1] * x.ndim
        shape[axis] = -1
        scale = np.asarray(self.scale, "float32").reshape(shape)
        return x * scale + np.asarray(self.offset, "float32").reshape(shape)


AS_FED = Transform(None, (1.0,), (0.0,))


class BatchNormEvidence:
    """The early batch-norm layers of a model, and the weights in front of them.

    The weights are copied when this is made and used ever after, so that in a
    fit the evidence is that of the model as it was before training.

    Args:
        model: A built model. It is not changed.
        max_layers: How many trained batch-norm layers to follow.
    """

    def __init__(self, model: keras.Model, max_layers: int = 4) -> None:
        self.model = model
        self.layers: list[Any] = []
        self._moving: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._weights: dict[int, tuple[Any, np.ndarray]] = {}
        self.reason = ""
        if not model.built:
            self.reason = "the model is not built yet"
            return
        found = 0
        for layer, variables in _in_order(model):
            for variable in variables:
                self._weights[id(variable)] = (variable, _copy(variable))
            if not isinstance(layer, keras.layers.BatchNormalization) or not layer.built:
                continue
            found += 1
            mean, variance = _copy(layer.moving_mean), _copy(layer.moving_variance)
            if np.any(mean != 0) or np.any(variance != 1):
                self.layers.append(layer)
                self._moving[id(layer)] = (mean, variance)
            if len(self.layers) == max_layers:
                break
        if not found:
            self.reason = "the model has no batch normalisation"
        elif not self.layers:
            self.reason = "the batch normalisation of the model is untrained"
        if not self.layers:
            self._weights = {}

    @property
    def available(self) -> bool:
        """Whether there is any trained batch norm to compare with."""
        return bool(self.layers)

    def score(
        self,
        inputs: Mapping[str, np.ndarray],
        candidates: Sequence[Transform],
        name: str = "input",
        axis: int = -1,
    ) -> "Scores":
        """Follows every candidate through the early layers.

        Args:
            inputs: Images as fed, by input name.
            candidates: What might have to be done to input `name`.
            name: The input that the candidates are for.
            axis: Its channel axis.
        """
        found = [
            self._statistics({**inputs, name: candidate.apply(inputs[name], axis)})
            for candidate in candidates
        ]
        layers = [layer for layer in self.layers if all(id(layer) in run for run in found)]
        if not layers:
            raise ValueError("no batch-norm layer was reached")
        return Scores(
            np.stack(
                [np.stack([np.concatenate([r[id(a)][k] for a in layers], -1) for k in (0, 1)])
                 for r in found]
            ),
            np.stack([np.concatenate([self._moving[id(a)][k] for a in layers]) for k in (0, 1)]),
        )

    def _statistics(
        self, inputs: Mapping[str, np.ndarray]
    ) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Mean and mean square of each channel of each image, by layer."""
        found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        with _recorded(self.layers, found):
            scope = keras.StatelessScope(
                state_mapping=[
                    (variable, ops.convert_to_tensor(value, dtype=variable.dtype))
                    for variable, value in self._weights.values()
                ]
            )
            with scope:
                self.model(_as_called(self.model, inputs), training=False)
        return found


class Scores:
    """How well each candidate fits the moving statistics.

    Args:
        statistics: `(candidates, 2, images, channels)`: mean and mean square.
        moving: `(2, channels)`: moving mean and variance.
    """

    def __init__(self, statistics: np.ndarray, moving: np.ndarray) -> None:
        self.statistics = np.asarray(statistics, "float64")
        self.moving = np.asarray(moving, "float64")
        self.num_images = self.statistics.shape[2]

    def divergence(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Mean log divergence of each candidate, `(candidates,)`; lower is better.

        Args:
            weights: How often each image counts, `(..., images)`; once if None.
                Leading axes are kept: `(..., candidates)`.
        """
        if weights is None:
            weights = np.ones(self.num_images)
        weights = weights / weights.sum(-1, keepdims=True)
        mean, square = (weights @ self.statistics[:, k] for k in (0, 1))
        return np.moveaxis(mean_log_divergence(mean, square - mean**2, *self.moving), 0, -1)


def mean_log_divergence(
    mean: np.ndarray, variance: np.ndarray, moving_mean: np.ndarray, moving_variance: np.ndarray
) -> np.ndarray:
    """Mean over the last axis of the log of KL(batch || moving)."""
    v0, v1 = np.maximum(variance, 1e-12), np.maximum(moving_variance, 1e-12)
    kl = 0.5 * (np.log(v1 / v0) + (v0 + (mean - moving_mean) ** 2) / v1 - 1)
    return np.log(np.maximum(kl, SMALLEST)).mean(-1)


class _Reached(BaseException):
    """Ends the forward pass; no `except Exception` of a layer may catch it."""


@contextmanager
def _recorded(layers: list[Any], found: dict[int, Any]) -> Iterator[None]:
    """Lets the layers tell what they receive; the last one ends the pass.

    The recorder shadows `call` in the instance's own dictionary, past every
    `__setattr__` of Keras and torch, so that nothing is tracked.
    """
    shadowed: dict[int, tuple[Any, Any]] = {}
    try:
        for layer in layers:
            shadowed[id(layer)] = (layer, vars(layer).get("call"))
            vars(layer)["call"] = _recorder(layer, layer.call, found, len(layers))
        yield
    except _Reached:
        pass
    finally:
        for layer, before in shadowed.values():
            if before is None:
                vars(layer).pop("call", None)
            else:
                vars(layer)["call"] = before


def _recorder(layer: Any, call: Any, found: dict[int, Any], wanted: int) -> Any:
    def record(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if id(layer) not in found:
            x = ops.cast(inputs, "float32")
            axis = layer.axis % len(x.shape)
            space = tuple(a for a in range(1, len(x.shape)) if a != axis)
            found[id(layer)] = tuple(
                ops.convert_to_numpy(ops.mean(v, axis=space) if space else v)
                for v in (x, ops.square(x))
            )
            if len(found) == wanted:
                raise _Reached
        return call(inputs, *args, **kwargs)

    return record


def _in_order(layer: Any, seen: set[int] | None = None) -> Iterator[tuple[Any, list[Any]]]:
    """Every layer with the variables of its own, about in the order of execution."""
    seen = set() if seen is None else seen
    if id(layer) in seen:
        return
    seen.add(id(layer))
    inner = sublayers(layer)
    within = {id(v) for sub in inner for v in sub.variables}
    yield layer, [v for v in layer.variables if id(v) not in within]
    for sub in inner:
        yield from _in_order(sub, seen)


def _as_called(model: keras.Model, inputs: Mapping[str, np.ndarray]) -> Any:
    """The inputs in the structure that the model's `call` takes."""
    tensors = {name: ops.convert_to_tensor(x) for name, x in inputs.items()}
    names = list(tensors)
    if names == ["input"] and not isinstance(getattr(model, "input", None), dict):
        return tensors["input"]
    if names == [f"input_{i}" for i in range(len(names))]:
        declared = getattr(model, "input", None)
        if not isinstance(declared, dict):
            return list(tensors.values())
    return tensors


def _copy(variable: Any) -> np.ndarray:
    return np.array(ops.convert_to_numpy(variable), copy=True)

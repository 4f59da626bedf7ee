"""Batch-norm evidence: how images differ from those that a network was trained on.

In training, a batch-norm layer stores the moving mean and variance of each channel of its input.
In the first few layers, images in the convention of the training images have nearly the stored
statistics; images in another convention do not. Each channel is compared by the divergence of two
Gaussians, KL(batch || moving) = `0.5 * (log(v1 / v0) + (v0 + (m0 - m1)^2) / v1 - 1)` with mean `m0`
and variance `v0` of the batch, moving mean `m1` and moving variance `v1`. The square root of the
divergence is averaged over channels, so that a few extreme channels do not dominate: the misfit.
Deep layers are not used, because their statistics depend on the subject of the images.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_shiftguard.instrument.layer_calls import (
    NotReachedError,
    as_called,
    layers_with_own_variables,
    no_gradients,
    recorded,
)
from keras_shiftguard.preprocessing.expected.batch_norm_scores import Scores
from keras_shiftguard.statistics.state import on_host

MAX_LAYERS = 3  # how many of the first trained batch-norm layers are compared. A convention.
# A channel is compared only if its moving variance plus epsilon is above this multiple of epsilon.
# A convention.
MIN_VARIANCE_IN_EPSILONS = 1.5


class Transform(NamedTuple):
    """The map `y[c] = x[permutation[c]] * scale[c] + offset[c]` of images as fed.

    With `each`, every image then gets mean 0 and deviation 1 by itself.
    """

    permutation: tuple[int, ...] | None
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    each: bool = False

    def apply(self, images: np.ndarray, axis: int = -1) -> np.ndarray:
        """Returns the images transformed along the channel axis `axis`, float32."""
        x = np.asarray(images).astype("float32")
        if self.permutation is not None:
            x = np.take(x, self.permutation, axis=axis)
        shape = [1] * x.ndim
        shape[axis] = -1
        # Broadcasting to one image first is faster: NumPy is slow if the last axis is short.
        scale, offset = (
            np.ascontiguousarray(np.broadcast_to(np.reshape(v, shape)[0], x.shape[1:]), "float32")
            for v in (self.scale, self.offset)
        )
        x = x * scale + offset
        if self.each:
            axes = tuple(range(1, x.ndim))
            x -= x.mean(axis=axes, keepdims=True)
            x /= np.maximum(x.std(axis=axes, keepdims=True), 1e-6)
        return x

    def after(self, gain: Any, bias: Any) -> "Transform":
        """Returns the map that applies `x * gain + bias` to the images as fed, and then this map.

        Args:
            gain: Factor for each channel as fed, or one for all.
            bias: Offset for each channel as fed, or one for all.
        """
        scale, offset, gain, bias = np.broadcast_arrays(self.scale, self.offset, gain, bias)
        order = list(self.permutation or range(len(scale)))
        gain, bias = scale * gain[order], scale * bias[order] + offset
        return self._replace(scale=tuple(gain.tolist()), offset=tuple(bias.tolist()))


AS_FED = Transform(None, (1.0,), (0.0,))  # scale 1 and offset 0. Given by the identity.


class BatchNormEvidence:
    """Batch-norm evidence of a model: its moving statistics, and a copy of its weights.

    The copied weights are used to compute the statistics of images. The weights are copied once,
    when the object is created. So if the model is trained later, the evidence does not change.

    Args:
        model: A built model. It is not changed.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.layers: list[Any] = []  # the first trained batch-norm layers
        # By id of a layer: moving mean, and moving variance plus epsilon.
        self._moving: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        # The variables up to the last of these layers, and their copied values.
        self._weights: list[tuple[Any, np.ndarray]] = []
        self.reason = ""  # why there is nothing to compare with, in one sentence
        if not model.built:
            self.reason = "The model is not built yet."
            return
        num_layers, behind = 0, ""
        for layer, variables in layers_with_own_variables(model):
            if len(self.layers) == MAX_LAYERS:
                break
            self._weights += [(variable, _copy(variable)) for variable in variables]
            if _mixes_or_normalises(layer) and not behind:
                behind = type(layer).__name__
            if not isinstance(layer, keras.layers.BatchNormalization) or not layer.built:
                continue
            num_layers += 1
            if behind and not self.layers:
                continue
            mean, variance = _copy(layer.moving_mean), _copy(layer.moving_variance)
            if np.any(mean != 0) or np.any(variance != 1):
                self.layers.append(layer)
                self._moving[id(layer)] = (mean, variance + layer.epsilon)
        if not num_layers:
            self.reason = "The model has no batch normalisation."
        elif behind and not self.layers:
            self.reason = (
                f"All batch normalisation of the model stands behind {behind}, where nothing of "
                "the pixels' convention is left."
            )
        elif not self.layers:
            self.reason = "The batch normalisation of the model is untrained."
        if not self.layers:
            self._weights = []

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
        depth: int | None = None,
        runs: dict[Transform, dict[int, Any]] | None = None,
    ) -> Scores:
        """Returns how well each candidate fits the moving statistics of the first layers.

        Args:
            inputs: Images as fed, by input name.
            candidates: Maps to apply to the input `name`, one by one.
            name: Name of the input that the candidates are applied to.
            axis: The channel axis of that input.
            depth: How many of the first layers to use; None uses all.
            runs: The statistics of earlier candidates on the same images and layers. They are used
                again, and those of new candidates are added.

        Raises:
            NotReachedError: If the model calls none of the layers.
        """
        first = self.layers[:depth]
        known = {} if runs is None else runs
        for candidate in candidates:
            if candidate not in known:
                images = candidate.apply(inputs[name], axis)
                known[candidate] = self._statistics({**inputs, name: images}, first)
        found = [known[candidate] for candidate in candidates]
        layers = [layer for layer in first if all(id(layer) in run for run in found)]
        if not layers:
            raise NotReachedError("no batch-norm layer was reached")
        statistics = [
            [np.concatenate([run[id(layer)][k] for layer in layers], axis=-1) for k in (0, 1)]
            for run in found
        ]
        moving = np.asarray(
            [np.concatenate([self._moving[id(a)][k] for a in layers]) for k in (0, 1)]
        )
        floor = np.concatenate([np.full(len(self._moving[id(a)][0]), a.epsilon) for a in layers])
        # A channel without variance (dead, or lost in 8-bit storage) carries no information.
        alive = moving[1] > MIN_VARIANCE_IN_EPSILONS * floor
        if alive.any():
            return Scores(np.asarray(statistics)[..., alive], moving[:, alive], floor[alive])
        return Scores(np.asarray(statistics), moving, floor)

    def _statistics(
        self, inputs: Mapping[str, np.ndarray], layers: list[Any]
    ) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Returns the mean and mean square of the channels of each image, by id of the layer."""
        found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        scope = keras.StatelessScope(
            state_mapping=[
                (variable, ops.convert_to_tensor(value, dtype=variable.dtype))
                for variable, value in self._weights
            ]
        )
        with recorded(layers, found), scope, no_gradients():
            self.model(as_called(self.model, inputs), training=False)
        return found


def _mixes_or_normalises(layer: Any) -> bool:
    """Whether a layer is attention or normalizes each sample. Both hide the scale of the pixels."""
    per_sample = (keras.layers.LayerNormalization, keras.layers.GroupNormalization)
    return isinstance(layer, per_sample) or "Attention" in type(layer).__name__


def _copy(variable: Any) -> np.ndarray:
    return np.array(on_host(variable), copy=True)

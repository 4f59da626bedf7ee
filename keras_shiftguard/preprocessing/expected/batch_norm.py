"""Batch-norm evidence: which convention of the images fits a model's batch norm best.

In training, a batch-norm layer stores the moving mean and variance of each channel of its input.
In the first few layers, images in the convention of the training images have nearly the stored
statistics; images in another convention do not. Each channel is compared by the divergence of two
Gaussians, KL(batch || moving) = `0.5 * (log(v1 / v0) + (v0 + (m0 - m1)^2) / v1 - 1)` with mean `m0`
and variance `v0` of the batch, moving mean `m1` and moving variance `v1`. The square root of the
divergence is averaged over channels, so that a few extreme channels do not dominate: the misfit.
Deep layers are not used, because their statistics depend on the subject of the images.
"""

from collections.abc import Mapping, Sequence
from copy import copy
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
from keras_shiftguard.statistics.state import on_host

MAX_LAYERS = 3  # how many of the first trained batch-norm layers are compared. A convention.
# A channel is compared only if its moving variance plus epsilon is above this multiple of epsilon.
# A convention.
MIN_VARIANCE_IN_EPSILONS = 1.5
ROUNDED = 0.999  # the share that rounding leaves of a number after some thousand steps in float32
RESAMPLES = 50  # bootstrap draws. A convention.


class Transform(NamedTuple):
    """The map `y[c] = x[permutation[c]] * scale[c] + offset[c]` of images as fed.

    With `each`, every image then gets mean 0 and deviation 1 by itself.
    """

    permutation: tuple[int, ...] | None = None
    scale: tuple[float, ...] = (1.0,)
    offset: tuple[float, ...] = (0.0,)
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
        """Returns the map that applies `x * gain + bias` to images as fed, and then this map."""
        scale, offset, gain, bias = np.broadcast_arrays(self.scale, self.offset, gain, bias)
        order = list(self.permutation or range(len(scale)))
        gain, bias = scale * gain[order], scale * bias[order] + offset
        return self._replace(scale=tuple(gain.tolist()), offset=tuple(bias.tolist()))


AS_FED = Transform()


class BatchNormEvidence:
    """Batch-norm evidence of a model: its moving statistics, and a copy of its weights.

    The copied weights are used to compute the statistics of images. The weights are copied once,
    when the object is created. So if the model is trained later, the evidence does not change.

    Args:
        model: A built model. It is not changed.

    Attributes:
        begun: The same evidence if the weights were new when the optimizer made its first step.
            After few steps, moving statistics still hold a part of their initial values, which is
            taken out of them. None if this changes nothing, or is impossible.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.begun: BatchNormEvidence | None = None
        self.layers: list[Any] = []  # the first trained batch-norm layers
        # By id of a layer: moving mean, moving variance plus epsilon, and epsilon of each channel.
        self._moving: dict[int, np.ndarray] = {}
        # The variables up to the last of these layers, and their copied values.
        self._weights: list[tuple[Any, np.ndarray]] = []
        self.reason = ""  # why there is nothing to compare with, in one sentence
        if not model.built:
            self.reason = "The model is not built yet."
            return
        has_norm, behind = False, ""
        for layer, variables in layers_with_own_variables(model):
            if len(self.layers) == MAX_LAYERS:
                break
            self._weights += [(variable, _copy(variable)) for variable in variables]
            if _mixes_or_normalises(layer) and not self.layers:
                behind = behind or type(layer).__name__
            if not isinstance(layer, keras.layers.BatchNormalization) or not layer.built:
                continue
            has_norm = True
            mean, variance = _copy(layer.moving_mean), _copy(layer.moving_variance)
            if not behind and (np.any(mean != 0) or np.any(variance != 1)):
                self.layers.append(layer)
                epsilon = np.full(len(mean), layer.epsilon)
                self._moving[id(layer)] = np.stack([mean, variance + layer.epsilon, epsilon])
        if self.layers:
            self.begun = self._begun(_steps_of(model))
            return
        self._weights = []
        if not has_norm:
            self.reason = "The model has no batch normalisation."
        elif behind:
            self.reason = (
                f"All batch normalisation of the model stands behind {behind}, where nothing of "
                "the pixels' convention is left."
            )
        else:
            self.reason = "The batch normalisation of the model is untrained."

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
    ) -> "Scores":
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
        reached = [id(layer) for layer in first if all(id(layer) in run for run in found)]
        if not reached:
            raise NotReachedError("no batch-norm layer was reached")
        moving = np.concatenate([self._moving[key] for key in reached], axis=-1)
        statistics = np.stack([np.concatenate([run[k] for k in reached], axis=-1) for run in found])
        # A channel without variance (dead, or lost in 8-bit storage) carries no information.
        alive = moving[1] > MIN_VARIANCE_IN_EPSILONS * moving[2]
        alive |= not alive.any()
        return Scores(statistics[..., alive], moving[:, alive])

    def _begun(self, steps: int) -> "BatchNormEvidence | None":
        """Returns the evidence without the initial values 0 and 1, see `begun`.

        Each step leaves the share `momentum` of the initial values.
        """
        shares = [layer.momentum**steps if steps else 0.0 for layer in self.layers]
        if not 1 - ROUNDED < max(shares) < 1:
            return None
        values = {id(variable): value for variable, value in self._weights}
        moving = {}
        for layer, left in zip(self.layers, shares, strict=True):
            mean, variance = (values[id(v)] for v in (layer.moving_mean, layer.moving_variance))
            if (variance < ROUNDED * left).any():
                return None
            mean = mean / (1 - left)
            variance = np.maximum(variance - left, 0) / (1 - left)
            values |= {id(layer.moving_mean): mean, id(layer.moving_variance): variance}
            _, _, epsilon = self._moving[id(layer)]
            moving[id(layer)] = np.stack([mean, variance + epsilon, epsilon])
        found = copy(self)
        found._moving = moving
        found._weights = [(variable, values[id(variable)]) for variable, _ in self._weights]
        return found

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


class Scores:
    """How well each candidate fits the moving statistics.

    `misfit` holds the logarithm of the misfit of each candidate, `(candidates,)`; `resampled` holds
    those of bootstrap draws of the images, `(draws, candidates)`.

    Args:
        statistics: `(candidates, 2, images, channels)`: mean and mean square of each
            channel, for all channels of the compared layers.
        moving: `(3, channels)`: moving mean, moving variance plus epsilon, and epsilon.
    """

    def __init__(self, statistics: np.ndarray, moving: np.ndarray) -> None:
        self.statistics, self.moving = (np.asarray(v, "float64") for v in (statistics, moving))
        images = self.statistics.shape[2]
        draws = np.random.default_rng(0).multinomial(
            images, np.full(images, 1 / images), size=RESAMPLES
        )
        self.misfit = self._misfit(np.full((1, images), 1 / images))[0]
        self.resampled = self._misfit(draws / images)

    def gap(self, worse: int, better: int) -> tuple[float, float]:
        """Returns by how much one candidate fits worse than another.

        Returns:
            `(gap, sigmas)`: the log ratio of the misfits, and this ratio in standard errors over
            the images (bootstrap). `sigmas` is 0 if the gap is the same in all draws.
        """
        gap = float(self.misfit[worse] - self.misfit[better])
        spread = float((self.resampled[:, worse] - self.resampled[:, better]).std())
        return gap, gap / spread if spread > 1e-9 else 0.0

    def _misfit(self, weights: np.ndarray) -> np.ndarray:
        """Returns `(draws, candidates)`: log of the mean over channels of sqrt(KL).

        `weights`, `(draws, images)`, is the share of each image in each draw.
        """
        moving_mean, moving_variance, _ = self.moving
        columns = []
        for means, squares in self.statistics:
            mean, variance = self._of_batch(weights @ means, weights @ squares)
            kl = np.log(moving_variance / variance) - 1
            kl += (variance + (mean - moving_mean) ** 2) / moving_variance
            columns.append(np.log(np.sqrt(np.maximum(kl / 2, 1e-12)).mean(axis=-1)))
        return np.stack(columns, axis=-1)

    def _of_batch(self, mean: np.ndarray, square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the mean and the variance plus epsilon, from the mean and the mean square."""
        return mean, np.maximum(square - mean**2, 0) + self.moving[2]


def _steps_of(model: keras.Model) -> int:
    """Returns how many steps the optimizer of a model has made; 0 without one."""
    iterations = getattr(getattr(model, "optimizer", None), "iterations", None)
    return 0 if iterations is None else int(on_host(iterations))


def _mixes_or_normalises(layer: Any) -> bool:
    """Whether a layer is attention or normalizes each sample. Both hide the scale of the pixels."""
    per_sample = (keras.layers.LayerNormalization, keras.layers.GroupNormalization)
    return isinstance(layer, per_sample) or "Attention" in type(layer).__name__


def _copy(variable: Any) -> np.ndarray:
    return np.array(on_host(variable), copy=True)

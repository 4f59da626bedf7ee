"""What a network was trained on, read from its batch-norm layers.

A batch-norm layer remembers the mean and variance that each channel of its
input had in training. Two things follow, both without labels:

- Images that come in the form of the training images reach the first few
  layers with about those statistics; images in another form do not. Each
  channel is compared by the divergence of two Gaussians, KL(batch || moving) =
  `0.5 * (log(v1 / v0) + (v0 + (m0 - m1)^2) / v1 - 1)`; its square root is
  averaged, so that a few wild channels do not decide alone.
- Images that a network can make sense of excite its deep layers more: their
  features lie further from the average that the layers remember. That tells
  RGB from BGR where the first layers cannot: there, the per-channel means of
  `torch` and `caffe` have been taken out, and with them the colour cast.

Deep layers are no good for the first question: they see the subject.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_shiftguard.instrument.layer_calls import (
    NotReachedError,
    as_called,
    in_order,
    recorded,
)

DEEP_ENOUGH = 12  # trained batch-norm layers, for half of them to count as deep
RESAMPLES = 50
FAINT = 1e-3  # of the remembered variance: excitement below this is noise


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
        # Spread over one image first: NumPy is slow where the last axis is short.
        one = [
            np.ascontiguousarray(np.broadcast_to(np.reshape(v, shape)[0], x.shape[1:]), "float32")
            for v in (self.scale, self.offset)
        ]
        return x * one[0] + one[1]


AS_FED = Transform(None, (1.0,), (0.0,))


class BatchNormEvidence:
    """The early batch-norm layers of a model, and the weights in front of them.

    The weights are copied when this is made and used ever after, so that in a
    fit the evidence is that of the model as it was before training.

    Args:
        model: A built model. It is not changed.
        max_layers: How many of the first trained batch-norm layers to compare.
        max_bytes: The deep layers are left out if that takes more weights.
    """

    def __init__(
        self, model: keras.Model, max_layers: int = 3, max_bytes: int = 500 * 2**20
    ) -> None:
        self.model = model
        self.layers: list[Any] = []
        self.deep: list[Any] = []
        self._moving: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._weights: dict[int, tuple[Any, np.ndarray]] = {}
        self._needed: dict[int, int] = {}  # how many of the weights stand before a layer
        self.reason = ""
        if not model.built:
            self.reason = "The model is not built yet."
            return
        trained: list[Any] = []
        found, size = 0, 0
        for layer, variables in in_order(model):
            size += sum(int(np.prod(v.shape)) * 4 for v in variables)
            if size > max_bytes and len(self.layers) == max_layers:
                trained = []
                break
            for variable in variables:
                self._weights[id(variable)] = (variable, _copy(variable))
            if not isinstance(layer, keras.layers.BatchNormalization) or not layer.built:
                continue
            found += 1
            mean, variance = _copy(layer.moving_mean), _copy(layer.moving_variance)
            self._needed[id(layer)] = len(self._weights)
            if np.any(mean != 0) or np.any(variance != 1):
                trained.append(layer)
                self._moving[id(layer)] = (mean, variance + layer.epsilon)
            self.layers = trained[:max_layers]
        if len(trained) >= DEEP_ENOUGH:
            self.deep = trained[len(trained) // 2 :]
        if not found:
            self.reason = "The model has no batch normalisation."
        elif not self.layers:
            self.reason = "The batch normalisation of the model is untrained."
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
        depth: int | None = None,
    ) -> "Scores":
        """Follows every candidate through the first layers.

        Args:
            inputs: Images as fed, by input name.
            candidates: What might have to be done to input `name`.
            name: The input that the candidates are for.
            axis: Its channel axis.
            depth: How many of the layers; all if None.
        """
        wanted = self.layers[:depth]
        runs = [
            self._statistics({**inputs, name: candidate.apply(inputs[name], axis)}, wanted)
            for candidate in candidates
        ]
        layers = [layer for layer in wanted if all(id(layer) in run for run in runs)]
        if not layers:
            raise NotReachedError("no batch-norm layer was reached")
        statistics = [
            [np.concatenate([run[id(layer)][k] for layer in layers], axis=-1) for k in (0, 1)]
            for run in runs
        ]
        moving = [np.concatenate([self._moving[id(a)][k] for a in layers]) for k in (0, 1)]
        floor = np.concatenate([np.full(len(self._moving[id(a)][0]), a.epsilon) for a in layers])
        return Scores(np.asarray(statistics), np.asarray(moving), floor)

    def excitement(
        self,
        inputs: Mapping[str, np.ndarray],
        candidates: Sequence[Transform],
        name: str = "input",
        axis: int = -1,
    ) -> np.ndarray | None:
        """How far each image drives the deep layers from their average.

        Returns:
            `(candidates, images)`: mean over channels of the log of the mean
            squared distance from the moving mean, in moving variances. None
            without enough batch-norm layers.
        """
        if not self.deep:
            return None
        rows = []
        for candidate in candidates:
            run = self._statistics({**inputs, name: candidate.apply(inputs[name], axis)}, self.deep)
            logs = []
            for layer in self.deep:
                if id(layer) in run:
                    mean, square = (np.asarray(v, "float64") for v in run[id(layer)])
                    centre, variance = self._moving[id(layer)]
                    distance = (square - 2 * mean * centre + centre**2) / variance
                    logs.append(np.log(np.maximum(distance, 0) + FAINT))
            if not logs:
                return None
            rows.append(np.concatenate(logs, axis=-1).mean(axis=-1))
        return np.stack(rows)

    def _statistics(
        self, inputs: Mapping[str, np.ndarray], layers: list[Any]
    ) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Mean and mean square of each channel of each image, by layer."""
        found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        needed = self._needed[id(layers[-1])]
        scope = keras.StatelessScope(
            state_mapping=[
                (variable, ops.convert_to_tensor(value, dtype=variable.dtype))
                for variable, value in list(self._weights.values())[:needed]
            ]
        )
        with recorded(layers, found), scope:
            self.model(as_called(self.model, inputs), training=False)
        return found


class Scores:
    """How well each candidate fits the moving statistics.

    Args:
        statistics: `(candidates, 2, images, channels)`: mean and mean square.
        moving: `(2, channels)`: moving mean, and variance plus epsilon.
        floor: `(channels,)`: the epsilon of each channel's layer.
    """

    def __init__(self, statistics: np.ndarray, moving: np.ndarray, floor: np.ndarray) -> None:
        self.statistics = np.asarray(statistics, "float64")
        self.moving, self.floor = np.asarray(moving, "float64"), floor
        self.num_images = self.statistics.shape[2]
        self.misfit = self._misfit(np.ones((1, self.num_images)))[0]
        # How the misfit would vary over other images of the same kind.
        draws = np.random.default_rng(0).multinomial(
            self.num_images, np.full(self.num_images, 1 / self.num_images), size=RESAMPLES
        )
        self._resampled = self._misfit(draws)

    def gap(self, worse: int, better: int) -> tuple[float, float]:
        """By how much one candidate fits worse than another.

        Returns:
            `(gap, sigmas)`: the log ratio of the misfits, and the same in
            standard errors over the images (bootstrap). 0 sigmas if the images
            do not tell the two apart at all.
        """
        gap = float(self.misfit[worse] - self.misfit[better])
        spread = float((self._resampled[:, worse] - self._resampled[:, better]).std())
        return gap, gap / spread if spread > 1e-9 else 0.0

    def progress(self, candidate: int) -> float | None:
        """How far the memory has come from its fresh state to these images.

        Moving statistics start at mean 0 and variance 1 and go a fixed share
        of the way to the batch with every step. After few steps they lie in
        between, on a straight line, all channels equally far.

        Returns:
            The share of the way, 0 to 1; None if they lie elsewhere.
        """
        means, squares = self.statistics[candidate]
        mean = means.mean(axis=0)
        variance = np.maximum(squares.mean(axis=0) - mean**2, 0) + self.floor
        moving_mean, moving_variance = self.moving
        sd = np.sqrt(variance)
        by_mean = _share(mean / sd, moving_mean / sd)
        size = np.maximum(variance, 1.0)
        by_variance = _share((variance - 1) / size, (moving_variance - 1) / size)
        if by_mean is None or by_variance is None or by_variance <= 0:
            return None
        return float(by_mean) if 0.7 < by_mean / by_variance < 1.4 else None

    def _misfit(self, counts: np.ndarray) -> np.ndarray:
        """`(draws, candidates)`: log of the mean over channels of sqrt(KL)."""
        weights = counts / counts.sum(axis=-1, keepdims=True)
        moving_mean, moving_variance = self.moving
        columns = []
        for means, squares in self.statistics:
            mean = weights @ means
            variance = np.maximum(weights @ squares - mean**2, 0) + self.floor
            kl = np.log(moving_variance / variance) - 1
            kl += (variance + (mean - moving_mean) ** 2) / moving_variance
            columns.append(np.log(np.sqrt(np.maximum(kl / 2, 1e-12)).mean(axis=-1)))
        return np.stack(columns, axis=-1)


def _share(whole: np.ndarray, part: np.ndarray) -> float | None:
    """`part` as a multiple of `whole`, if it is one for all channels alike."""
    share = float(part @ whole / max(whole @ whole, 1e-12))
    rest = part - share * whole
    return share if rest @ rest < 0.1 * (part @ part) else None


def _copy(variable: Any) -> np.ndarray:
    return np.array(ops.convert_to_numpy(variable), copy=True)

"""AdaBN: recalibration of the moving statistics of batch norm on target data.

A batch-norm layer normalizes with the mean and variance that its input had in
training. These statistics are wrong for a target that looks different. The target's
own statistics can be measured without labels: Li et al., "Revisiting Batch
Normalization for Practical Domain Adaptation", 2016. With few target samples (n),
the estimate is noisy. So the statistics of training count as `prior_samples` (N) samples:
`N / (N + n) * source + n / (N + n) * target`, as in Schneider et al., "Improving
robustness against common corruptions by covariate shift adaptation", NeurIPS
2020, equation 1.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.batch_norm_anew import normalised
from keras_shiftguard.instrument.graph import walk
from keras_shiftguard.instrument.layer_calls import replaced_calls
from keras_shiftguard.io.batches import num_samples, to_numpy
from keras_shiftguard.io.source import open_source
from keras_shiftguard.statistics.state import on_host

MAX_SAMPLES = 4096  # the default of `max_samples`. A convention.
BATCH_SIZE = 128  # samples that are normalized together. A convention.
MIN_SAMPLES = 2  # samples that a variance needs. Given by its definition.


@dataclass(frozen=True)
class LayerChange:
    """The change of one batch-norm layer.

    Args:
        layer: Path of the layer in the model.
        changed: Whether its statistics were replaced.
        shift: Mean over channels of `|new mean - old mean|`, in old standard
            deviations.
        scale: Geometric mean over channels of the new standard deviation divided by
            the old one.
        reason: Why the layer was not changed; empty for a changed layer.
    """

    layer: str
    changed: bool
    shift: float = 0.0
    scale: float = 1.0
    reason: str = ""

    def __str__(self) -> str:
        if not self.changed:
            return f"{self.layer}: left alone, {self.reason}"
        return (
            f"{self.layer}: means moved by {self.shift:.2g} standard deviations, "
            f"spread times {self.scale:.2g}"
        )


class BatchNormAdaptation:
    """The result of `adapt_batch_norm`: a report that can undo the adaptation.

    Attributes:
        layers: A `LayerChange` for each batch-norm layer.
        num_samples: Number of target samples that were used.
        prior_samples: Number of samples that the statistics of training counted as.
    """

    def __init__(
        self,
        layers: tuple[LayerChange, ...],
        num_samples: int,
        prior_samples: float,
        before: list[tuple[Any, np.ndarray]],
    ) -> None:
        self.layers = layers
        self.num_samples = num_samples
        self.prior_samples = prior_samples
        self._before = before  # pairs of a variable and its value

    def restore(self) -> None:
        """Sets the statistics to the values from before the adaptation, bit for bit."""
        for variable, value in self._before:
            variable.assign(value)

    def __str__(self) -> str:
        changed = [layer for layer in self.layers if layer.changed]
        if not changed:
            return "Batch norm was left alone: " + "; ".join(str(each) for each in self.layers[:3])
        return (
            f"The model was changed, as adapt='batch_norm' asks: {len(changed)} of "
            f"{len(self.layers)} batch-norm layers have the means and variances of "
            f"{self.num_samples:,} target samples. `guard.batch_norm.restore()` takes that back; "
            "`guard.batch_norm.layers` says what changed."
        )


def adapt_batch_norm(
    model: keras.Model,
    data: Any,
    prior_samples: float = 16,
    max_samples: int = MAX_SAMPLES,
) -> BatchNormAdaptation:
    """Recalibrates the moving statistics of batch norm on target data.

    During the measurement, the layers normalize with the statistics of each
    target batch, as in training mode. So every layer is measured on the adapted
    output of the layers before it. Dropout and augmentation are off.
    Frozen layers (`trainable=False`, set on the layer or on an outer layer) keep
    their statistics.

    Args:
        model: A built model with `BatchNormalization` layers.
        data: The target data, in any form that `fit` accepts; labels are ignored.
        prior_samples: Number of samples that the statistics of training count
            as (Schneider et al. 2020). With 0 they are ignored.
        max_samples: Largest number of target samples to use.

    Returns:
        A `BatchNormAdaptation`, which reports the change of each layer and can
        undo it with `restore()`.

    Raises:
        BadInputError: If `prior_samples` is negative, the model has no batch
            norm, or there are fewer than two target samples.

    Example:

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization()])
    >>> target = np.random.default_rng(0).normal(3.0, 1.0, (256, 4)).astype("float32")
    >>> adapted = adapt_batch_norm(model, target, prior_samples=0)
    >>> bool(abs(float(np.mean(model.predict(target, verbose=0)))) < 0.01)
    True
    >>> adapted.restore()
    >>> bool(float(np.mean(model.predict(target, verbose=0))) > 2.9)
    True
    """
    if prior_samples < 0:
        raise BadInputError(
            f"`prior_samples` must not be negative. Received: prior_samples={prior_samples}"
        )
    norms = [x for x in walk(model) if isinstance(x, keras.layers.BatchNormalization)]
    if not norms:
        raise BadInputError(
            "There is no keras.layers.BatchNormalization in this model, so nothing to adapt."
        )
    meters = {id(layer): _Meter(layer) for layer in norms if layer.trainable}
    samples = _measure(model, meters.values(), _chunks(data, max_samples))
    before: list[tuple[Any, np.ndarray]] = []  # pairs of a variable and its value
    changes = []
    for layer in norms:
        meter = meters.get(id(layer))
        if meter is None or not meter.count:
            why = "it is frozen" if meter is None else "the target did not pass through it"
            changes.append(LayerChange(layer.path, False, reason=why))
            continue
        variables = (layer.moving_mean, layer.moving_variance)
        before += [(variable, on_host(variable)) for variable in variables]
        changes.append(meter.blend(samples / (samples + prior_samples)))
    return BatchNormAdaptation(tuple(changes), samples, prior_samples, before)


def _measure(model: keras.Model, meters: Iterable["_Meter"], chunks: Iterable[Any]) -> int:
    """Runs the model on the target with the meters in its layers; returns the number of samples."""
    samples = 0
    with replaced_calls((meter.layer, meter) for meter in meters):
        for x in chunks:
            model(x, training=False)
            samples += num_samples(x)
    if samples < MIN_SAMPLES:
        raise BadInputError(
            f"Statistics need at least {MIN_SAMPLES} target samples. Received: {samples}"
        )
    return samples


class _Meter:
    """A replacement for the `call` of one batch-norm layer.

    It normalizes with the statistics of the batch, and accumulates them.
    """

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.count = 0.0  # samples so far
        # The input and its square, each averaged over the positions of a sample, then summed over
        # the samples, `(channels,)`.
        self.sum: np.ndarray = np.zeros(())
        self.sum_of_squares: np.ndarray = np.zeros(())

    def __call__(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        outputs, mean, variance = normalised(self.layer, inputs)
        samples = float(ops.shape(inputs)[0])
        m, v = mean.astype("float64"), variance.astype("float64")
        self.count += samples
        self.sum = self.sum + samples * m
        self.sum_of_squares = self.sum_of_squares + samples * (v + m**2)
        return outputs

    def blend(self, target_share: float) -> LayerChange:
        """Moves the statistics of the layer to the target's by a share of the way."""
        layer = self.layer
        mean = self.sum / self.count
        variance = np.maximum(self.sum_of_squares / self.count - mean**2, 0.0)
        variables = (layer.moving_mean, layer.moving_variance)
        old = [on_host(v) for v in variables]
        new = [
            ((1 - target_share) * o + target_share * n).astype(o.dtype)
            for o, n in zip(old, (mean, variance), strict=True)
        ]
        std = np.sqrt(old[1].astype("float64") + layer.epsilon)
        growth = np.sqrt(new[1].astype("float64") + layer.epsilon) / std
        for variable, value in zip(variables, new, strict=True):
            variable.assign(value)
        shift = float(np.mean(np.abs(new[0] - old[0]) / std))
        return LayerChange(layer.path, True, shift, float(np.exp(np.mean(np.log(growth)))))


def _chunks(data: Any, max_samples: int) -> Iterator[Any]:
    """Yields the inputs in batches of `BATCH_SIZE` samples, at most `max_samples` in all.

    The last batch may be smaller. It is left out if it has less than a quarter of
    `BATCH_SIZE`, unless it is the only one.
    """
    left = max_samples
    pending: Any = None
    for x, _, _ in open_source(data).first_batches(max_samples):
        host = keras.tree.map_structure(to_numpy, x)
        if pending is not None:
            host = keras.tree.map_structure(lambda a, b: np.concatenate([a, b]), pending, host)
        pending = host
        while num_samples(pending) >= BATCH_SIZE and left > 0:
            size = min(BATCH_SIZE, left)
            yield _rows(pending, 0, size)
            left -= size
            pending = _rows(pending, size, None)
    rest = 0 if pending is None else min(num_samples(pending), left)
    if rest >= MIN_SAMPLES and (rest >= BATCH_SIZE // 4 or left == max_samples):
        yield _rows(pending, 0, rest)


def _rows(x: Any, start: int, stop: int | None) -> Any:
    return keras.tree.map_structure(lambda value: value[start:stop], x)

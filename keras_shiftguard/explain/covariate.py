"""Covariate shift: how much of the gap goes when the model is shown the data's own statistics.

It cannot be taken away exactly: nobody knows the images as they would have been.
Two repairs that need no labels are tried on the samples, and the better one is
the estimate: the levels of each channel brought to the reference's, and the
moving statistics of batch norm taken anew. A repair that changes little says
little: what it does not bring back may still be covariate shift.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_shiftguard.adaptation.batch_norm import adapt_batch_norm
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.explain.bootstrap import SEED, Mix
from keras_shiftguard.explain.predictions import Said, ask
from keras_shiftguard.explain.samples import CHUNK
from keras_shiftguard.profiles import InputSummary

MOST_BYTES = 256 << 20  # of the samples that batch norm is recalibrated on
MOST_SAMPLES = 2048
MOVED = 0.1  # standard deviations of a channel, and log ratio, that are worth bringing back


@dataclass(frozen=True)
class Repair:
    """One way of showing the model what it knows.

    Args:
        said: What the model says then.
        detail: What was done, in words.
        line: Python that does it.
    """

    said: Said
    detail: str
    line: str


@dataclass(frozen=True)
class Levels:
    """`x * scale + offset` for each channel, within what the reference holds."""

    scale: np.ndarray
    offset: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        y = np.clip(x * self.scale + self.offset, self.low, self.high)
        return y.astype("float32")


def level_repair(
    model: keras.Model,
    chunks: Iterable[np.ndarray],
    again: Iterable[np.ndarray],
    reference: InputSummary,
    weights: np.ndarray,
) -> Repair | None:
    """Brings mean and deviation of each channel to the reference's.

    Args:
        model: The classifier.
        chunks: The samples, some at a time.
        again: The same once more.
        reference: What the input should look like.
        weights: How much each sample counts, `(samples,)`.
    """
    first = reference.layout == "channels_first"
    means, squares = [], []
    for x in chunks:
        flat = x.astype("float64")
        flat = flat.reshape(*flat.shape[:2], -1) if first else flat.reshape(len(x), -1, x.shape[-1])
        axis = 2 if first else 1
        means.append(flat.mean(axis))
        squares.append((flat**2).mean(axis))
    mean, square = (
        np.average(np.concatenate(v), axis=0, weights=weights) for v in (means, squares)
    )
    std = np.sqrt(np.maximum(square - mean**2, 1e-30))
    if len(mean) != reference.num_channels:
        return None
    scale = np.where(std > 1e-12, reference.std / std, 1.0)
    moved = np.abs(mean - reference.mean) / np.maximum(reference.std, 1e-12)
    if (moved < MOVED).all() and (np.abs(np.log(np.maximum(scale, 1e-12))) < MOVED).all():
        return None
    offset = reference.mean - mean * scale
    shape = (-1, 1, 1) if first else (-1,)
    levels = Levels(
        *(v.reshape(shape) for v in (scale, offset, reference.minimum, reference.maximum))
    )
    said = ask(model, (levels(x) for x in again))
    darker = "darker" if mean.mean() < reference.mean.mean() else "brighter"
    lower = "lower" if std.mean() < reference.std.mean() else "higher"
    detail = f"{darker}, contrast {lower}: the reference's levels"
    return Repair(said, detail, f"x = {_affine(scale, offset, first)}")


def batch_norm_repair(model: keras.Model, inputs: Any, chunks: Iterable[Any]) -> Repair | None:
    """Takes the statistics of batch norm from the data; the model is put back as it was.

    Args:
        model: The classifier.
        inputs: Samples in the class mix of the reference, as the model takes them.
        chunks: All samples, some at a time.
    """
    try:
        adapted = adapt_batch_norm(model, inputs)
    except BadInputError:
        return None
    try:
        if not any(layer.changed for layer in adapted.layers):
            return None
        said = ask(model, chunks)
    finally:
        adapted.restore()
    line = 'callbacks=[keras_shiftguard.ShiftGuard(target_data=x, adapt="batch_norm")]'
    return Repair(said, "batch norm recalibrated", line)


def balanced(
    chunks: Iterable[dict[str, np.ndarray]], labels: np.ndarray | None, mix: Mix | None, number: int
) -> dict[str, np.ndarray]:
    """Some of the samples, classes as often as `mix` says, by input name."""
    wanted: np.ndarray | None = None
    kept: dict[str, list[np.ndarray]] = {}
    start = 0
    for inputs in chunks:
        size = len(next(iter(inputs.values())))
        if wanted is None:
            each = sum(value[:1].nbytes for value in inputs.values())
            most = max(4 * CHUNK, min(MOST_SAMPLES, MOST_BYTES // max(each, 1)))
            wanted = _drawn(number, labels, mix, most)
        here = wanted[(wanted >= start) & (wanted < start + size)] - start
        for name, value in inputs.items():
            kept.setdefault(name, []).append(value[here])
        start += size
    rng = np.random.default_rng(SEED)
    joined = {name: np.concatenate(parts) for name, parts in kept.items()}
    order = rng.permutation(len(next(iter(joined.values()))))
    return {name: value[order] for name, value in joined.items()}


def _drawn(number: int, labels: np.ndarray | None, mix: Mix | None, most: int) -> np.ndarray:
    if labels is None or mix is None:
        return np.arange(number)[:: max(1, -(-number // most))]
    p = sample_weights(labels, mix)
    rng = np.random.default_rng(SEED)
    return np.sort(rng.choice(number, min(most, number), p=p / p.sum()))


def sample_weights(labels: np.ndarray, mix: Mix) -> np.ndarray:
    """What each sample must count for the classes to be as frequent as `mix` says."""
    counts = np.bincount(labels, minlength=len(mix.frequencies))
    return mix.frequencies[labels] / counts[labels]


def _affine(scale: np.ndarray, offset: np.ndarray, first: bool) -> str:
    if np.ptp(scale) < 1e-3 * abs(scale[0]) and np.ptp(offset) < 1e-3 * (1 + abs(offset[0])):
        sign = "+" if offset[0] >= 0 else "-"
        return f"x * {scale[0]:.4g} {sign} {abs(offset[0]):.4g}"
    shape = ".reshape(-1, 1, 1)" if first else ""
    a, b = (f"np.float32([{', '.join(f'{v:.4g}' for v in u)}]){shape}" for u in (scale, offset))
    return f"x * {a} + {b}"

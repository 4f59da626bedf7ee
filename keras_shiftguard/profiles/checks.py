"""What the summaries in a stranger's file must be, before anything is computed from them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_shiftguard.conventions import LATTICES
from keras_shiftguard.profiles.embedding import (
    BANDWIDTHS,
    NUM_DIRECTIONS,
    NUM_WAVES,
    MeanEmbedding,
)
from keras_shiftguard.profiles.features import FeatureTable, num_bins
from keras_shiftguard.profiles.grid import NUM_BINS
from keras_shiftguard.profiles.labels import MAX_CLASSES, MAX_CLASSES_EMBEDDED, LabelSummary
from keras_shiftguard.profiles.moments import Moments
from keras_shiftguard.profiles.outputs import OutputSummary
from keras_shiftguard.profiles.summary import TOKEN_BUCKETS, InputSummary

LAYOUTS = ("channels_last", "channels_first", "features")
MOST = 2**53  # samples, and whatever else is counted


def check_summary(summary: Any) -> None:
    """Refuses a summary whose parts are of other types or shapes than it says of itself.

    Args:
        summary: One of the dataclasses of this room.

    Raises:
        ValueError: which part is wrong, and what it should be.
    """
    _CHECKS[type(summary)](summary)


def is_count(value: Any) -> bool:
    """Whether a value is a whole number from 0 on."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST


def _require(right: bool, what: str, value: Any) -> None:
    if not right:
        raise ValueError(f"{what}. Received: {str(value)[:60]}")


def _counts(owner: Any, *names: str) -> None:
    for name in names:
        value = getattr(owner, name)
        _require(is_count(value), f"{name} must be a whole number from 0 on", value)


def _at_most(owner: Any, whole: str, **parts: Any) -> None:
    """Refuses parts that are more than the whole: what is left would be negative."""
    most = getattr(owner, whole)
    for name, value in parts.items():
        right = np.size(value) == 0 or np.max(value) <= most
        _require(bool(right), f"{name} must be {whole} at most ({most})", value)


def _array(owner: Any, name: str, *shapes: tuple[int, ...], kinds: str = "iuf") -> None:
    value = getattr(owner, name)
    _require(isinstance(value, np.ndarray), f"{name} must be an array", value)
    _require(value.dtype.kind in kinds, f"{name} must hold numbers", value.dtype)
    _require(value.shape in shapes, f"{name} must be of shape {shapes}", value.shape)
    if kinds == "iu":
        right = value.size == 0 or 0 <= value.min() <= value.max() < MOST
        _require(bool(right), f"{name} must hold counts", value.min(initial=0))


def _part(owner: Any, name: str, kind: type) -> None:
    value = getattr(owner, name)
    _require(isinstance(value, kind), f"{name} must be {kind.__name__}", type(value).__name__)


def _moments_of(owner: Any, name: str, shape: tuple[int, ...]) -> None:
    _part(owner, name, Moments)
    found = np.shape(getattr(owner, name).count)
    _require(found == shape, f"{name} must be of shape {shape}", found)


def _moments(moments: Moments) -> None:
    for name in ("count", "mean", "m2"):
        value = getattr(moments, name)
        one = isinstance(value, (int, float))  # of a shape without axes
        _require(one or isinstance(value, np.ndarray), f"{name} must be an array", value)
        value = np.asarray(value)
        _require(value.dtype.kind in "iuf", f"{name} must hold numbers", value.dtype)
        _require(value.shape == np.shape(moments.count), "moments have one shape", value.shape)
    count = np.asarray(moments.count)
    right = count.size == 0 or (count >= 0).all() and (count < MOST).all()
    _require(bool(right), "count must hold counts", count)


def _features(table: FeatureTable) -> None:
    names, size = table.names, len(table.names) if isinstance(table.names, tuple) else -1
    _require(size >= 0 and all(isinstance(n, str) for n in names), "names must be texts", names)
    _require(len(set(names)) == size, "names must differ", names)
    _counts(table, "num_samples")
    _moments_of(table, "moments", (size,))
    _at_most(table, "num_samples", count=table.moments.count)
    _array(table, "counts", (size, num_bins(size)), (size, 0), kinds="iu")


def _embedding(embedding: MeanEmbedding) -> None:
    _counts(embedding, "dimension", "count")
    _array(embedding, "mean", (len(BANDWIDTHS), NUM_WAVES))
    _array(embedding, "comoment", (len(BANDWIDTHS), NUM_WAVES, NUM_WAVES))
    _moments_of(embedding, "projections", (NUM_DIRECTIONS,))


def _labels(labels: LabelSummary) -> None:
    _counts(labels, "num_samples", "num_ids", "width")
    _at_most(labels, "num_samples", num_ids=labels.num_ids)
    _array(labels, "counts", (MAX_CLASSES,), kinds="iu")
    _part(labels, "targets", FeatureTable)
    _moments_of(labels, "by_class", (MAX_CLASSES_EMBEDDED, NUM_DIRECTIONS))


def _outputs(outputs: OutputSummary) -> None:
    for name in ("weights", "layer"):
        _part(outputs, name, str)
    _counts(outputs, "num_classes")
    _part(outputs, "features", FeatureTable)
    _part(outputs, "embedding", MeanEmbedding)
    size = outputs.num_classes
    _array(outputs, "predicted", (size,), kinds="iu")
    _array(outputs, "confusion", (size, size), (0, 0), kinds="iu")
    for name in ("labelled", "right"):
        _array(outputs, name, (size,), (0,), kinds="iu")


def _input(summary: InputSummary) -> None:
    _require(summary.layout in LAYOUTS, f"layout must be one of {LAYOUTS}", summary.layout)
    _counts(summary, "num_samples", "nonfinite_samples", "lattice_values")
    _at_most(summary, "num_samples", nonfinite_samples=summary.nonfinite_samples)
    share = summary.nonfinite_share
    _require(isinstance(share, (int, float)), "nonfinite_share must be a number", share)
    _array(summary, "minimum", np.shape(summary.minimum)[:1])
    size = len(summary.minimum)
    _array(summary, "maximum", (size,))
    _moments_of(summary, "channels", (size,))
    _array(summary, "counts", (1, NUM_BINS), (size, NUM_BINS), kinds="iu")
    for name in ("sample_mean", "sample_std"):
        _moments_of(summary, name, ())
    _array(summary, "lattice_hits", (len(LATTICES),))
    for name in ("smallest_size", "largest_size"):
        sides = getattr(summary, name)
        right = isinstance(sides, tuple) and len(sides) == 2 and all(map(is_count, sides))
        _require(right, f"{name} must be (height, width)", sides)
    _part(summary, "features", FeatureTable)
    _part(summary, "embedding", MeanEmbedding)
    _array(summary, "tokens", (0,), (TOKEN_BUCKETS,), kinds="iu")


_CHECKS: dict[type, Callable[[Any], None]] = {
    FeatureTable: _features,
    InputSummary: _input,
    LabelSummary: _labels,
    MeanEmbedding: _embedding,
    Moments: _moments,
    OutputSummary: _outputs,
}

"""Validation of summaries that were read from a file, before they are used."""

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
from keras_shiftguard.profiles.summary import InputSummary
from keras_shiftguard.profiles.token_groups import TOKEN_BUCKETS

LAYOUTS = ("channels_last", "channels_first", "features")
MAX_COUNT = 2**53  # whole numbers up to here are exact. Given by float64.
A_COUNT = "a whole number from 0 to below 2**53"


def check_summary(summary: Any) -> None:
    """Checks the types, shapes and ranges of the parts of a summary.

    Raises:
        ValueError: if a part is invalid. The message names the part and says what is expected.
    """
    CHECKS[type(summary)](summary)


def is_count(value: Any) -> bool:
    """Whether a value is an int, at least 0 and below `MAX_COUNT`."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_COUNT


def _require(valid: bool, rule: str, value: Any) -> None:
    """Raises a `ValueError` that states the rule, unless the value is valid."""
    if not valid:
        raise ValueError(f"{rule}. Received: {str(value)[:60]}")


def _check_counts(summary: Any, *names: str) -> None:
    """Checks that the attributes with these names are counts."""
    for name in names:
        value = getattr(summary, name)
        _require(is_count(value), f"{name} must be {A_COUNT}", value)


def _check_at_most(summary: Any, total_name: str, **counts: Any) -> None:
    """Checks that no count exceeds its total: other code subtracts the count from the total."""
    total = getattr(summary, total_name)
    for name, value in counts.items():
        valid = np.size(value) == 0 or np.max(value) <= total
        _require(bool(valid), f"{name} must be at most {total_name} ({total})", value)


def _check_array(summary: Any, name: str, *shapes: tuple[int, ...], kinds: str = "iuf") -> None:
    """Checks that an attribute is an array of one of these shapes; `"iu"` means counts."""
    value = getattr(summary, name)
    _require(isinstance(value, np.ndarray), f"{name} must be an array", value)
    numbers = "integers" if kinds == "iu" else "numbers"
    _require(value.dtype.kind in kinds, f"{name} must hold {numbers}", value.dtype)
    allowed = " or ".join(map(str, shapes))
    _require(value.shape in shapes, f"{name} must have shape {allowed}", value.shape)
    if kinds == "iu" and value.size:
        for extreme in (value.min(), value.max()):
            valid = 0 <= extreme < MAX_COUNT
            _require(bool(valid), f"each value of {name} must be {A_COUNT}", extreme)


def _check_type(summary: Any, name: str, kind: type) -> None:
    """Checks that an attribute is an instance of `kind`."""
    value = getattr(summary, name)
    _require(isinstance(value, kind), f"{name} must be {kind.__name__}", type(value).__name__)


def _check_moments_of(summary: Any, name: str, shape: tuple[int, ...]) -> None:
    """Checks that an attribute is `Moments` of this shape."""
    _check_type(summary, name, Moments)
    found = np.shape(getattr(summary, name).count)
    _require(found == shape, f"{name} must have shape {shape}", found)


def _check_moments(moments: Moments) -> None:
    for name in ("count", "mean", "m2"):
        value = getattr(moments, name)
        scalar = isinstance(value, (int, float))  # moments of shape `()`
        _require(scalar or isinstance(value, np.ndarray), f"{name} must be an array", value)
        value = np.asarray(value)
        _require(value.dtype.kind in "iuf", f"{name} must hold numbers", value.dtype)
        same_shape = value.shape == np.shape(moments.count)
        _require(same_shape, f"{name} must have the shape of count", value.shape)
    count = np.asarray(moments.count)
    valid = count.size == 0 or (count >= 0).all() and (count < MAX_COUNT).all()
    _require(bool(valid), "each value of count must be from 0 to below 2**53", count)
    for name in ("mean", "m2"):
        value = np.asarray(getattr(moments, name))
        _require(bool(np.isfinite(value).all()), f"each value of {name} must be finite", value)
    m2 = np.asarray(moments.m2)
    _require(bool((m2 >= 0).all()), "each value of m2, a sum of squares, must be at least 0", m2)


def _check_features(table: FeatureTable) -> None:
    names, size = table.names, len(table.names) if isinstance(table.names, tuple) else -1
    _require(size >= 0 and all(isinstance(n, str) for n in names), "names must be texts", names)
    _require(len(set(names)) == size, "names must differ", names)
    _check_counts(table, "num_samples")
    _check_moments_of(table, "moments", (size,))
    _check_at_most(table, "num_samples", count=table.moments.count)
    _check_array(table, "counts", (size, num_bins(size)), (size, 0), kinds="iu")


def _check_embedding(embedding: MeanEmbedding) -> None:
    _check_counts(embedding, "dimension", "count")
    _check_array(embedding, "mean", (len(BANDWIDTHS), NUM_WAVES))
    _check_array(embedding, "comoment", (len(BANDWIDTHS), NUM_WAVES, NUM_WAVES))
    for name in ("mean", "comoment"):
        value = getattr(embedding, name)
        _require(bool(np.isfinite(value).all()), f"each value of {name} must be finite", value)
    _check_moments_of(embedding, "projections", (NUM_DIRECTIONS,))


def _check_labels(labels: LabelSummary) -> None:
    _check_counts(labels, "num_samples", "num_ids", "width", "num_mixed")
    _check_at_most(labels, "num_samples", num_ids=labels.num_ids, num_mixed=labels.num_mixed)
    _check_array(labels, "counts", (MAX_CLASSES,), kinds="iu")
    _check_type(labels, "targets", FeatureTable)
    _check_moments_of(labels, "by_class", (MAX_CLASSES_EMBEDDED, NUM_DIRECTIONS))


def _check_outputs(outputs: OutputSummary) -> None:
    for name in ("weights", "layer"):
        _check_type(outputs, name, str)
    _check_counts(outputs, "num_classes")
    _check_type(outputs, "features", FeatureTable)
    _check_type(outputs, "embedding", MeanEmbedding)
    size = outputs.num_classes
    _check_array(outputs, "predicted", (size,), kinds="iu")
    _check_array(outputs, "confusion", (size, size), (0, 0), kinds="iu")
    for name in ("labelled", "right"):
        _check_array(outputs, name, (size,), (0,), kinds="iu")


def _check_input(summary: InputSummary) -> None:
    _require(summary.layout in LAYOUTS, f"layout must be one of {LAYOUTS}", summary.layout)
    _check_counts(summary, "num_samples", "nonfinite_samples", "lattice_values")
    _check_at_most(summary, "num_samples", nonfinite_samples=summary.nonfinite_samples)
    _check_array(summary, "minimum", np.shape(summary.minimum)[:1])  # one axis, of any length
    size = len(summary.minimum)
    _check_array(summary, "maximum", (size,))
    _check_moments_of(summary, "channels", (size,))
    _check_array(summary, "counts", (1, NUM_BINS), (size, NUM_BINS), kinds="iu")
    for name in ("sample_mean", "sample_std"):
        _check_moments_of(summary, name, ())
    _check_array(summary, "lattice_hits", (len(LATTICES),))
    for name in ("smallest_size", "largest_size"):
        sides = getattr(summary, name)
        valid = isinstance(sides, tuple) and len(sides) == 2 and all(map(is_count, sides))
        _require(valid, f"{name} must be (height, width)", sides)
    _check_type(summary, "features", FeatureTable)
    _check_type(summary, "embedding", MeanEmbedding)
    _check_array(summary, "tokens", (0,), (TOKEN_BUCKETS,), kinds="iu")
    _check_moments_of(summary, "fingerprint", (2,))
    columns = summary.columns
    _check_type(summary, "columns", tuple)
    _require(len(columns) in (0, size), f"columns must be none or {size} names", columns)
    _require(all(isinstance(each, str) for each in columns), "columns must be texts", columns)


CHECKS: dict[type, Callable[[Any], None]] = {
    FeatureTable: _check_features,
    InputSummary: _check_input,
    LabelSummary: _check_labels,
    MeanEmbedding: _check_embedding,
    Moments: _check_moments,
    OutputSummary: _check_outputs,
}

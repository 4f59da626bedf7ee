"""Histograms for the Shift tab: a few bins that all streams share.

The histograms of a profile are on a fixed grid of about 2,800 bins, or on a coarse grid that joins
several of these bins to one. The tab draws only 32 bins. Their edges are edges of the grid, as
evenly spaced as the grid allows, over the range of nearly all samples of all streams. Edges are
stored as indexes into the fine grid, so that separate histograms can be drawn over each other.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from keras_shiftguard.detection.finding import source_of
from keras_shiftguard.profiles import NUM_BINS, FeatureTable, InputProfile, bin_edges
from keras_shiftguard.profiles.features import COARSENING, NUM_COARSE_BINS
from keras_shiftguard.profiles.grid import BINS_PER_SIGN
from tensorboard_plugin_shiftguard.metadata import MAX_CLASSES

BINS = 32  # number of bins that are drawn; all streams share them. A convention.
# Share of a stream's samples that may lie beyond either end of these bins. A convention.
TAIL = 0.005
MARGIN = 0.05  # width added at each end, as a share of the range of the samples. A convention.


def tables(profile: InputProfile) -> dict[str, FeatureTable]:
    """Returns the feature tables of a profile, without empty ones.

    The keys are the first parts of the names of findings: the name of an input, "labels" or
    "outputs".
    """
    found = {source_of(name): summary.features for name, summary in profile.inputs.items()}
    if not profile.labels.are_classes:
        found["labels"] = profile.labels.targets
    found["outputs"] = profile.outputs.features
    return {name: table for name, table in found.items() if table.num_samples}


def class_counts(profile: InputProfile) -> dict[str, np.ndarray]:
    """Returns the counts of classes and of token ids in a profile, by name as in findings."""
    found = {"predictions": profile.outputs.predicted}
    if profile.labels.are_classes:
        found["labels"] = profile.labels.counts
    for name, summary in profile.inputs.items():
        found[f"{source_of(name)}/tokens"] = summary.tokens
    return {name: counts for name, counts in found.items() if len(counts) and counts.any()}


def shared_bins(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the edges of the bins in which the histograms of several streams are drawn together.

    The rows are counts on the fine or the coarse grid, `(k,)`.

    Returns:
        `(BINS + 1,)` int16: indexes into `bin_edges()`, ascending. If fewer bins are
        needed, the last edge is repeated.
    """
    grid = _edges_of(len(rows[0]))
    values = bin_edges()[grid]
    # All streams have the same weight, however many samples they have.
    total = np.sum([row / row.sum() for row in rows if row.any()], axis=0)
    if not np.any(total):
        return np.full(BINS + 1, grid[0], "int16")
    cumulative = np.cumsum(total) / np.sum(total)
    # Each end cuts off at most `tail` of the average over the streams, so no stream loses more than
    # TAIL of its samples there.
    tail = TAIL / len(rows)
    first = int(np.searchsorted(cumulative, tail, side="right"))
    last = int(np.searchsorted(cumulative, 1 - tail))
    after = min(last, len(values) - 2) + 1  # the right edge of the last bin
    low, high = values[first], values[after]
    margin = MARGIN * (high - low) if last > first else 0.0
    even_edges = np.linspace(low - margin, high + margin, BINS + 1)
    nearest = np.clip(np.searchsorted(values, even_edges), 1, len(values) - 1)
    nearest -= even_edges - values[nearest - 1] < values[nearest] - even_edges
    chosen = np.unique(np.concatenate([nearest, [first, after]]))
    if len(chosen) > BINS + 1:
        chosen = chosen[np.linspace(0, len(chosen) - 1, BINS + 1).astype(int)]
    padded = np.concatenate([chosen, np.full(BINS + 1 - len(chosen), chosen[-1])])
    return grid[padded].astype("int16")


def shares(row: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Returns the share of a stream's samples in each bin, from its counts on the same grid.

    Returns:
        `(BINS,)` float64. The sum is below 1 if samples lie outside of the edges.
    """
    cumulative = np.concatenate([[0], np.cumsum(row)]) / max(row.sum(), 1)
    positions = np.searchsorted(_edges_of(len(row)), edges)
    return np.diff(cumulative[positions])


def shown_classes(counts: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the ids of the classes that get their own bar.

    These are all classes that occur, or the `MAX_CLASSES - 1` most frequent ones if more occur.
    Every stream has the same weight.
    """
    total = np.sum([c / c.sum() for c in counts.values()], axis=0)
    occurring = np.flatnonzero(total)
    if len(occurring) < MAX_CLASSES:
        return occurring
    frequent = np.argsort(-total, kind="stable")[: MAX_CLASSES - 1]
    return np.sort(frequent)


def bars(counts: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Returns the counts of the shown classes, followed by the count of all others."""
    shown = counts[classes].astype("float64")
    return np.append(shown, counts.sum() - shown.sum())


@lru_cache(maxsize=2)
def _edges_of(bins: int) -> np.ndarray:
    """Returns the edges of the fine or the coarse grid as indexes into `bin_edges()`."""
    if bins == NUM_BINS:
        return np.arange(NUM_BINS + 1)
    if bins != NUM_COARSE_BINS:
        raise ValueError(f"no grid has {bins} bins")
    # Distances of the edges from zero, in fine bins.
    outward = np.minimum(np.arange(bins // 2 + 1) * COARSENING, BINS_PER_SIGN)
    return np.concatenate([BINS_PER_SIGN - outward[::-1], BINS_PER_SIGN + 1 + outward])

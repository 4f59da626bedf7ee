"""Writer of the Shift tab's numeric series: scores, histograms and class counts.

A series gets one tensor at each comparison of the streams, and has a description that
names the rows of the tensor. The format is in `tensorboard_plugin_shiftguard/metadata.py`.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_shiftguard.detection.finding import NEGLIGIBLE, Finding
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.log.event_writer import EventWriter
from keras_shiftguard.log.shift_tab_bins import (
    BINS,
    bars,
    class_counts,
    shared_bins,
    shares,
    shown_classes,
    tables,
)
from keras_shiftguard.log.shift_tab_findings import flags_and_cost, latest_tests, means_and_stds
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.profiles.grid import BINS_PER_SIGN, GAMMA, SMALLEST
from tensorboard_plugin_shiftguard.metadata import (
    CLASSES,
    HISTOGRAMS,
    MAX_FEATURES,
    MAX_NAME,
    NUM_COLUMNS,
    SCHEMA,
    SCORES,
    SHARE_SCALE,
    TAG_PREFIX,
)

FEATURES_PER_EVENT = 16  # features whose histograms are written as one tensor. A convention.
# The edges of a histogram are renewed if more than this share of a stream's samples lies outside. A
# convention.
MAX_SHARE_OUTSIDE = 0.03


@dataclass
class Rows:
    """The names of the rows of a series, in parts that do not change after they are written.

    Each part is written under its own tag. TensorBoard keeps the first description of
    a tag and ignores later ones, so names that appear later need a new tag. For the
    same reason a tag ends in a digest of its description: a second fit in the same
    directory, with other names or another order, then writes to other tags.
    """

    part_size: int
    max_names: int
    parts: list[list[str]] = field(default_factory=list)

    def with_new(self, names: Collection[str]) -> list[list[str]]:
        """Adds the new names for which there is room, and returns all parts."""
        known = {name for part in self.parts for name in part}
        new = [name for name in names if name not in known][: max(0, self.max_names - len(known))]
        size = self.part_size
        self.parts += [new[i : i + size] for i in range(0, len(new), size)]
        return self.parts


class ShiftSeries:
    """Writes the numeric series; each gets one point at each comparison."""

    def __init__(self, writer: EventWriter) -> None:
        self._writer = writer
        self.tags: list[str] = []  # that this fit wrote so far, without the prefix
        self._streams: list[str] = []  # names, in the order of histograms and class counts
        self._scores: dict[tuple[str, str], Rows] = {}
        self._histograms = Rows(FEATURES_PER_EVENT, MAX_FEATURES)
        self._edges: dict[str, np.ndarray] = {}
        self._classes: dict[str, np.ndarray] = {}

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, in a form that `profiles.storage` can store."""
        edges = list(self._edges.values())
        return {
            "tags": self.tags,
            "streams": self._streams,
            "scores": [[*pair, rows.parts] for pair, rows in self._scores.items()],
            "histograms": self._histograms.parts,
            "names": list(self._edges),
            "edges": np.stack(edges) if edges else np.zeros((0, BINS + 1), "int16"),
            "classes": self._classes,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continues the series of an interrupted fit from the result of its `state`."""
        self.tags = list(state["tags"])
        self._streams = list(state["streams"])
        self._scores = {
            (stream, against): Rows(MAX_FEATURES, MAX_FEATURES, [list(part) for part in parts])
            for stream, against, parts in state["scores"]
        }
        self._histograms.parts = [list(part) for part in state["histograms"]]
        self._edges = dict(zip(state["names"], state["edges"], strict=True))
        self._classes = dict(state["classes"])

    def write(self, step: int, pairs: Sequence[Pair], profiles: Mapping[str, InputProfile]) -> None:
        """Writes one comparison of all streams, see `RunWriter`."""
        # The streams are fixed at the first comparison. Validation is always one of them, because
        # it may get its data later.
        self._streams = self._streams or list(dict.fromkeys(["train", "validation", *profiles]))
        for pair in pairs:
            self._write_scores(step, pair)
        self._write_histograms(step, profiles)
        self._write_classes(step, profiles)

    def _write_data(
        self, series: str, tensor: np.ndarray, step: int, content: Mapping[str, Any]
    ) -> None:
        """Writes one point of a series, whose tag ends in a digest of its description."""
        # `total` is not part of the digest: it may change, and does not describe rows.
        described = json.dumps({**content, "total": 0}, sort_keys=True).encode()
        series = f"{series}-{hashlib.sha256(described).hexdigest()[:8]}"
        if series not in self.tags:
            self.tags.append(series)
        self._writer.write_data(f"{TAG_PREFIX}{series}", tensor, step, content)

    def _write_scores(self, step: int, pair: Pair) -> None:
        tested, ordered = latest_tests(pair)
        key = (pair.stream, pair.against)
        rows_of = self._scores.setdefault(key, Rows(MAX_FEATURES, MAX_FEATURES))
        both = (means_and_stds(pair.current), means_and_stds(pair.reference))
        for part, names in enumerate(rows_of.with_new(ordered)):
            rows = np.full((len(names), NUM_COLUMNS), np.nan, "float32")
            for row, name in zip(rows, names, strict=True):
                if name in tested:
                    row[:] = _score(tested[name], pair, both)
            content = {
                "v": SCHEMA,
                "pair": key,
                "names": [name[:MAX_NAME] for name in names],
                "negligible": NEGLIGIBLE,
                "total": len(tested),
                "cost": True,
            }
            title = f"{pair.stream}-{pair.against}".replace(" ", "-")
            self._write_data(f"{SCORES}/{title}/{part}", rows, step, content)

    def _write_histograms(self, step: int, profiles: Mapping[str, InputProfile]) -> None:
        found = {stream: tables(profile) for stream, profile in profiles.items()}
        rows: dict[str, dict[str, np.ndarray]] = {}  # counts by feature and stream
        for stream, sources in found.items():
            for source, table in sources.items():
                if table.counts.shape[1]:
                    for name, counts in zip(table.names, table.counts, strict=True):
                        rows.setdefault(f"{source}/{name}", {})[stream] = counts
        for group, names in enumerate(self._histograms.with_new(rows)):
            tensor = np.full((len(names), BINS + 1 + len(self._streams) * BINS), -1, "int16")
            for line, name in zip(tensor, names, strict=True):
                counted = rows.get(name, {})
                line[: BINS + 1] = edges = self._edges_for(name, list(counted.values()))
                for number, stream in enumerate(self._streams):
                    if stream in counted:
                        start = BINS + 1 + number * BINS
                        drawn = shares(counted[stream], edges)
                        line[start : start + BINS] = np.round(SHARE_SCALE * drawn)
            content = {
                "v": SCHEMA,
                "names": [name[:MAX_NAME] for name in names],
                "streams": self._streams,
                "grid": {"smallest": SMALLEST, "gamma": GAMMA, "bins_per_sign": BINS_PER_SIGN},
                "bins": BINS,
            }
            self._write_data(f"{HISTOGRAMS}/{group}", tensor, step, content)

    def _edges_for(self, name: str, rows: list[np.ndarray]) -> np.ndarray:
        """Returns the edges of a feature's bins; new ones if too many samples lie outside."""
        edges = self._edges.get(name)
        if not rows:
            return np.zeros(BINS + 1, "int16") if edges is None else edges
        if edges is None or any(shares(row, edges).sum() < 1 - MAX_SHARE_OUTSIDE for row in rows):
            edges = self._edges[name] = shared_bins(rows)
        return edges

    def _write_classes(self, step: int, profiles: Mapping[str, InputProfile]) -> None:
        found = {stream: class_counts(profile) for stream, profile in profiles.items()}
        for name in dict.fromkeys(name for counts in found.values() for name in counts):
            counted = {s: counts[name] for s, counts in found.items() if name in counts}
            if name not in self._classes:
                self._classes[name] = shown_classes(counted)
            classes = self._classes[name]
            tensor = np.full((len(self._streams), len(classes) + 1), np.nan, "float32")
            for stream, counts in counted.items():
                if stream in self._streams and len(counts) > classes.max(initial=-1):
                    tensor[self._streams.index(stream)] = bars(counts, classes)
            content = {
                "v": SCHEMA,
                "name": name[:MAX_NAME],
                "classes": [*map(str, classes.tolist()), "other"],
                "streams": self._streams,
            }
            number = list(self._classes).index(name)
            self._write_data(f"{CLASSES}/{number}", tensor, step, content)


def _score(
    tested: Finding, pair: Pair, both: tuple[dict[str, tuple[float, float]], ...]
) -> list[float]:
    """Returns one row of a score tensor, in the order of the columns in `metadata`.

    `both` holds `means_and_stds` of the current stream and of the reference.
    """
    flags, cost = flags_and_cost(tested, pair)
    moments = [value for each in both for value in each.get(tested.feature, (np.nan, np.nan))]
    low, high = tested.interval
    return [tested.effect_size, low, high, float(np.log10(tested.p_value)), flags, *moments, cost]

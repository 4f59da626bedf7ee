"""The features of an overview: each feature as JSON, and its effects and flags at each step."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tensorboard_plugin_shiftguard.answers import fitting, rounded
from tensorboard_plugin_shiftguard.columns import column_of
from tensorboard_plugin_shiftguard.metadata import (
    ALARM,
    COST,
    EFFECT,
    EXPECTED,
    LOG10_P,
    LOWER,
    NEGLIGIBLE,
    REPORTED,
    UPPER,
)
from tensorboard_plugin_shiftguard.tables import Table, flags_of
from tensorboard_plugin_shiftguard.words import described

UNKNOWN_EFFECT = -32768  # stands for an unknown effect size in the packed effects
OWN_ALARM = ALARM | REPORTED  # the flags of an alarm that the report names
MAX_PRICED = 64  # features whose costs are sent
MAX_COST_BYTES = 100_000  # of these costs as JSON


def alarming(values: np.ndarray) -> np.ndarray:
    """Returns which scores `(..., columns)` are a reported alarm, as bool `(...)`."""
    return (flags_of(values) & OWN_ALARM) == OWN_ALARM


class Row:
    """One feature of the chosen pair of streams: a row of one of the pair's tables.

    Args:
        table: The table.
        row: Index of the row.
        flags: Flags of the whole table, `(steps, rows)`.
    """

    def __init__(self, table: Table, row: int, flags: np.ndarray) -> None:
        self.table, self.row = table, row
        self.name = table.head.names[row]
        self.last = table.values[-1, row]
        self.flags = int(flags[-1, row])
        self.alarmed = bool(((flags[:, row] & OWN_ALARM) == OWN_ALARM).any())
        reported = table.steps[(flags[:, row] & REPORTED) > 0]
        self.since = int(reported[0]) + 1 if self.alarmed else None  # epochs are counted from 1

    def entry(
        self,
        kinds: Mapping[str, str],
        inputs: int,
        columns: Mapping[str, Sequence[str]] | None = None,
        finding: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Returns the feature as JSON.

        Args:
            kinds: The kind of each feature, see `kinds_of`.
            inputs: Number of inputs of the model, see `described`.
            columns: Names of the columns of tables, see `described`.
            finding: The finding on the feature in the latest report, if there is one. Its epochs
                are those of the story, which begin before the first alarm if the cost of the
                difference was within tolerance at first.
        """
        cause, label = described(self.name, inputs, columns)
        since = (finding or {}).get("since")
        return {
            "name": self.name,
            "label": label,
            "cause": None if cause == self.name else cause,
            "kind": kinds.get(self.name, "score"),
            "effect": rounded(self.last[EFFECT]),
            "lower": rounded(self.last[LOWER]),
            "upper": rounded(self.last[UPPER]),
            "log10_p": rounded(self.last[LOG10_P]),
            "flags": self.flags,
            "alarmed": self.alarmed,
            "since": self.since if since is None else since,
            "until": (finding or {}).get("until"),
        }


def rows_of(found: list[Table]) -> tuple[list[Row], int]:
    """Returns one row for each feature, and the number of measured features.

    The number of measured features may be larger than the number of features in the log.
    """
    rows: dict[str, Row] = {}
    for table in found:
        flags = flags_of(table.values)
        for number, name in enumerate(table.head.names):
            rows.setdefault(name, Row(table, number, flags))
    return list(rows.values()), max([len(rows), *(table.head.total for table in found)])


def severity(row: Row) -> tuple[bool, bool, bool, float]:
    """Returns a sort key that puts the most severe feature first.

    Alarms come first, and the reported ones before the others. Next come features whose shift is
    neither expected nor negligible. Within each of these groups, the largest effect comes first and
    unknown effects come last.
    """
    size = abs(float(row.last[EFFECT]))
    alarm, is_minor = row.flags & ALARM, bool(row.flags & (EXPECTED | NEGLIGIBLE))
    reported = row.flags & REPORTED
    return not alarm, not reported, is_minor, -size if size == size else 1.0


def costs_of(rows: list[Row], shown: np.ndarray) -> dict[str, list[float | None]]:
    """Returns the costs of the features that ever had a cost, at the steps `shown`, by name."""
    found: list[tuple[str, list[float | None]]] = []
    by_tag = {row.table.head.tag: row.table for row in rows}
    priced = {tag: np.isfinite(table.values[..., COST]).any(0) for tag, table in by_tag.items()}
    for row in [row for row in rows if priced[row.table.head.tag][row.row]][:MAX_PRICED]:
        costs = row.table.values[:, row.row, COST]
        line = np.full(len(shown), np.nan, np.float32)
        line[column_of(row.table.steps, shown)] = costs
        found.append((row.name, [None if cost != cost else round(float(cost), 3) for cost in line]))
    return dict(fitting(found, MAX_COST_BYTES))


def matrix_of(rows: list[Row], found: list[Table], shown: np.ndarray) -> dict[str, Any]:
    """Returns effects and flags of all features at the steps `shown`, packed as base64.

    An effect is stored in hundredths as int16, and the flags of a feature take four bits.
    """
    by_tag = {}
    for table in found:
        shape = (len(table.head.names), len(shown))
        effects, flags = np.full(shape, np.nan, np.float32), np.zeros(shape, np.uint8)
        flags_by_point = flags_of(table.values)
        for point, column in enumerate(column_of(table.steps, shown)):
            effects[:, column] = table.values[point, :, EFFECT]
            # A column keeps the alarms of all its points.
            flags[:, column] = flags_by_point[point] | (flags[:, column] & ALARM)
        by_tag[table.head.tag] = effects, flags
    picked = [(by_tag[row.table.head.tag], row.row) for row in rows]
    effect = np.array([effects[row] for (effects, _), row in picked], np.float32).ravel()
    flag = np.array([flags[row] for (_, flags), row in picked], np.uint8).ravel()
    hundredths = np.nan_to_num(np.clip(effect, -327.67, 327.67) * 100).round().astype("<i2")
    hundredths[np.isnan(effect)] = UNKNOWN_EFFECT
    flag = np.append(flag, np.zeros(len(flag) % 2, np.uint8))
    return {
        "steps": shown.tolist(),
        "effects": base64.b64encode(hundredths.tobytes()).decode(),
        # A byte holds two sets of four flags, the first in its lower half.
        "flags": base64.b64encode((flag[::2] | flag[1::2] << 4).tobytes()).decode(),
    }

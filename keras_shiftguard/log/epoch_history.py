"""`EpochHistory`: logs and numbers of the features in each epoch of a fit, for its page."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.log.shift_tab_findings import (
    flags_and_cost,
    latest_tests,
    means_and_stds,
    single,
)
from tensorboard_plugin_shiftguard.metadata import MAX_FEATURES

# Largest number of features on the page; the worst findings are shown. A convention.
MAX_SHOWN = 12
# Largest number of epochs on the page. If there are more, evenly spaced ones are chosen, which
# include the latest. A convention.
MAX_EPOCHS = 200
# The numbers of a feature in an epoch: effect size, mean of the stream, mean of the stream it is
# compared with, flags as in the log of the Shift tab, and the cost that was known in that epoch.
COLUMNS = ("effect", "mean", "against_mean", "flags", "cost")

Key = tuple[str, str]  # a stream, and the stream it is compared with


class Look(NamedTuple):
    """Numbers of the features of a pair of streams in one epoch.

    `values` are `(features, len(COLUMNS))` float32; NaN if not known.
    """

    names: tuple[str, ...]
    values: np.ndarray

    def of(self, feature: str) -> np.ndarray:
        """Returns the row of a feature, `(len(COLUMNS),)`; NaN if it was not measured."""
        if feature not in self.names:
            return np.full(len(COLUMNS), np.nan, "float32")
        row: np.ndarray = self.values[self.names.index(feature)]
        return row


# An epoch without features. Given by the layout of `Look`.
NOTHING = Look((), np.zeros((0, len(COLUMNS)), "float32"))


class EpochHistory:
    """Keras's logs, and the numbers of the features, for each epoch of a fit."""

    def __init__(self) -> None:
        self.epochs: list[int] = []  # counted from 1
        self._logs: list[dict[str, float]] = []
        self._looks: list[dict[Key, Look]] = []

    def add(self, epoch: int, logs: Mapping[str, Any], pairs: Sequence[Pair]) -> None:
        """Adds an epoch, counted from 1, with Keras's logs and the results of all tests."""
        self.epochs.append(epoch)
        numbers = {k: number for k, value in logs.items() if (number := single(value)) is not None}
        self._logs.append(numbers)
        self._looks.append({(pair.stream, pair.against): _look(pair) for pair in pairs})

    def part(self, findings: Sequence[Finding]) -> dict[str, Any]:
        """Returns the data of the page's part on epochs, see `keras_shiftguard_page.epochs`.

        The findings so far are the most severe first.
        """
        count = len(self.epochs)
        step = max(-(-count // MAX_EPOCHS), 1)
        chosen = range(count)[::-step][::-1]
        looks = [self._looks[i] for i in chosen]
        features = []
        for finding in islice(findings, MAX_SHOWN):
            key = (finding.stream, finding.against)
            rows = [look.get(key, NOTHING).of(finding.feature) for look in looks]
            columns = np.reshape(rows, (-1, len(COLUMNS))).T
            if not np.isnan(columns[0]).all():
                named = {"stream": finding.stream, "against": finding.against}
                numbers = {name: _rounded(c) for name, c in zip(COLUMNS, columns, strict=True)}
                features.append({**named, "feature": finding.feature, **numbers})
        names = dict.fromkeys(name for i in chosen for name in self._logs[i])
        logs = {n: _rounded([self._logs[i].get(n, np.nan) for i in chosen]) for n in names}
        return {"numbers": [self.epochs[i] for i in chosen], "logs": logs, "features": features}

    def restore(self, part: Mapping[str, Any], before: int) -> None:
        """Continues an interrupted fit with its epochs before `before`, counted from 1."""
        for i, epoch in enumerate(part["numbers"]):
            if epoch >= before:
                break
            self.epochs.append(epoch)
            logs = {name: values[i] for name, values in part["logs"].items()}
            self._logs.append({n: np.nan if v is None else float(v) for n, v in logs.items()})
            rows: dict[Key, dict[str, list[float]]] = {}
            for each in part["features"]:
                row = [each[name][i] for name in COLUMNS]
                rows.setdefault((each["stream"], each["against"]), {})[each["feature"]] = [
                    np.nan if value is None else value for value in row
                ]
            self._looks.append(
                {k: Look(tuple(v), np.array(list(v.values()), "float32")) for k, v in rows.items()}
            )


def _look(pair: Pair) -> Look:
    """Returns the latest numbers of a pair, for at most `MAX_FEATURES` features."""
    tested, ordered = latest_tests(pair)
    names = ordered[:MAX_FEATURES]
    unknown = (np.nan, np.nan)
    now, before = means_and_stds(pair.current), means_and_stds(pair.reference)
    rows = [
        (
            tested[name].effect_size,
            now.get(name, unknown)[0],
            before.get(name, unknown)[0],
            *flags_and_cost(tested[name], pair),
        )
        for name in names
    ]
    return Look(tuple(names), np.array(rows, "float32").reshape(-1, len(COLUMNS)))


def _rounded(values: Any) -> list[float | None]:
    """Returns numbers with five significant digits; None for those that are not finite."""
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in values]

"""The section on the epochs of a fit: curves of a metric and of means, and a heatmap of causes.

The part `epochs` of the data holds `numbers` (the epochs, counted from 1), `logs` (a list for
each of Keras's logs, by name), and `features`, a list of dicts. Each dict has the texts `stream`,
`against` and `feature`, and the lists `effect`, `mean`, `against_mean`, `flags` and `cost`. All
lists of numbers have one value for each epoch; an unknown value is None. `tolerance` is that of the
guard. Pages of older versions have neither `flags` nor `cost` nor `tolerance`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras_shiftguard_page.charts import Lines, lines
from keras_shiftguard_page.content import Section
from keras_shiftguard_page.heatmap import Heat, HeatRow, cells
from keras_shiftguard_page.shift import is_cost_unclear
from keras_shiftguard_page.words import cost, is_accuracy, stream
from tensorboard_plugin_shiftguard.metadata import FIRST_EPOCH, REPAIRED
from tensorboard_plugin_shiftguard.verdict import TOLERANCE
from tensorboard_plugin_shiftguard.words import CAUSES, count_inputs, described

TITLE = "What differs between the streams, epoch by epoch"
MAX_CAUSES = 10
MAX_CURVES = 3  # features whose means are drawn
LOOKS = {"train": "train", "validation": "current"}  # CSS classes; other streams get "other"
OURS = ("shift", "val_shift")  # the logs that the guard adds


def about_epochs(
    epochs: Mapping[str, Any],
    report: Mapping[str, Any] | None,
    columns: Mapping[str, Sequence[str]] | None = None,
) -> list[Section]:
    """Returns a list with the section on the epochs; empty before the first epoch has ended.

    `columns` are the names of the columns of tables, see `described`.
    """
    numbers, features = epochs["numbers"], epochs["features"]
    if not numbers:
        return []
    findings = {
        (each["stream"], each["against"], each["feature"]): each
        for each in (report or {}).get("findings", [])
    }
    charts: list[Any] = [*_metric(epochs)]
    inputs = count_inputs(each["feature"] for each in features)

    def label(feature: str) -> str:
        return described(feature, inputs, columns)[1]

    given = epochs.get("tolerance")
    tolerance = TOLERANCE if given is None else float(given)
    rows = _causes(numbers, features, findings, label, tolerance)
    if rows:
        charts.append(Heat(TITLE, rows, numbers[0], numbers[-1], tolerance))
    for name in list(dict.fromkeys(each["feature"] for each in features))[:MAX_CURVES]:
        members = [each for each in features if each["feature"] == name]
        charts += _means(f"Mean of {label(name)}", numbers, members)
    return [Section("Epoch by epoch", f"{numbers[-1]} epochs so far", charts=tuple(charts))]


def _metric(epochs: Mapping[str, Any]) -> tuple[Lines, ...]:
    """Returns the curves of one metric: an accuracy, else the loss, else the first metric."""
    logs = epochs["logs"]
    own = [name for name in logs if not name.startswith("val_") and name not in OURS]
    accuracy = [name for name in own if "acc" in name.lower()]
    name = next(iter([*accuracy, *(each for each in own if each == "loss"), *own]), None)
    if name is None:
        return ()
    curves = [("training", "train", logs[name])]
    if f"val_{name}" in logs:
        curves.append(("validation", "current", logs[f"val_{name}"]))
    if REPAIRED.format(name) in logs:
        curves.append(("validation with the repair", "other", logs[REPAIRED.format(name)]))
    return lines(name.replace("_", " ").capitalize(), epochs["numbers"], curves)


def _means(title: str, numbers: list[int], members: list[Any]) -> tuple[Lines, ...]:
    """Returns a chart of the means of one feature in each stream.

    `members` are the entries of the feature for all pairs of streams.
    """
    means: dict[str, list[Any]] = {}
    for each in members:
        means.setdefault(each["stream"], each["mean"])
        if each["against"] != FIRST_EPOCH:
            means.setdefault(each["against"], each["against_mean"])
    known = {name: values for name, values in means.items() if any(v is not None for v in values)}
    curves = [(stream(name), LOOKS.get(name, "other"), known[name]) for name in sorted(known)]
    return lines(title, numbers, curves)


def _causes(
    numbers: list[int],
    features: list[Any],
    findings: Mapping[Any, Mapping[str, Any]],
    label: Callable[[str], str],
    tolerance: float,
) -> list[HeatRow]:
    """Returns a row of the heatmap for each cause in each pair of streams, at most `MAX_CAUSES`."""
    grouped: dict[tuple[str, str, str], list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
    for each in features:
        finding = findings.get((each["stream"], each["against"], each["feature"]))
        if finding is not None:
            key = (each["stream"], each["against"], described(each["feature"])[0])
            grouped.setdefault(key, []).append((each, finding))
    in_fit = {(name, cause) for name, against, cause in grouped if against != FIRST_EPOCH}
    shown = [key for key in grouped if key[1] != FIRST_EPOCH or (key[0], key[2]) not in in_fit]
    rows = []
    for name, against, cause in shown[:MAX_CAUSES]:
        members = grouped[name, against, cause]
        found = [finding for _, finding in members]
        is_unclear = any(is_cost_unclear(finding) for finding in found)
        is_alarm = any(finding["matters"] for finding in found)
        state = "alarm" if is_alarm else "unclear" if is_unclear else "calm"
        ends = [finding.get("until") for finding in found]
        over = [end for end in ends if end is not None]
        costs = [finding["cost"] for finding in found if finding["cost"] is not None]
        metric = next((f.get("metric") for f in found if f["cost"] is not None), None)
        lost = " lost" if is_accuracy(metric) else ""
        figure = f"{cost(max(0.0, *costs), metric)}{lost}" if costs else ""
        figure = "cost unclear" if state == "unclear" else figure
        if len(over) == len(ends):
            figure = f"until epoch {max(over)}"
        below = f"{stream(name)} against {stream(against)}"
        row = cells(numbers, members, tolerance)
        rows.append(HeatRow(_title(cause, found, label), below, row, figure, state))
    return rows


def _title(cause: str, findings: list[Mapping[str, Any]], label: Callable[[str], str]) -> str:
    """Returns the name of a cause as the Shift tab shows it, such as "Darker"."""
    words = CAUSES.get(cause)
    if words is None:
        return label(findings[0]["feature"])
    for finding in findings:
        if words.main and finding["feature"].endswith(f"/{words.main}"):
            return words.lower if (finding["effect_size"] or 0.0) < 0 else words.higher
    return words.name

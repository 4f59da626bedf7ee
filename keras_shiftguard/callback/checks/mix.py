"""`look` measures, by weighting samples, what another class mix costs, or other numbers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from keras_shiftguard.callback.checks import labels, schedule
from keras_shiftguard.callback.checks.check import Epoch, Told, costs_of
from keras_shiftguard.callback.judged_samples import Judged
from keras_shiftguard.callback.subjects import Moved, columns_moved, remembered
from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost, cost_of_too_few
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.experiments.class_mix import cost_of_mix, cost_of_target_mix, has_learnt


def look(state: Mapping[Moved, bool] | None, epoch: Epoch) -> tuple[dict[Moved, bool], Told]:
    """Measures the costs of the findings on the class mix that are due.

    Args:
        state: Whether samples belong together, by how far columns moved.
        epoch: The epoch.
    """
    together, costs = dict(state or {}), {}
    for pair in schedule.due(epoch):
        judged = epoch.judged(pair, epoch.is_apart)
        if judged is not None and "labels" in pair.findings:
            found: dict[str, Any] = {"labels": _cost(pair, judged, epoch, together)}
            costs[pair.stream, pair.against] = costs_of(pair, found)
    return together, Told(costs=costs)


def _cost(pair: Pair, judged: Judged, epoch: Epoch, together: dict[Moved, bool]) -> Cost | None:
    """Returns the cost of the finding on the labels of a comparison."""
    current = judged.current
    if not judged.are_classes:
        return _cost_of_targets(judged)
    if pair.findings["labels"].kind != "label":
        # The labels are wrong, which may have a cost of its own; the class mix has none.
        none = Cost(0.0, (0.0, 0.0), len(current.labels))
        return none if labels.are_wrong(epoch, pair) else None
    if len(current.labels) < MIN_SAMPLES:
        return cost_of_too_few(len(current.labels))
    counts = pair.reference.labels.counts, pair.current.labels.counts
    right = judged.predict(current.images).argmax(axis=1) == current.labels
    mix = cost_of_mix(right, current.labels, *counts)
    if mix is None:
        return None
    may_be_subjects = pair.against == "train" and columns_moved(pair.findings.values()) != "far"
    by_chance = may_be_subjects and remembered(together, epoch.streams, "little")
    if by_chance or not has_learnt(right, current.labels):
        # The classes of a few subjects differ by chance, and so do the predictions of a model that
        # has learned little.
        low, high = mix.interval
        mix = replace(mix, interval=(min(low, 0.0), high))
    return mix


def _cost_of_targets(judged: Judged) -> Cost | None:
    """Returns the cost of numbers to predict that are distributed otherwise; None if unknown."""
    current, training = judged.current, judged.training
    if training is None:
        return None
    here, there = (each.labels.tree for each in (current, training))
    if not isinstance(here, np.ndarray) or here.size != len(here) or there.size != len(there):
        return None
    worth = judged.judge.worth(judged.predict(current.images), current.labels)
    unit, metric = judged.judge.unit(worth), judged.judge.metric
    return cost_of_target_mix(worth, here.reshape(-1), there.reshape(-1), unit, metric)

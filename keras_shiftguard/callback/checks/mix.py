"""`look` measures, by weighting samples, what another class mix costs, or other numbers."""

from dataclasses import replace

import numpy as np

from keras_shiftguard.callback.checks import labels, schedule
from keras_shiftguard.callback.checks.check import Epoch, Told, costs_of
from keras_shiftguard.callback.judged_samples import Judged
from keras_shiftguard.callback.subjects import come_in_clusters
from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost, cost_of_too_few
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.experiments.labels.class_mix import (
    cost_of_mix,
    cost_of_target_mix,
    cost_of_unseen,
    has_learnt,
)

MIN_OF_CLASS = 20  # with fewer samples of a class, equal numbers may be chance. A convention.


def look(state: bool | None, epoch: Epoch) -> tuple[bool | None, Told]:
    """Measures the costs of the findings on the class mix that are due.

    The state: whether samples come in clusters, as those of a few subjects do; None if no cost has
    asked for it yet.
    """
    costs = {}
    meant = tuple(
        replace(pair.findings["labels"], expected=True)
        for pair in epoch.pairs
        if pair is epoch.main and "labels" in pair.findings and _is_resampled(pair)
    )
    for pair in schedule.due(epoch):
        if "labels" not in pair.findings or (meant and pair is epoch.main):
            continue
        judged = epoch.judged(pair, epoch.is_apart)
        if judged is not None:
            cost = _cost(pair, judged, epoch)
            if cost is not None and pair is epoch.main and cost.is_costly(epoch.tolerance):
                if state is None:
                    state = come_in_clusters(epoch.streams["train"], epoch.streams["validation"])
                cost = _by_chance(cost) if state else cost
            costs[pair.stream, pair.against] = costs_of(pair, {"labels": cost})
    return state, Told(findings=meant, costs=costs)


def _is_resampled(pair: Pair) -> bool:
    """Whether training has as many samples of each class, which validation has not.

    The numbers of training are more equal than chance makes them, so its mix is meant to be another
    one. Without this rule, a right fit on undersampled data alarms with 3 points.
    """
    labels = pair.reference.labels, pair.current.labels
    if pair.findings["labels"].family != "label" or not all(each.are_classes for each in labels):
        return False
    train, other = (each.counts[each.counts > 0] for each in labels)
    are_many = len(train) > 1 and train.min() >= MIN_OF_CLASS
    return bool(are_many and np.ptp(train) <= 1 < np.ptp(other))


def _cost(pair: Pair, judged: Judged, epoch: Epoch) -> Cost | None:
    """Returns the cost of the finding on the labels of a comparison."""
    current = judged.current
    if not judged.are_classes:
        return _cost_of_targets(judged)
    if pair.findings["labels"].kind != "label":
        # The labels are wrong, which may have a cost of its own; the class mix has none.
        none = Cost(0.0, (0.0, 0.0), len(current.labels))
        return none if labels.are_wrong(epoch, pair) else None
    if pair.reference.labels.are_mixed:
        return None  # probabilities, such as a teacher's, count by their largest
    if len(current.labels) < MIN_SAMPLES:
        return cost_of_too_few(len(current.labels))
    counts = pair.reference.labels.counts, pair.current.labels.counts
    right, on_training = (
        np.zeros(0, bool)
        if samples is None or not len(samples.labels)
        else judged.predict(samples.images).argmax(axis=1) == samples.labels
        for samples in (current, judged.training)
    )
    unseen = cost_of_unseen(right, current.labels, *counts, on_training)
    if unseen is not None and unseen.is_alarm(epoch.tolerance):
        return unseen
    mix = cost_of_mix(right, current.labels, *counts)
    if mix is None:
        return None
    # The predictions of a model that has learned little differ between classes by chance.
    return mix if has_learnt(right, current.labels) else _by_chance(mix)


def _by_chance(cost: Cost) -> Cost:
    """Returns a cost that is a question: the classes of a few subjects differ by chance."""
    return replace(cost, interval=(min(cost.interval[0], 0.0), cost.interval[1]))


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

"""`MixWatch`: what another class mix costs in a fit, or other numbers to predict."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from keras_shiftguard.callback.judged_samples import Judged
from keras_shiftguard.callback.subjects import Moved, belong_together, columns_moved
from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost, cost_of_too_few
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.experiments.class_mix import cost_of_mix, cost_of_target_mix, has_learnt
from keras_shiftguard.statistics.stream import Stream


class MixWatch:
    """Weights the samples of validation as if their classes were as frequent as in training."""

    def __init__(self) -> None:
        # Whether samples belong together, by how far columns moved.
        self._together: dict[Moved, bool] = {}

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        return {"together": dict(self._together)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state that `state()` returned; what it lacks stays as it is."""
        self._together = dict(state.get("together", {}))

    def costs(
        self, pair: Pair, streams: Mapping[str, Stream], judged: Judged, are_wrong: bool
    ) -> dict[str, Cost | None]:
        """Returns the cost of the finding on the class mix, by feature; empty without a finding.

        Args:
            pair: The comparison.
            streams: The streams with their kept samples.
            judged: The samples of the epoch.
            are_wrong: Whether labels are known to be wrong, which explains their mix.
        """
        found, current = pair.findings.get("labels"), judged.current
        if found is None:
            return {}
        if not judged.are_classes:
            return {"labels": _cost_of_targets(judged)}
        if found.kind != "label":
            # The labels are wrong, which may have a cost of its own; the class mix has none.
            none = Cost(0.0, (0.0, 0.0), len(current.labels))
            return {"labels": none if are_wrong else None}
        if len(current.labels) < MIN_SAMPLES:
            return {"labels": cost_of_too_few(len(current.labels))}
        counts = pair.reference.labels.counts, pair.current.labels.counts
        right = judged.predict(current.images).argmax(axis=1) == current.labels
        mix = cost_of_mix(right, current.labels, *counts)
        if mix is None:
            return {"labels": None}
        may_be_subjects = pair.against == "train"
        may_be_subjects &= columns_moved(pair.findings.values()) != "far"
        by_chance = may_be_subjects and self._belong_together(streams, "little")
        if by_chance or not has_learnt(right, current.labels):
            # The classes of a few subjects differ by chance, and so do the predictions of a model
            # that has learned little.
            low, high = mix.interval
            mix = replace(mix, interval=(min(low, 0.0), high))
        return {"labels": mix}

    def belong_together(self, pair: Pair, streams: Mapping[str, Stream]) -> bool:
        """Whether samples of training belong together, as those of one patient do."""
        return self._belong_together(streams, columns_moved(pair.findings.values()))

    def _belong_together(self, streams: Mapping[str, Stream], moved: Moved) -> bool:
        if moved not in self._together:
            self._together[moved] = belong_together(streams["train"], streams["validation"], moved)
        return self._together[moved]


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

"""`LabelWatch`: finds, with the predictions of the model, labels that do not fit their samples."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from keras_shiftguard.callback.judged_samples import Judged
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.labels.label_findings import POSSIBLY, RELABELLED
from keras_shiftguard.detection.labels.relabelled import find_relabelling, fit_their_samples
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.experiments.label_words import UNRELATED, finding_of
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.experiments.wrong_labels import Predicted, wrong_labels

# A difference of the samples does not explain the wrong predictions if undoing it wins back less
# than this share of what right labels would win; if it has no cost, if it is smaller than SMALL.
MAX_SHARE, SMALL = 0.5, 0.5


class LabelWatch:
    """Finds labels of validation that do not fit their samples, and mixtures in training.

    Args:
        shift: The comparisons of the streams, which get the findings.

    Attributes:
        is_harder: Whether the loss on validation is above that on training. Otherwise labels that
            seem right are not looked at, so most healthy fits spend nothing on it.
        mixes: Whether the samples of training are known to be mixtures.
    """

    def __init__(self, shift: ShiftWatch) -> None:
        self._shift = shift
        self.is_harder = False
        self.mixes = False
        # What the latest experiment found, and what kind the one before found: "" for nothing, None
        # without an experiment.
        self._found: tuple[Finding, Cost] | None = None
        self._before: str | None = None
        self._is_noted = False  # whether a note says that labels and samples are unrelated

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        found = None
        if self._found is not None:
            finding, cost = self._found
            found = [finding.to_dict(), vars(cost)]
        return {
            "mixes": self.mixes,
            "wrong_labels": found,
            "kind_of_labels": self._before,
            "noted": self._is_noted,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state that `state()` returned; what it lacks stays as it is."""
        self.mixes = bool(state.get("mixes", False))
        self._before = state.get("kind_of_labels")
        self._is_noted = bool(state.get("noted", False))
        if state.get("wrong_labels") is not None:
            finding, cost = state["wrong_labels"]
            self._found = Finding.from_dict(finding), Cost.from_dict(cost)

    def is_due(self, pair: Pair) -> bool:
        """Whether labels of validation may be wrong."""
        of_labels = [f for name, f in pair.findings.items() if _is_of_labels(name)]
        return self.is_harder or self._before == "found" or any(not f.negligible for f in of_labels)

    def check(
        self,
        pair: Pair,
        judged: Judged,
        epoch: int,
        is_last: bool,
        belong_together: bool,
    ) -> None:
        """Adds a finding if other labels of validation would win accuracy.

        Args:
            pair: The comparison of validation with training.
            judged: The kept samples, with class ids.
            epoch: The epoch, counted from 1.
            is_last: Whether it is the last one.
            belong_together: Whether samples belong together, as those of one patient do: the model
                may then know the patients of training, and none of validation.
        """
        current, training, predict = judged.current, judged.training, judged.predict
        if training is None or not min(len(current.labels), len(training.labels)):
            return
        others = [f for name, f in pair.findings.items() if not _is_of_labels(name)]
        mix = pair.findings.get("labels")
        found = wrong_labels(
            Predicted(predict(current.images), current.labels),
            Predicted(predict(training.images), training.labels),
            are_alike=not belong_together,
            is_same_mix=mix is None or mix.negligible,
            seed=epoch,
        )
        if found is not None and not found.names:
            if not all(_explains_little(finding, found.cost.value) for finding in others):
                found = None
        before, self._before = self._before, "found" if found is not None else ""
        if found is None or found.is_unrelated:
            self._found = None
            if found is not None and not self._is_noted:
                self._is_noted = True
                self._shift.note(UNRELATED)
            return
        since = epoch if self._found is None else self._found[0].since
        distinct = min(pair.current.distinct_share, pair.reference.distinct_share)
        is_new = not (is_last if before is None else before == "found")
        cost = replace(found.cost.of_dependent(distinct), is_new=is_new)
        number = max(int(current.labels.max()), int(training.labels.max())) + 1
        self._found = replace(finding_of(found, cost, number), since=since), cost
        self._shift.add(*self._found)
        self.call_wrong(pair)

    def check_mixtures(self, pair: Pair, train: Labelled | None, predict: Predict) -> None:
        """Finds out whether training samples are mixtures rather than labelled wrongly at random.

        Values of other samples (CutMix, swap noise of tables) make classes look more alike, as
        wrong labels do.
        """
        found = pair.findings.get("labels/concept")
        if found is None or found.family != RELABELLED:
            return
        labels = pair.reference.labels, pair.current.labels
        relabelling = find_relabelling(*labels, level=1.0)
        if relabelling is None or relabelling.looks_like or not relabelling.in_reference:
            return
        if train is not None and len(train.labels):
            right = predict(train.images).argmax(axis=1) == train.labels
            self.mixes = fit_their_samples(right, relabelling.wrong)
            self.call_mixtures(pair)

    def call_mixtures(self, pair: Pair) -> None:
        """Explains wrong labels of training by mixtures, if training samples are mixtures."""
        found = pair.findings.get("labels/concept")
        is_relabelled = found is not None and found.family == RELABELLED
        if self.mixes and pair.against == "train" and found is not None and is_relabelled:
            text = "Classes of training look more alike than those of validation, but the labels "
            text += "fit: samples of training are mixtures, as augmentation makes them"
            named = replace(
                found, kind="covariate", family="augmentation", explanation=text, expected=True
            )
            self._shift.replace(named)

    def call_wrong(self, pair: Pair) -> None:
        """Adds what the latest experiment found, if the comparison lacks it."""
        if self._found is None or pair.against != "train" or pair.stream != "validation":
            return
        finding, cost = self._found
        found, mix = pair.findings.get(finding.feature), pair.findings.get("labels")
        if found is None or found.explanation != finding.explanation or not found.cost_words:
            self._shift.add(finding, cost)
        if mix is not None and mix.kind == "label":
            text = f"{mix.explanation.partition(f'; {POSSIBLY}')[0]}; it follows from wrong labels"
            self._shift.replace(replace(mix, kind="concept", family=RELABELLED, explanation=text))
            none = Cost(0.0, (0.0, 0.0), cost.num_samples)
            self._shift.price(pair.stream, pair.against, {"labels": none})

    def are_wrong(self, pair: Pair) -> bool:
        """Whether labels of validation are known to be wrong, compared with training."""
        return self._found is not None and pair.against == "train"


def is_harder(logs: Mapping[str, Any]) -> bool:
    """Whether the loss on validation is above the mean loss on training in the same epoch.

    Args:
        logs: Keras's logs at the end of the epoch.
    """
    train, validation = logs.get("loss"), logs.get("val_loss")
    number = (int, float, np.floating)
    return isinstance(train, number) and isinstance(validation, number) and bool(validation > train)


def _is_of_labels(feature: str) -> bool:
    return feature.partition("/")[0] == "labels"


def _explains_little(finding: Finding, lost: float) -> bool:
    """Whether a difference of the samples explains little of what wrong labels seem to cost."""
    if finding.negligible or finding.expected or finding.harmless:
        return True
    if finding.matters:
        return False
    if finding.cost is not None:
        return finding.cost < MAX_SHARE * lost
    return abs(finding.effect_size) < SMALL

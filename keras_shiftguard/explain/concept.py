"""Concept shift as a cause: the samples of some classes look different, those of others do not.

`detection.labels.concept` uses the same definition. Labels that no longer belong to their samples
count as concept shift as well. Both data and reference must have labels. Concept shift explains the
part of the gap that arises because the changed classes lost more accuracy than the others.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.labels.concept import find_changed_classes
from keras_shiftguard.detection.labels.relabelled import describe_relabelling, find_relabelling
from keras_shiftguard.detection.sentences import MAX_CLASSES_NAMED, some_of
from keras_shiftguard.profiles import LabelSummary
from keras_shiftguard.profiles.labels import MAX_CLASSES_EMBEDDED

LEVEL = 0.01  # significance level


@dataclass(frozen=True)
class ConceptShift:
    """A concept shift that was found.

    Args:
        classes: Ids of the changed classes; empty if labels are wrong.
        wrong_labels: Whether labels no longer belong to their samples (classes renamed,
            or a part of the labels random). Concept shift then explains all of the gap
            that is left.
        detail: Description for the report.
    """

    classes: tuple[int, ...]
    wrong_labels: bool
    detail: str

    def points(
        self, before: np.ndarray, now: np.ndarray, shares: np.ndarray, left: np.ndarray
    ) -> np.ndarray:
        """Returns the part of the gap that concept shift explains.

        In the shapes, `...` is empty for the measured accuracies, and `draws` for their bootstrap
        draws.

        Args:
            before: Accuracy of each class in the reference, `(classes,)`.
            now: Accuracy of each class in the data, `(..., classes)`, after all causes that can be
                removed exactly (`removal.py`) were removed.
            shares: Share of the samples in each class, `(classes,)`, which weighs the accuracy that
                the class lost.
            left: The part of the gap that is left to explain, `(...)`; the result is at most
                `left`, or 0 if `left` is negative.
        """
        if self.wrong_labels:
            return np.maximum(left, 0.0)
        known = np.isfinite(before) & np.isfinite(now)
        lost = np.where(known, before - now, 0.0)
        weight = np.where(known, shares, 0.0)
        # The changed classes were found by moments that are stored by class id modulo this number.
        changed = np.isin(np.arange(len(shares)) % MAX_CLASSES_EMBEDDED, self.classes)
        others = weight * ~changed
        others_lost = (lost * others).sum(axis=-1) / np.maximum(others.sum(axis=-1), 1e-12)
        lost_beyond = lost - np.maximum(others_lost, 0.0)[..., None]
        excess = (weight * changed * lost_beyond).sum(axis=-1)
        return np.clip(excess, 0.0, np.maximum(left, 0.0))


def find_concept_shift(
    reference: LabelSummary, current: LabelSummary, share: float = 1.0
) -> ConceptShift | None:
    """Returns the concept shift between two label summaries, None if there is none.

    The shift is either wrong labels, or classes that changed while the others did not.

    Args:
        reference: Labels of the reference.
        current: Labels of the data.
        share: Number of independent samples, or of groups of samples, in the data, divided by the
            number of samples.
    """
    wrong = find_relabelling(reference, current, LEVEL, (1.0, share))
    if wrong is not None:
        return ConceptShift((), True, describe_relabelling(wrong, "data", "the reference"))
    changed = find_changed_classes(reference, current, LEVEL, (1.0, share))
    if not changed:
        return None
    classes = tuple(sorted(shift.class_id for shift in changed))
    named = some_of([str(each) for each in classes[:MAX_CLASSES_NAMED]], len(classes))
    noun, verb = ("class", "looks") if len(classes) == 1 else ("classes", "look")
    detail = f"{noun} {named} {verb} different, the others do not"
    if current.shares_moments or reference.shares_moments:
        detail += f" (class ids modulo {MAX_CLASSES_EMBEDDED})"
    return ConceptShift(classes, False, detail)

"""Concept shift as a cause: some classes look different, and the others do not.

This is the definition of `detection.labels.concept`; labels that no longer belong to
the samples count as well. It needs labels on both sides. Its points are how much more
accuracy the changed classes lost than the other classes.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.labels.concept import find_changed_classes
from keras_shiftguard.detection.labels.relabelled import describe_relabelling, find_relabelling
from keras_shiftguard.profiles import LabelSummary

LEVEL = 0.01  # significance level
MAX_NAMED_CLASSES = 3


@dataclass(frozen=True)
class Concept:
    """A concept shift that was found.

    Args:
        classes: Ids of the changed classes.
        everything: Whether the labels of all classes are wrong. Concept shift then
            explains all of the gap that is left.
        detail: Description for the report.
    """

    classes: tuple[int, ...]
    everything: bool
    detail: str

    def points(
        self, before: np.ndarray, now: np.ndarray, shares: np.ndarray, left: np.ndarray
    ) -> np.ndarray:
        """Returns the part of the gap that concept shift explains, for each draw.

        Args:
            before: Accuracy of each class in the reference, `(..., classes)`.
            now: Accuracy of each class in the data with all other causes removed,
                `(..., classes)`.
            shares: Share of each class, `(classes,)`.
            left: The part of the gap that is left to explain, `(...)`; an upper limit.
        """
        if self.everything:
            return np.maximum(left, 0.0)
        known = np.isfinite(before) & np.isfinite(now)
        lost = np.where(known, before - now, 0.0)
        weight = np.where(known, shares, 0.0)
        moved = np.isin(np.arange(len(shares)), self.classes)
        others = weight * ~moved
        usual = (lost * others).sum(axis=-1) / np.maximum(others.sum(axis=-1), 1e-12)
        excess = (weight * moved * (lost - np.maximum(usual, 0.0)[..., None])).sum(axis=-1)
        return np.clip(excess, 0.0, np.maximum(left, 0.0))


def find_concept(reference: LabelSummary, current: LabelSummary) -> Concept | None:
    """Returns the classes that changed while the others did not, or wrong labels, or None."""
    wrong = find_relabelling(reference, current, LEVEL)
    if wrong is not None:
        return Concept((), True, describe_relabelling(wrong, "data", "the reference"))
    moved = find_changed_classes(reference, current, LEVEL)
    if not moved:
        return None
    classes = tuple(sorted(shift.class_id for shift in moved))
    named = ", ".join(map(str, classes[:MAX_NAMED_CLASSES]))
    more = len(classes) - MAX_NAMED_CLASSES
    named += f" and {more} more" if more > 0 else ""
    noun, verb = ("class", "looks") if len(classes) == 1 else ("classes", "look")
    return Concept(classes, False, f"{noun} {named} {verb} different, the others do not")

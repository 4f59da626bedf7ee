"""Concept shift: what is left where the features of single classes moved.

The operational definition of `detection.concept`: some classes look different
and the others do not, or the labels stopped belonging to the samples. Only with
labels on both sides. Its part is how much more those classes lost than the rest.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.labels.concept import find_changed_classes
from keras_shiftguard.detection.labels.relabelled import find_relabelling, describe_relabelling
from keras_shiftguard.profiles import LabelSummary

LEVEL = 0.01
MOST_NAMED = 3


@dataclass(frozen=True)
class Concept:
    """Classes that are not what they were.

    Args:
        classes: Their ids.
        everything: Whether labels are wrong altogether: then all that is left
            is explained by it.
        detail: In words.
    """

    classes: tuple[int, ...]
    everything: bool
    detail: str

    def points(
        self, before: np.ndarray, now: np.ndarray, shares: np.ndarray, left: np.ndarray
    ) -> np.ndarray:
        """The part of the gap that it explains, for each draw.

        Args:
            before: Accuracy of each class in the reference, `(..., classes)`.
            now: The same in the data, all other causes taken away.
            shares: How often each class should occur, `(classes,)`.
            left: What is left of the gap, `(...)`: never more than that.
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
    """The classes that moved on their own, or labels that are wrong altogether."""
    wrong = find_relabelling(reference, current, LEVEL)
    if wrong is not None:
        return Concept((), True, describe_relabelling(wrong, "data", "the reference"))
    moved = find_changed_classes(reference, current, LEVEL)
    if not moved:
        return None
    classes = tuple(sorted(shift.class_id for shift in moved))
    named = ", ".join(map(str, classes[:MOST_NAMED]))
    named += f" and {len(classes) - MOST_NAMED} more" if len(classes) > MOST_NAMED else ""
    noun, verb = ("class", "looks") if len(classes) == 1 else ("classes", "look")
    return Concept(classes, False, f"{noun} {named} {verb} different, the others do not")

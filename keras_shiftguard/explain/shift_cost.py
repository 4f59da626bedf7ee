"""What a difference between images costs, measured on labelled images.

Which operation makes the difference follows from the image attributes, without labels. It is
undone on validation, which is exact where nothing was lost (gain, gamma, whole pixels) and where
training is what was changed (noise that validation lacks). Otherwise it is replayed on training
images, whose accuracy drops as that of validation did. Where no single operation explains the
difference, the accuracy on training images that were seen only once is compared with that on
validation: before they are learnt by heart, both would be the same.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

import numpy as np

from keras_shiftguard.adaptation.augmentation.bank import Bank
from keras_shiftguard.detection.cost import SIGMAS, Cost, cost_of, gap_between
from keras_shiftguard.explain.style_search import DETAIL, GEOMETRY, LIGHT, Style, StyleSearch

# Share of the change of the attributes that an operation must make, to be replayed or undone.
MIN_REPLAYED, MIN_UNDONE = 0.7, 0.85
ENOUGH = 0.85  # share at which no other group of operations is tried
MARGIN = 0.05  # by which undoing may explain less than replaying, to be preferred
MIN_SAMPLES = 100  # labelled images
# How far from always naming the commonest class to perfect the model must be: one that has learnt
# nothing yet has nothing to lose.
MIN_LEARNT = 0.3
NO_STYLE = Style("", 0.0, 0.0, Bank(()), np.zeros(0), np.zeros(0))

Predict = Callable[[list[np.ndarray]], np.ndarray]  # from images in chunks to predicted classes


@dataclass(frozen=True)
class Labelled:
    """Labelled images as the model is fed them.

    Args:
        images: `(samples, ...)`, 4D.
        labels: Class ids, `(samples,)`.
    """

    images: np.ndarray
    labels: np.ndarray


class ShiftCost:
    """Measures what a difference costs, with any weights of the model.

    The search for the operation runs once.

    Args:
        current: Labelled images that have the difference. They were not trained on.
        reference: Labelled images without it, of training; None if there are none.
        moved: Difference of the mean of each attribute: the reference minus `current`, by name.
        unit: Standard deviation of each attribute between images of `current`, by name.
    """

    def __init__(
        self,
        current: Labelled,
        reference: Labelled | None,
        moved: dict[str, float],
        unit: dict[str, float],
    ) -> None:
        self.current, self.reference = current, reference
        # The same change again is what makes the reference look like `current`.
        other = current if reference is None else reference
        back = {name: -move for name, move in moved.items()}
        self.undo = _style(current.images, other.images, moved, unit)
        self.replay = _style(other.images, current.images, back, unit)
        # The value at the first visit, where only the accuracies were compared.
        self._by_accuracy: Cost | None = None

    def on(self, current: Labelled) -> "ShiftCost":
        """Returns the cost of the same difference, on other images."""
        same = copy(self)
        same.current = current
        return same

    def after(self, earlier: "ShiftCost | None") -> "ShiftCost":
        """Returns the cost, with what the accuracies said at the first visit."""
        if earlier is not None:
            self._by_accuracy = earlier._by_accuracy
        return self

    def measure(self, predict: Predict, is_first_visit: bool) -> Cost | None:
        """Returns the cost with the present weights; None if nothing tells.

        Args:
            predict: Runs the model in inference mode.
            is_first_visit: Whether the training images were seen only once.
        """
        images, labels, reference = self.current.images, self.current.labels, self.reference
        if len(labels) < MIN_SAMPLES:
            return None
        right = predict([images]) == labels
        gap = None
        if reference is not None and len(reference.labels) >= MIN_SAMPLES:
            before = predict([reference.images]) == reference.labels
            gap = gap_between(before, right)
            right_rate = max(float(before.mean()), float(right.mean()))
        else:
            right_rate = float(right.mean())
        commonest = float(np.bincount(labels).max() / len(labels))
        if right_rate < commonest + MIN_LEARNT * (1 - commonest):
            return None
        cost: Cost | None = None
        undoes = self.undo.explained >= MIN_UNDONE
        if undoes and self.undo.explained >= self.replay.explained - MARGIN:
            cost = cost_of(predict(self.undo.apply(images)) == labels, right)
        elif self.replay.explained >= MIN_REPLAYED:
            if reference is not None and gap is not None:
                changed = predict(self.replay.apply(reference.images))
                cost = cost_of(before, changed == reference.labels)
            else:  # the change is made once more on the images that have it
                cost = cost_of(right, predict(self.replay.apply(images)) == labels)
        if cost is not None:
            # Training may be learnt by heart, so that its accuracy bounds the cost from above.
            return cost if gap is None or cost.value < gap.interval[1] else gap
        if gap is None or is_first_visit or gap.value <= 0:
            self._by_accuracy = gap
        return self._by_accuracy


def _style(
    images: np.ndarray, others: np.ndarray, moved: dict[str, float], unit: dict[str, float]
) -> Style:
    """Returns the operation that moves the attributes of the images best; it may explain nothing.

    Args:
        images: The images.
        others: The other images that they are compared with, for black and white.
        moved: See `ShiftCost`.
        unit: See `ShiftCost`.
    """
    search = StyleSearch(images, (LIGHT, DETAIL, GEOMETRY), ENOUGH, others)
    style = None
    if search.spec is not None:
        wanted = np.array([moved.get(name, np.nan) for name in search.names])
        units = np.array([unit.get(name, 0.0) for name in search.names])
        style = search.find(wanted, units)
    return NO_STYLE if style is None else style


def cost_of_mix(
    right: np.ndarray, labels: np.ndarray, before: np.ndarray, now: np.ndarray
) -> Cost | None:
    """Returns what another class mix costs: the accuracy with the mix of the reference, minus that.

    Args:
        right: Whether each prediction is right, `(samples,)`.
        labels: Class ids, `(samples,)`.
        before: Counts of the classes in the reference, `(classes,)`.
        now: The same of the samples' stream.

    Returns:
        The cost; None if there are too few samples, or none of a class that the reference has.
    """
    width = max(len(before), len(now), int(labels.max(initial=0)) + 1)
    there, here = (np.pad(c, (0, width - len(c))) / max(c.sum(), 1) for c in (before, now))
    if len(labels) < MIN_SAMPLES or np.any((there > 0) & (here == 0)):
        return None
    weights = np.where(here > 0, there / np.where(here > 0, here, 1), 0)[labels]
    gains = (weights / max(weights.mean(), 1e-12) - 1) * right
    error = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    value = float(gains.mean())
    return Cost(value, (value - SIGMAS * error, value + SIGMAS * error), len(gains))

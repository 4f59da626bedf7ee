"""`ShiftCost`: the accuracy that a difference between images costs, measured on labelled images.

The image attributes show, without labels, which operation makes the difference. The cost of the
difference is measured in one of three ways:

- Undo the operation on validation images. This is exact if the operation loses nothing (gain,
  gamma, shifts by whole pixels). It is also exact if validation images only lack something that
  training images have, such as noise: to undo this, noise is added to the validation images. That
  proves a cost only if training is known not to be augmented.
- Otherwise replay the operation on training images: the accuracy on them then drops as much as the
  accuracy on validation.
- If no single operation explains the difference, compare the accuracy on training images that
  the model saw only once with that on validation. Without the difference, and before the model
  memorizes training images, both accuracies are the same.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from keras_shiftguard.adaptation.augmentation.bank import Bank
from keras_shiftguard.detection.causes.explanation import Explanation
from keras_shiftguard.detection.cost import MIN_SAMPLES, SIGMAS, Cost, cost_of, gap_between
from keras_shiftguard.explain.column_undo import cost_of_columns
from keras_shiftguard.explain.labelled import Labelled, Predict
from keras_shiftguard.explain.level_match import LevelMatch, match_levels
from keras_shiftguard.explain.style_search import DETAIL, GEOMETRY, LIGHT, Style, StyleSearch

# An operation is replayed or undone only if it explains this share of the attributes' change.
MIN_REPLAYED, MIN_UNDONE = 0.7, 0.85
# Operations that lose no information. If the accuracy rises when such an operation is undone, the
# operation did harm, even if the images differ in other ways too. So a smaller share of the change
# is enough.
LOSSLESS = frozenset(
    ("levels", "darker", "brighter", "less_contrast", "more_contrast", "gamma_up", "gamma_down")
)
MIN_UNDONE_LIGHT = 0.5
# If a gain and an offset, or the operations tried so far, explain this share of the attributes'
# change, the remaining groups of operations (`LIGHT`, `DETAIL`, `GEOMETRY`) are not tried.
SUFFICIENT_SHARE = 0.85
MOST_COLUMNS = 0.8  # if a larger share of the columns moved, all of a loss may be their cost
MARGIN = 0.05  # undoing is preferred if it explains at most this share less than replaying
# Smallest accuracy at which the cost is measured. On this scale, 0 is the accuracy of always
# predicting the commonest class, and 1 is perfect. A model that has learned nothing yet has no
# accuracy to lose. If 99 % of the samples are of one class, the mean accuracy of the classes can
# show earlier that the model has learned.
MIN_LEARNT = 0.3
NO_STYLE = Style("", 0.0, 0.0, Bank(()), np.zeros(0), np.zeros(0))


@dataclass(frozen=True)
class Visits:
    """How the model has seen the training images so far.

    Args:
        is_first: Whether the model has seen the images only once in this fit.
        was_trained: Whether the model may have seen the images before that, in an earlier fit or
            several times in one pass. It may then have memorized the images.
        is_unaugmented: Whether the images are known to be the same in every epoch.
        is_augmented: Whether the images are known to be augmented.
        lost_since_first: Accuracy on the images before the model was trained on them, minus that
            on the other stream, as Keras's metrics show it; None if that is not known.
    """

    is_first: bool = False
    was_trained: bool = False
    is_unaugmented: bool = False
    is_augmented: bool = False
    lost_since_first: Cost | None = None


class ShiftCost:
    """Measurement of the accuracy that a difference costs, for any weights of the model.

    Args:
        current: Labelled images with the difference, which the model was not trained on.
        reference: Labelled training images without the difference; None if there are none.
        moved: Difference of the mean of each attribute: the reference minus `current`, by name.
        unit: Standard deviation of each attribute between images of `current`, by name.
        columns: Of a table, the indices of the columns that differ, if nothing else does.

    Attributes:
        by_accuracy: Rough cost of any difference: the accuracy on the reference minus that on
            `current`. The value is updated while the model has seen the training images only once.
            Later it is updated only if the new value is smaller, or not above 0: images that were
            memorized can only make the difference larger. None if it was not measured.
        bound: Upper bound of the cost, if only that is known: the same difference, for a model that
            may have memorized the reference. None if the reference is augmented, because
            augmentation makes the images harder.
        is_too_early: Whether the model has so far learned too little for a cost to be measured.
    """

    def __init__(
        self,
        current: Labelled,
        reference: Labelled | None,
        moved: dict[str, float],
        unit: dict[str, float],
        columns: Sequence[int] = (),
    ) -> None:
        self.columns = columns
        self.current, self.reference = current, reference
        self.by_accuracy: Cost | None = None
        self.bound: Cost | None = None
        self.is_too_early = False
        self._moved, self._unit = moved, unit

    @cached_property
    def undo(self) -> Style | LevelMatch:
        """The operation that makes `current` look like the reference."""
        images, other = self.current.images, self.reference or self.current
        levels = self._levels
        if levels is not None and levels.explained >= SUFFICIENT_SHARE:
            return levels
        style = _style(images, other.images, self._moved, self._unit)
        return style if levels is None or style.explained >= levels.explained else levels

    @cached_property
    def replay(self) -> Style:
        """The operation that makes the reference look like `current`."""
        other = self.current if self.reference is None else self.reference
        back = {name: -move for name, move in self._moved.items()}
        return _style(other.images, self.current.images, back, self._unit)

    def on(self, current: Labelled) -> "ShiftCost":
        """Returns a measurement of the same difference on other images `current`."""
        same = copy(self)
        same.current = current
        return same

    def after(self, earlier: "ShiftCost | None") -> "ShiftCost":
        """Copies `by_accuracy` and `is_too_early` from an earlier measurement; returns self."""
        if earlier is not None:
            self.by_accuracy, self.is_too_early = earlier.by_accuracy, earlier.is_too_early
        return self

    @property
    def rough(self) -> Cost | None:
        """The rough cost: `by_accuracy`, or else its upper bound; None if neither is known."""
        return self.bound if self.by_accuracy is None else self.by_accuracy

    def measure(
        self, predict: Predict, visits: Visits, details: bool = True, is_last: bool = False
    ) -> Cost | None:
        """Returns the cost with the present weights; None if it cannot be measured.

        Args:
            predict: Runs the model in inference mode.
            visits: How the model has seen the images of the reference.
            details: Whether to search for an operation that explains the difference. If False,
                only the accuracies are compared.
            is_last: Whether no later measurement follows. The cost is then measured even if the
                model has learned little.
        """
        images, labels, reference = self.current.images, self.current.labels, self.reference
        if len(labels) < MIN_SAMPLES:
            return None
        right = predict([images]) == labels
        before, gap = None, None
        is_too_early = not has_learnt(right, labels)
        if reference is not None and len(reference.labels) >= MIN_SAMPLES:
            before = predict([reference.images]) == reference.labels
            is_too_early &= not has_learnt(before, reference.labels)
            if np.isin(labels, reference.labels).sum() >= MIN_SAMPLES:
                gap = gap_between(before, right, reference.labels, labels)
        # If the model had learned too little at the last measurement, it had memorized no image.
        # So it counts as having seen the images only once.
        was_trained = visits.was_trained and not self.is_too_early
        is_first_visit = visits.is_first or self.is_too_early
        self.is_too_early = is_too_early
        if self.is_too_early:
            if not is_last:
                return None
            if gap is not None and not visits.is_augmented:
                self.by_accuracy = gap  # nothing was memorized
            return self.rough
        # A model with many weights memorizes images that it has seen once. So its accuracy on
        # images that it had not seen must surely be higher than on the current ones as well.
        unseen = visits.lost_since_first
        is_refuted = gap is not None and unseen is not None and unseen.interval[0] <= 0
        was_trained |= is_refuted
        is_honest = is_first_visit and (not was_trained or gap is None or gap.interval[0] <= 0)
        is_unaugmented = visits.is_unaugmented
        # Without augmentation, the gap is an upper bound, so one that may be 0 proves no harm.
        is_small = gap is not None and (gap.value <= 0 or (is_unaugmented and gap.interval[0] <= 0))
        if gap is not None and (is_honest or is_small or self._is_less_than_before(gap)):
            self.by_accuracy = gap
        if gap is not None:
            is_bound = is_refuted or not visits.is_augmented
            self.bound = replace(gap, is_bound=True) if is_bound else None
        found = self._explained(predict, right, before) if details else None
        if found is None:
            harm = None if visits.is_first or not details else self._harm_of_levels(predict, right)
            return self.rough if harm is None else harm
        cost, explained, is_replayed = found
        if cost.is_bound:
            return self._limited(cost)
        if is_replayed and self.replay.operation in GEOMETRY and not is_unaugmented:
            # What looks like the operation may be the crops, turns and borders of augmentation.
            return self.rough
        is_undone = not (is_replayed or self.columns)
        if is_undone and self.undo.operation in DETAIL and not is_unaugmented:
            # The images lack the noise or blur of training, which may be augmentation. A model that
            # was trained on noisy images may be right more often if noise is added to others too.
            return self.rough
        if gap is not None and (is_unaugmented or not is_replayed):
            # The model may have memorized training images, so the gap is an upper bound of the
            # cost. This does not hold if augmentation makes these images harder.
            if cost.value > gap.interval[1]:
                return gap
            cost = cost.at_most(gap)
        rough = self.by_accuracy
        if rough is not None and rough.is_sure and rough.value > cost.interval[1]:
            return rough  # more is lost than the operation explains
        if explained < MIN_UNDONE and not is_replayed and cost.value <= 0:
            # Undoing did not raise the accuracy, perhaps only because the operation fits poorly.
            return self.rough
        return cost

    def _harm_of_levels(self, predict: Predict, right: np.ndarray) -> Cost | None:
        """Returns the cost of other levels, if the accuracy surely rises when they are undone.

        Augmentation of the reference changes other attributes as well. So the levels may explain
        only a small share of the difference, and the accuracy on the reference says little. But
        levels whose correction makes more predictions right do harm.
        """
        if self._levels is None:
            return None
        labels = self.current.labels
        cost = cost_of(predict(self._levels.apply(self.current.images)) == labels, right)
        return cost if cost.is_sure else None

    @cached_property
    def _levels(self) -> LevelMatch | None:
        """The gain and offset that come nearest to the levels of the reference."""
        images, reference = self.current.images, self.reference
        if reference is None or images.ndim != 4:
            return None
        return match_levels(images, reference.images, self._moved, self._unit)

    def _limited(self, bound: Cost) -> Cost | None:
        """Returns the rough cost, or an upper bound of the cost of the columns that differ.

        If more is lost than these columns can cost, they are not the cause: the model may know the
        reference by heart, or samples of the reference may belong together.
        """
        rough = self.by_accuracy
        is_most = len(self.columns) > MOST_COLUMNS * self.current.images.shape[1]
        if rough is not None and (is_most or rough.value <= bound.interval[1]):
            return rough
        known = [bound] if self.bound is None else [bound, self.bound]
        return min(known, key=lambda cost: cost.interval[1])

    def _is_less_than_before(self, gap: Cost) -> bool:
        return self.by_accuracy is not None and gap.value < self.by_accuracy.value

    def _explained(
        self, predict: Predict, right: np.ndarray, before: np.ndarray | None
    ) -> tuple[Cost, float, bool] | None:
        """Returns the cost of the operation that explains the difference; None without one.

        The operation on a table is another value of the columns that differ.

        `right` says for each image of `current` whether the model's prediction is right. `before`
        says the same for each image of the reference.

        Returns:
            The cost, the share of the difference that the operation explains, and whether it
            was replayed rather than undone.
        """
        images, labels = self.current.images, self.current.labels
        if self.columns:
            known = self.reference
            if known is None or images.ndim != 2 or images.dtype.kind != "f":
                return None
            found = cost_of_columns(predict, images, labels, known.images, self.columns)
            return found, 1.0, False
        needed = MIN_UNDONE_LIGHT if self.undo.operation in LOSSLESS else MIN_UNDONE
        undoes = self.undo.explained >= needed
        replays = self.replay.explained >= MIN_REPLAYED
        if undoes and (not replays or self.undo.explained >= self.replay.explained - MARGIN):
            cost = cost_of(predict(self.undo.apply(images)) == labels, right)
            return cost, self.undo.explained, False
        if not replays:
            return None
        if before is None or self.reference is None:  # apply the operation to `current` again
            cost = cost_of(right, predict(self.replay.apply(images)) == labels)
        else:
            changed = predict(self.replay.apply(self.reference.images))
            cost = cost_of(before, changed == self.reference.labels)
        return cost, self.replay.explained, True


def cost_of_step(
    predict: Predict, current: Labelled, step: Explanation, channels_first: bool
) -> Cost | None:
    """Returns the cost of a preprocessing step that only `current` has, by undoing the step.

    The result is None if there are fewer than `MIN_SAMPLES` images.

    Args:
        predict: Runs the model in inference mode.
        current: Labelled images with the step.
        step: The step that turns images like those of the reference into `current`.
        channels_first: Whether the channels are the second axis.
    """
    images, labels = current.images, current.labels
    if len(labels) < MIN_SAMPLES:
        return None
    shape = (-1, 1, 1) if channels_first else (-1,)
    scale, offset = step.scale.reshape(shape), step.offset.reshape(shape)
    undone = ((images - offset) / scale).astype("float32")
    if step.swapped:
        undone = np.flip(undone, 1 if channels_first else 3)
    right = predict([images]) == labels
    return cost_of(predict([np.ascontiguousarray(undone)]) == labels, right)


def _style(
    images: np.ndarray, others: np.ndarray, moved: dict[str, float], unit: dict[str, float]
) -> Style:
    """Returns the operation that comes nearest to a wanted change of the image attributes.

    If no operation makes such a change, the result is `NO_STYLE`, which explains nothing.

    The values of black and white are taken from both sets of images. For `moved` and `unit` see
    `ShiftCost`.
    """
    search = StyleSearch(images, (LIGHT, DETAIL, GEOMETRY), SUFFICIENT_SHARE, others)
    style = None
    if search.spec is not None:
        wanted = np.array([moved.get(name, np.nan) for name in search.names])
        units = np.array([unit.get(name, 0.0) for name in search.names])
        style = search.find(wanted, units)
    return NO_STYLE if style is None else style


def has_learnt(right: np.ndarray, labels: np.ndarray) -> bool:
    """Whether the accuracy, or the mean accuracy of the classes, is well above that of a constant.

    Args:
        right: Whether each prediction is right, `(samples,)`.
        labels: Class ids, `(samples,)`.
    """
    counts = np.bincount(labels)
    of_classes = np.bincount(labels, right)[counts > 0] / counts[counts > 0]
    rates = (right.mean(), counts.max() / len(labels)), (of_classes.mean(), 1 / len(of_classes))
    return any(bool(rate >= least + MIN_LEARNT * (1 - least)) for rate, least in rates)


def cost_of_mix(
    right: np.ndarray, labels: np.ndarray, before: np.ndarray, now: np.ndarray
) -> Cost | None:
    """Returns the cost of class frequencies that differ from those of the reference.

    The cost is the accuracy with the class frequencies of the reference, minus the accuracy with
    the class frequencies of the samples.

    Args:
        right: Whether each prediction is right, `(samples,)`.
        labels: Class ids, `(samples,)`, taken modulo the number of classes.
        before: Counts of the classes in the reference, `(classes,)`.
        now: Counts of the classes in the stream of the samples, `(classes,)`.

    Returns:
        The cost; None if there are too few samples, or if the stream lacks a class that the
        reference has.
    """
    width = max(len(before), len(now))
    there, here = (np.pad(c, (0, width - len(c))) / max(c.sum(), 1) for c in (before, now))
    if len(labels) < MIN_SAMPLES or np.any((there > 0) & (here == 0)):
        return None
    weights = np.where(here > 0, there / np.where(here > 0, here, 1), 0)[labels % width]
    weights = weights / max(weights.mean(), 1e-12)
    # The weights have a mean of 1, so a constant taken off `right` changes the error alone.
    gains = (weights - 1) * (right - (weights * right).mean())
    error = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    value = float(gains.mean())
    return Cost(value, (value - SIGMAS * error, value + SIGMAS * error), len(gains))

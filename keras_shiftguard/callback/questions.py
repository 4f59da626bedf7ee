"""Questions: differences whose cost cannot be measured, and that augmentation may explain.

A right training pipeline must be quiet. Augmentation makes training differ from validation. Where
an experiment measures the cost, the cost decides, see `Finding.with_cost`. Where none can be made
(no labels, no classifier, several inputs, two streams of which neither is validation), `Stage`
tells which differences augmentation of training may explain.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.causes.augmented import is_small, may_be
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.labels.relabelled import labels_at_random
from keras_shiftguard.profiles import InputProfile, LabelSummary

MIN_OF_CLASS = 20  # with fewer samples of a class, equal numbers may be chance


@dataclass(frozen=True)
class Stage:
    """What is known about the augmentation of training after an epoch.

    Args:
        may_be_augmented: Whether training is augmented, or no second pass has shown it yet.
        may_be_crops: Whether training may be crops: the model takes images of any size, and those
            of validation are larger.
        has_other_labels: Whether the class mix of training is meant to be another one: it has as
            many samples of each class, or its labels are probabilities, such as a teacher's.
    """

    may_be_augmented: bool
    may_be_crops: bool = False
    has_other_labels: bool = False

    def is_question(self, finding: Finding) -> bool:
        """Whether a finding on training and another stream raises no alarm."""
        if finding.family == "label" and self.has_other_labels:
            return True
        if self.may_be_crops and is_size(finding):
            return True
        if finding.cost_words:
            return finding.is_question
        return self.may_be_augmented and (may_be(finding) or _blames_training_labels(finding))


def is_change_of_augmentation(finding: Finding, loses_nothing: bool) -> bool:
    """Whether a finding on training and its first epoch shows no more than augmentation.

    Augmentation that draws once for a batch makes the epochs differ a little. They differ more if
    augmentation grows from epoch to epoch, and then validation must lose nothing.

    Args:
        finding: The finding.
        loses_nothing: Whether the differences of validation from training raise no alarm.
    """
    return may_be(finding) and (is_small(finding) or loses_nothing)


def is_size(finding: Finding) -> bool:
    """Whether a finding says that all images have another size."""
    return "/" not in finding.feature and finding.family == "resolution"


def _blames_training_labels(finding: Finding) -> bool:
    """Whether labels of training seem wrong: augmentation makes its classes look more alike too."""
    return labels_at_random("training") in finding.explanation


def are_larger(training: InputProfile, validation: InputProfile) -> bool:
    """Whether all images of validation are larger than those of training, in each input."""
    before, now = training.inputs, validation.inputs
    images = [name for name in before.keys() & now.keys() if now[name].is_image]
    return bool(images) and all(
        min(now[name].smallest_size) >= max(before[name].largest_size) for name in images
    )


def is_resampled(training: LabelSummary, validation: LabelSummary) -> bool:
    """Whether training has as many samples of each class, which validation has not.

    The numbers of training are more equal than chance makes them.
    """
    if not (training.are_classes and validation.are_classes):
        return False
    train, other = (each.counts[each.counts > 0] for each in (training, validation))
    are_many = len(train) > 1 and train.min() >= MIN_OF_CLASS
    return bool(are_many and np.ptp(train) <= 1 < np.ptp(other))

"""Questions: findings that are no alarms yet: augmentation or the next epoch may explain them.

A right training pipeline must be quiet. Augmentation makes training differ from validation, and a
model that has just begun to learn loses accuracy more easily. `Stage` decides from what is known
after an epoch. For a finding on validation and training, each reason stands in a method of its own.
"""

from dataclasses import dataclass

from keras_shiftguard.detection.causes.augmented import is_small, may_be
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.labels.relabelled import labels_at_random

LARGE_COST = 0.05  # a larger cost is an alarm at once; a smaller one only if it is found twice


@dataclass(frozen=True)
class Stage:
    """What is known about training after an epoch.

    Args:
        comes_again: Whether another epoch follows.
        is_first_visit: Whether training has had only one pass so far, without MixUp or CutMix.
        is_unaugmented: Whether training is known to have the same samples in every epoch.
        is_augmented: Whether the latest epoch showed augmentation.
        was_redrawn: Whether some epoch surely had changed samples.
        is_too_early: Whether the model has learned too little for shifts to cost accuracy.
        is_endless: Whether the epochs do not repeat the same samples.
        measures_costs: Whether costs decide what is an alarm.
        may_be_crops: Whether training may be crops: the model takes images of any size, and those
            of validation are larger.
        has_soft_labels: Whether labels of training are probabilities, perhaps those of a teacher.
        is_resampled: Whether training has as many samples of each class, and validation has not.
    """

    comes_again: bool
    is_first_visit: bool
    is_unaugmented: bool
    is_augmented: bool
    was_redrawn: bool
    is_too_early: bool
    is_endless: bool
    measures_costs: bool
    may_be_crops: bool
    has_soft_labels: bool = False
    is_resampled: bool = False

    def is_question(self, finding: Finding, is_new: bool) -> bool:
        """Whether a finding on validation and training raises no alarm yet.

        Args:
            finding: The finding.
            is_new: Whether it has a cost for an alarm only since this epoch.
        """
        return (
            self._may_be_augmentation(finding)
            or self._is_never_explained(finding)
            or self._awaits_learning(finding)
            or self._is_explained_by_known_augmentation(finding)
            or self._may_be_crops(finding)
            or self._counts_soft_labels(finding)
            or self._is_explained_by_resampling(finding)
            or self._must_be_found_again(finding, is_new)
        )

    def is_question_without_cost(self, finding: Finding) -> bool:
        """The same for two streams of which neither is validation, so that no cost is measured."""
        may_wait = self.comes_again if self.is_first_visit else self.is_augmented
        may_be_augmentation = may_be(finding) or _blames_training_labels(finding)
        return may_wait and not self.is_endless and may_be_augmentation

    def is_change_of_augmentation(self, finding: Finding, loses_nothing: bool) -> bool:
        """Whether a finding on training and its first epoch shows no more than augmentation.

        Augmentation that draws once for a batch makes the epochs differ a little. They differ more
        if augmentation grows from epoch to epoch, and then validation must lose nothing.

        Args:
            finding: The finding.
            loses_nothing: Whether the differences of validation from training are harmless.
        """
        return may_be(finding) and (is_small(finding) or loses_nothing)

    @property
    def _is_redrawn(self) -> bool:
        return self.is_augmented or self.was_redrawn

    def _may_be_augmentation(self, finding: Finding) -> bool:
        """A second pass will show whether training is augmented, or the cost is not sure.

        Without a second pass, the cost decides.
        """
        can_wait = self.comes_again if self.is_first_visit else not self.is_unaugmented
        if not can_wait or self.is_endless:
            return False
        moves_light = (self.is_first_visit and self.measures_costs) or self._is_redrawn
        if not may_be(finding, moves_light) and not _blames_training_labels(finding):
            return False
        if finding.cost is None:
            return True
        # In the first pass, the operation that was undone may be augmentation of training.
        may_be_refuted = finding.is_rough or self.is_first_visit
        return may_be_refuted and not (finding.harmless or finding.is_sure)

    def _is_never_explained(self, finding: Finding) -> bool:
        """No epoch follows that could show augmentation, and no cost was measured that could."""
        ends = self.is_first_visit and not self.comes_again
        if not ends or not self.measures_costs or self.is_endless:
            return False
        if _blames_training_labels(finding):
            return True
        return finding.cost is None and finding.family != "other" and may_be(finding)

    def _awaits_learning(self, finding: Finding) -> bool:
        """The model has learned too little, and small moves may turn out to cost nothing.

        So may other class frequencies and large moves of columns of a table: a column may move far
        without any effect on the model, the brightness of images not.
        """
        if not self.is_too_early:
            return False
        if self._is_redrawn and is_small(finding):
            return True
        if not self.comes_again or finding.cost is not None or finding.kind == "preprocessing":
            return False
        return finding.family in ("other", "label") or is_small(finding)

    def _is_explained_by_known_augmentation(self, finding: Finding) -> bool:
        """Training is augmented, and that may explain the cost or labels that seem wrong."""
        if not self._is_redrawn:
            return False
        if _blames_training_labels(finding):
            return True
        if finding.kind != "covariate" or finding.cost is None:
            return False
        return not (finding.harmless or finding.is_sure)

    def _may_be_crops(self, finding: Finding) -> bool:
        """All images are larger than those of training, which may be crops."""
        return self.may_be_crops and is_size(finding)

    def _counts_soft_labels(self, finding: Finding) -> bool:
        """The class mix of training is that of its largest probabilities.

        A teacher names other classes more often than the true labels do, and no label is wrong.
        """
        return self.has_soft_labels and finding.family == "label"

    def _is_explained_by_resampling(self, finding: Finding) -> bool:
        """Training was resampled so that its classes are equally frequent, and validation was not.

        This is a usual answer to rare classes. The model is then right less often on the frequent
        classes, which is meant.
        """
        return self.is_resampled and finding.family == "label"

    def _must_be_found_again(self, finding: Finding, is_new: bool) -> bool:
        """The cost is small, or the images are misplaced, and the model may only begin to learn.

        Augmentation that zooms or moves images to one side also makes a new model do better on
        images that are moved back. A model that has just begun to learn often prefers one class, so
        another class mix costs accuracy until it has learned more.
        """
        if not (self.comes_again and is_new) or finding.kind not in ("covariate", "label"):
            return False
        if finding.kind == "label" and finding.cost is not None:
            return not finding.harmless
        if finding.cost is None or finding.harmless:
            return False
        return finding.cost < LARGE_COST or finding.family == "geometry"


def is_size(finding: Finding) -> bool:
    """Whether a finding says that all images have another size."""
    return "/" not in finding.feature and finding.family == "resolution"


def _blames_training_labels(finding: Finding) -> bool:
    """Whether labels of training seem wrong: augmentation makes its classes look more alike too."""
    return labels_at_random("training") in finding.explanation

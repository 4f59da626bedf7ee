"""`AugmentedValidation`: finds random augmentation that was left on in validation."""

import numpy as np

from keras_shiftguard.detection.causes.same_samples import chance_of_same_labels, randomised
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.profiles import InputProfile
from tensorboard_plugin_shiftguard.metadata import FIRST_EPOCH

SHARE_OF_ALPHA = 0.1  # share of `alpha` for the finding


class AugmentedValidation:
    """Finds that validation has the same labels in every epoch, but not the same inputs.

    Different samples may have the same class counts by chance, more often if there are few
    classes. The probability of such a coincidence is the p-value, and the finding is reported
    only if this p-value is small. A pass with other counts shows that the passes do not repeat
    the same samples. If all classes have as many samples, a sampler may have drawn them so:
    this is a note, not a finding.

    Attributes:
        num_same: Number of passes with the class counts of the first pass. After a pass with other
            counts, this number stays 0.
        note: Note on validation with other samples in every epoch; empty without one.
    """

    def __init__(self) -> None:
        self.num_same = 1
        self.note = ""

    def look(
        self,
        first: InputProfile,
        latest: InputProfile,
        alpha: float,
        epoch: int | None,
        has_changed: bool,
    ) -> Finding | None:
        """Returns the finding after a pass; None without one.

        Args:
            first: Profile of the first pass over validation.
            latest: Profile of the latest pass.
            alpha: Probability of a false alarm in the whole fit.
            epoch: Epoch, counted from 1; None outside of a fit.
            has_changed: Whether a permanent change of the inputs is reported already.
        """
        if first is latest or self.num_same == 0:
            return None
        same = np.array_equal(first.labels.counts, latest.labels.counts)
        self.num_same = self.num_same + 1 if same else 0
        if not same or has_changed or not randomised(first, latest):
            return None
        shown = latest.labels.counts[latest.labels.counts > 0]
        if np.all(shown == shown[0]):
            self.note = (
                "validation has the same number of samples of each class in every epoch, but not "
                "the same inputs: random augmentation is on in validation, or a sampler draws as "
                "many samples of each class"
            )
            return None
        p_value = chance_of_same_labels(latest.labels, self.num_same, latest.distinct_share)
        if p_value > SHARE_OF_ALPHA * alpha:
            return None
        return Finding(
            feature="augmentation",
            kind="preprocessing",
            family="augmentation",
            effect_size=1.0,  # the share of the samples that are changed
            interval=(1.0, 1.0),
            p_value=p_value,
            stream="validation",
            against=FIRST_EPOCH,
            since=epoch,
            explanation=(
                "Validation has the same labels in every epoch but not the same inputs: random "
                "augmentation is on in validation"
            ),
        )

"""`LabelSummary`: the labels of a stream, and the moments of its inputs by class."""

from dataclasses import dataclass, field, replace

import numpy as np

from keras_shiftguard.profiles.embedding import NUM_DIRECTIONS
from keras_shiftguard.profiles.features import FeatureTable
from keras_shiftguard.profiles.moments import Moments

# Class ids are counted modulo this number, so up to this many classes have separate counts. A
# convention.
MAX_CLASSES = 1024
# The moments of the inputs are stored for each class id modulo this number. A convention.
MAX_CLASSES_EMBEDDED = 128
# The samples count as mixed if a larger share of labels are mixtures. A convention.
MIN_MIXED_SHARE = 0.05


@dataclass(frozen=True)
class LabelSummary:
    """Class frequencies of labels, and moments of labels as regression targets.

    Both are measured, because only the data show whether labels are classes.
    `statistics/classes.py` defines which labels are class ids.

    Args:
        num_samples: Number of samples with a label.
        num_ids: Number of labels that are class ids.
        counts: Number of labels by class id modulo `MAX_CLASSES`,
            `(MAX_CLASSES,)`, int64.
        width: Number of columns of the labels; 1 for labels of one dimension.
        targets: The columns of the labels as numbers, for regression.
        by_class: Moments of the random projections of the first input (along
            `embedding.directions`) for each class id modulo `MAX_CLASSES_EMBEDDED`,
            `(MAX_CLASSES_EMBEDDED, NUM_DIRECTIONS)`, to find what follows from another class mix.
        num_mixed: Number of labels that are mixtures of two classes, as MixUp and CutMix make
            them.
    """

    num_samples: int = 0
    num_ids: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(MAX_CLASSES, "int64"))
    width: int = 0
    targets: FeatureTable = field(default_factory=FeatureTable)
    by_class: Moments = field(
        default_factory=lambda: Moments.empty(MAX_CLASSES_EMBEDDED, NUM_DIRECTIONS)
    )

    num_mixed: int = 0

    @property
    def are_mixed(self) -> bool:
        """Whether samples were mixed, as by MixUp or CutMix; a few mixtures are ignored."""
        return self.num_mixed > MIN_MIXED_SHARE * max(self.num_samples, 1)

    @property
    def are_classes(self) -> bool:
        """Whether the labels are class ids rather than numbers."""
        return self.num_samples > 0 and self.num_ids == self.num_samples

    def as_numbers(self) -> "LabelSummary":
        """Returns the summary of the same labels as targets of a regression, such as ages."""
        return replace(self, num_ids=0)

    def __add__(self, other: "LabelSummary") -> "LabelSummary":
        if not other.num_samples or not self.num_samples:
            return self if not other.num_samples else other
        return LabelSummary(
            self.num_samples + other.num_samples,
            self.num_ids + other.num_ids,
            self.counts + other.counts,
            self.width,
            self.targets + other.targets,
            self.by_class + other.by_class,
            self.num_mixed + other.num_mixed,
        )

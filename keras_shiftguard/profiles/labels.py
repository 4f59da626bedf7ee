"""The labels of a stream, and what the classes look like."""

from dataclasses import dataclass, field

import numpy as np

from keras_shiftguard.profiles.embedding import NUM_DIRECTIONS
from keras_shiftguard.profiles.features import FeatureTable
from keras_shiftguard.profiles.moments import Moments

# Class ids are counted modulo this; so many classes are told apart exactly.
MAX_CLASSES = 1024
# So many classes (ids modulo this) have their own embedding.
MAX_CLASSES_EMBEDDED = 128


@dataclass(frozen=True)
class LabelSummary:
    """Labels: class frequencies, or the numbers of a regression.

    Whether labels are classes shows only in the data, so both are counted:
    one-hot rows and whole numbers from 0 are class ids, the rest are numbers.

    Args:
        num_samples: Samples that had a label.
        num_ids: How many of the labels were class ids (whole, not negative,
            one a sample, or one-hot).
        counts: By class id modulo `MAX_CLASSES`, `(MAX_CLASSES,)` int64.
        width: Columns of the label: 1 for ids and numbers, else of `y`.
        targets: The columns of the label as numbers: for regression.
        by_class: Moments of the input's random projections (of
            `embedding.directions`) by class, `(MAX_CLASSES_EMBEDDED,
            NUM_DIRECTIONS)`: for concept shift. Of the first input.
    """

    num_samples: int = 0
    num_ids: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(MAX_CLASSES, "int64"))
    width: int = 0
    targets: FeatureTable = field(default_factory=FeatureTable)
    by_class: Moments = field(
        default_factory=lambda: Moments.empty(MAX_CLASSES_EMBEDDED, NUM_DIRECTIONS)
    )

    @property
    def are_classes(self) -> bool:
        """Whether the labels are class ids rather than numbers."""
        return self.num_samples > 0 and self.num_ids == self.num_samples

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
        )

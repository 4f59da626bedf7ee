"""`OutputSummary`: a model's predictions and activations on a stream."""

from dataclasses import dataclass, field

import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.profiles.embedding import MeanEmbedding
from keras_shiftguard.profiles.features import FeatureTable

# With up to this many classes, there is a confusion matrix, which black-box shift estimation needs,
# and a histogram of the probability of each class. A convention.
MAX_CLASSES_IN_CONFUSION = 62


@dataclass(frozen=True)
class OutputSummary:
    """Predictions and the activations of one layer, in inference mode.

    Args:
        weights: Fingerprint of the model's weights. Outputs made with different
            weights differ without any shift, so they are never compared.
        num_classes: Number of classes of the model; 0 for regression.
        features: Per-sample features: `"confidence"` (largest probability),
            `"entropy"` (nats), and for up to `MAX_CLASSES_IN_CONFUSION` classes
            `"probability/<class>"`; for regression the outputs themselves.
        predicted: How often each class was predicted, `(num_classes,)`.
        confusion: Counts of (label, prediction) of labeled samples,
            `(num_classes, num_classes)`; `(0, 0)` if there are more than
            `MAX_CLASSES_IN_CONFUSION` classes.
        labelled: Number of labeled samples of each class, `(num_classes,)`; empty if there
            is a confusion matrix.
        right: Number of these samples that were predicted correctly, `(num_classes,)`; empty
            if there is a confusion matrix.
        layer: Name of the layer whose activations are embedded; "" for none.
        embedding: Mean embedding of those activations.
    """

    weights: str = ""
    num_classes: int = 0
    features: FeatureTable = field(default_factory=FeatureTable)
    predicted: np.ndarray = field(default_factory=lambda: np.zeros(0, "int64"))
    confusion: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), "int64"))
    layer: str = ""
    embedding: MeanEmbedding = field(default_factory=MeanEmbedding)
    labelled: np.ndarray = field(default_factory=lambda: np.zeros(0, "int64"))
    right: np.ndarray = field(default_factory=lambda: np.zeros(0, "int64"))

    @property
    def num_samples(self) -> int:
        """Number of samples on which the model was run."""
        return self.features.num_samples

    @property
    def accuracy(self) -> float:
        """Accuracy on the labeled samples, in [0, 1]; NaN if there are none."""
        total = self.labelled_by_class.sum()
        return float(self.right_by_class.sum() / total) if total else float("nan")

    @property
    def labelled_by_class(self) -> np.ndarray:
        """Number of labeled samples of each class; empty if they were not counted."""
        return self.confusion.sum(axis=1) if self.confusion.size else self.labelled

    @property
    def right_by_class(self) -> np.ndarray:
        """Number of labeled samples of each class that were predicted correctly."""
        return np.diagonal(self.confusion) if self.confusion.size else self.right

    def __add__(self, other: "OutputSummary") -> "OutputSummary":
        if not other.num_samples or not self.num_samples:
            return self if not other.num_samples else other
        if (self.weights, self.layer) != (other.weights, other.layer):
            raise BadInputError(
                "Profiles of a model's outputs cannot be merged: they were made with "
                "different weights or layers "
                f"({self.layer or 'none'!r} and {other.layer or 'none'!r})."
            )
        return OutputSummary(
            self.weights,
            self.num_classes,
            self.features + other.features,
            self.predicted + other.predicted,
            self.confusion + other.confusion,
            self.layer,
            self.embedding + other.embedding,
            # Files of older versions lack these counts; then the sum lacks them as well.
            *(
                a + b if len(a) == len(b) else np.zeros(0, "int64")
                for a, b in ((self.labelled, other.labelled), (self.right, other.right))
            ),
        )

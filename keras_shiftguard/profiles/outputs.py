"""What a model says about a stream, with the weights it had then."""

from dataclasses import dataclass, field

import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.profiles.embedding import MeanEmbedding
from keras_shiftguard.profiles.features import FeatureTable

# Up to so many classes get a histogram of their probability, a row of the
# confusion matrix, and a place in black-box shift estimation.
MAX_CLASSES_KEPT = 62


@dataclass(frozen=True)
class OutputSummary:
    """Predictions and the activations of one layer, in inference mode.

    Args:
        weights: Fingerprint of the model's weights. Outputs made with other
            weights differ without any shift and are never compared.
        num_classes: Classes that the model tells apart; 0 for regression.
        features: One value a sample: `"confidence"` (largest probability),
            `"entropy"` (nats), and for up to `MAX_CLASSES_KEPT` classes
            `"probability/<class>"`; for regression the outputs themselves.
        predicted: How often each class was predicted, `(num_classes,)`.
        confusion: `(num_classes, num_classes)` counts of (label, prediction)
            where labels were there; `(0, 0)` past `MAX_CLASSES_KEPT`.
        labelled: Labelled samples of each class, `(num_classes,)`, however many
            classes there are; empty where that was not counted.
        right: How many of them were predicted rightly, `(num_classes,)`.
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
        return self.features.num_samples

    @property
    def accuracy(self) -> float:
        """Of the labelled samples; NaN where there were none."""
        total = self.labelled_by_class.sum()
        return float(self.right_by_class.sum() / total) if total else float("nan")

    @property
    def labelled_by_class(self) -> np.ndarray:
        """Labelled samples of each class; empty where there is no count."""
        return self.confusion.sum(axis=1) if self.confusion.size else self.labelled

    @property
    def right_by_class(self) -> np.ndarray:
        """How many of `labelled_by_class` were predicted rightly."""
        return np.diagonal(self.confusion) if self.confusion.size else self.right

    def __add__(self, other: "OutputSummary") -> "OutputSummary":
        if not other.num_samples or not self.num_samples:
            return self if not other.num_samples else other
        if (self.weights, self.layer) != (other.weights, other.layer):
            raise BadInputError(
                "Profiles of a model's outputs cannot be merged: they were made with other "
                f"weights or layers ({self.layer or 'none'!r} and {other.layer or 'none'!r})."
            )
        return OutputSummary(
            self.weights,
            self.num_classes,
            self.features + other.features,
            self.predicted + other.predicted,
            self.confusion + other.confusion,
            self.layer,
            self.embedding + other.embedding,
            # A file from before these were counted has none: then the sum has none.
            *(
                a + b if len(a) == len(b) else np.zeros(0, "int64")
                for a, b in ((self.labelled, other.labelled), (self.right, other.right))
            ),
        )

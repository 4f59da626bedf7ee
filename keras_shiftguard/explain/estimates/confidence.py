"""Estimate of an accuracy without labels, from the confidence of the model.

With labelled reference data, the estimate is the share of the samples above a threshold of the
confidence (ATC). If only accuracy and mean confidence of the reference are known, it is the
reference accuracy plus the difference of the mean confidences (DoC).

Reference: Garg et al., "Leveraging unlabeled data to predict out-of-distribution
performance", ICLR 2022; Guillory et al., "Predicting with confidence on unseen
distributions", ICCV 2021.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.explain.estimates.unlabelled_scores import confidence_threshold
from keras_shiftguard.explain.predictions import Predictions
from keras_shiftguard.explain.reference import Reference

BY_BOTH = "No labels: the accuracy is an estimate from confidences."
BY_OFFSET = "No labels: the accuracy is estimated from the difference of the mean confidences."
BY_CONFIDENCE = (
    "No labels and no labelled reference: the accuracy is estimated as the mean confidence, "
    "which most models overstate."
)


@dataclass(frozen=True)
class Calibration:
    """Maps the confidence of a prediction to the probability that it is right."""

    note: str  # sentence for the report about how the accuracy is estimated
    # Accuracy minus mean confidence of the reference; 0 if not known. Without a threshold, the
    # offset is added to each confidence.
    offset: float = 0.0
    # Confidence above which a prediction counts as right; None if the confidence of each reference
    # sample is not known.
    threshold: float | None = None

    def scores(self, predictions: Predictions) -> np.ndarray:
        """Returns the estimated probability that each prediction is right, `(samples,)`."""
        if self.threshold is None:
            return predictions.confidence + self.offset
        return (predictions.confidence > self.threshold).astype("float64")

    def doubt(self, predictions: Predictions) -> float:
        """Returns the distance between the accuracies by threshold and by offset; 0 with one."""
        by_offset = predictions.confidence.mean() + self.offset
        return abs(float(self.scores(predictions).mean() - by_offset))


def calibrate(reference: Reference) -> Calibration:
    """Returns the calibration that fits the confidence and accuracy of the reference."""
    accuracy, confidence = reference.accuracy, reference.confidence
    if accuracy is None or confidence is None:
        return Calibration(BY_CONFIDENCE)
    if reference.predictions is None:
        return Calibration(BY_OFFSET, accuracy - confidence)
    threshold = confidence_threshold(reference.predictions.confidence, accuracy)
    return Calibration(BY_BOTH, accuracy - confidence, threshold)

"""Estimate of an accuracy without labels, from the confidence of the model.

With labelled reference data, a threshold of confidence is chosen so that the share of reference
samples above the threshold equals the accuracy on the reference. The share of the data above the
same threshold is the estimate. If only accuracy and mean confidence of the reference are known, the
estimate is the reference accuracy plus the difference of the mean confidences.

Reference: Garg et al., "Leveraging unlabeled data to predict out-of-distribution
performance", ICLR 2022; Guillory et al., "Predicting with confidence on unseen
distributions", ICCV 2021.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.explain.predictions import Predictions
from keras_shiftguard.explain.reference import Reference


@dataclass(frozen=True)
class Calibration:
    """Maps the confidence of a prediction to the probability that it is right.

    Args:
        threshold: Confidence above which a prediction counts as right; None if the
            confidence of each reference sample is not known.
        offset: Accuracy minus mean confidence of the reference; 0 if not known. Without a
            threshold, the offset is added to each confidence.
        note: Sentence for the report about how the accuracy is estimated.
    """

    threshold: float | None
    offset: float
    note: str

    def scores(self, predictions: Predictions) -> np.ndarray:
        """Returns the estimated probability that each prediction is right, `(samples,)`."""
        if self.threshold is None:
            return predictions.confidence + self.offset
        return (predictions.confidence > self.threshold).astype("float64")

    def doubt(self, predictions: Predictions) -> float:
        """Returns the distance between the estimates of the accuracy by threshold and by offset.

        The distance is 0 without a threshold.
        """
        if self.threshold is None:
            return 0.0
        by_offset = predictions.confidence.mean() + self.offset
        return abs(float(self.scores(predictions).mean() - by_offset))


def calibrate(reference: Reference) -> Calibration:
    """Returns the calibration that fits the confidence and accuracy of the reference."""
    predictions, samples = reference.predictions, reference.samples
    if predictions is not None and samples is not None and samples.labels is not None:
        right = predictions.right(samples.labels)
        wrong = 1 - right.mean()
        # The share of samples at or below the threshold is the share of wrong predictions. If
        # no prediction is wrong, the threshold is -1, below any confidence.
        threshold = float(np.quantile(predictions.confidence, wrong)) if wrong > 0 else -1.0
        offset = float(right.mean() - predictions.confidence.mean())
        return Calibration(
            threshold, offset, "No labels: the accuracy is an estimate from confidences."
        )
    if reference.confidence is not None and reference.accuracy is not None:
        return Calibration(
            None,
            reference.accuracy - reference.confidence,
            "No labels: the accuracy is estimated from the difference of the mean confidences.",
        )
    return Calibration(
        None,
        0.0,
        "No labels and no labelled reference: the accuracy is estimated as the mean confidence, "
        "which most models overstate.",
    )

"""Accuracy without labels: an estimate from how sure the model is.

With the samples of a labelled reference, the threshold on the confidence above
which as many of them lie as are right; the share of the data above it is the
estimate. With a mean confidence only, the difference of the confidences.

Reference: Garg et al., "Leveraging unlabeled data to predict out-of-distribution
performance", ICLR 2022; Guillory et al., "Predicting with confidence on unseen
distributions", ICCV 2021.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.explain.predictions import Said
from keras_shiftguard.explain.reference import Reference


@dataclass(frozen=True)
class Calibration:
    """How a confidence becomes the chance of being right.

    Args:
        threshold: Confidence from which an answer counts as right; None where
            only a mean confidence is known.
        offset: What is added to a confidence otherwise.
        note: What it rests on.
    """

    threshold: float | None
    offset: float
    note: str

    def scores(self, said: Said) -> np.ndarray:
        """The estimated chance of each answer to be right, `(samples,)`."""
        if self.threshold is None:
            return said.confidence + self.offset
        return (said.confidence > self.threshold).astype("float64")

    def doubt(self, said: Said) -> float:
        """How far two ways of estimating the accuracy are apart."""
        if self.threshold is None:
            return 0.0
        return abs(float(self.scores(said).mean() - (said.confidence.mean() + self.offset)))


def calibrate(reference: Reference) -> Calibration:
    """Learns from the reference how sure the model is when it is right."""
    said, samples = reference.said, reference.samples
    if said is not None and samples is not None and samples.labels is not None:
        right = said.right(samples.labels)
        wrong = 1 - right.mean()
        # As many lie at or below the threshold as are wrong.
        threshold = float(np.quantile(said.confidence, wrong)) if wrong > 0 else -1.0
        offset = float(right.mean() - said.confidence.mean())
        return Calibration(
            threshold, offset, "No labels: the accuracy is an estimate from confidences."
        )
    if reference.confidence is not None and reference.accuracy is not None:
        return Calibration(
            None,
            reference.accuracy - reference.confidence,
            "No labels: the accuracy is an estimate, the difference of mean confidences.",
        )
    return Calibration(
        None,
        0.0,
        "No labels and no labelled reference: the accuracy is estimated as the mean confidence, "
        "which most models overstate.",
    )

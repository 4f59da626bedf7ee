"""`SeveralLabels`: the likelihood of several labels a sample, each of which may be there or not."""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.account.likelihoods.classes import POWERS, SMALLEST
from keras_shiftguard.detection.gap_row import ACCURACY


@dataclass(frozen=True)
class SeveralLabels:
    """Labels are 0 or 1, `(samples, labels)`, and outputs one probability each.

    The metric is the share of the labels that are right, as Keras's `"binary_accuracy"`.
    """

    metric: str = ACCURACY

    def fit(self, outputs: np.ndarray, y: np.ndarray) -> float:
        """Returns the temperature that makes the labels likeliest."""
        found = [float(self.log(outputs, y, power).mean()) for power in POWERS]
        return float(POWERS[int(np.argmax(found))])

    def log(self, outputs: np.ndarray, y: np.ndarray, fitted: float) -> np.ndarray:
        """Returns the log-likelihood of the labels of each sample, `(samples,)`."""
        p = np.clip(outputs, SMALLEST, 1 - SMALLEST)
        yes, no = p**fitted, (1 - p) ** fitted
        right = np.where(y > 0.5, yes, no) / (yes + no)
        return np.asarray(np.log(right).sum(axis=1))

    def worth(self, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Returns the share of right labels of each sample, `(samples,)`."""
        return np.asarray(((outputs > 0.5) == (y > 0.5)).mean(axis=1))

"""`Classes`: the likelihood of class ids, with a temperature and the class mix of the samples."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_shiftguard.detection.gap_row import ACCURACY
from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies

SMALLEST = 1e-6  # probability, so that one wild sample says little. A convention.
POWERS = np.exp(np.linspace(np.log(0.02), np.log(4.0), 28))  # temperatures tried. A convention.
MIN_P_OF_MIX = 0.01  # a larger p-value is no other class mix. A convention.


@dataclass(frozen=True)
class Classes:
    """Labels are class ids, `(samples,)`, and outputs probabilities, `(samples, classes)`.

    Whatever makes an overconfident model doubt (blur, noise, random labels) makes labels likelier.
    So each rival has a temperature of its own, fitted on the half that chose. And where validation
    has other class frequencies, whatever pushes predictions towards them wins. So all are judged
    with the frequencies of that half as the prior.

    Args:
        counts: Number of labels of each class in training, `(classes,)`; None if unknown.
    """

    counts: np.ndarray | None = None
    metric: str = ACCURACY

    def fit(self, outputs: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
        """Returns the temperature and the weights of the classes that make the labels likeliest."""
        weights = self._weights(y, outputs.shape[1])
        rows = np.arange(len(y))
        logs = np.log(np.maximum(outputs, SMALLEST))
        found = []
        for power in POWERS:
            z = power * logs + np.log(weights)
            z -= z.max(axis=1, keepdims=True)
            found.append(float((z[rows, y] - np.log(np.exp(z).sum(axis=1))).mean()))
        return float(POWERS[int(np.argmax(found))]), weights

    def tempered(self, outputs: np.ndarray, fitted: tuple[float, np.ndarray]) -> np.ndarray:
        """Returns the probabilities with a temperature and weights of classes."""
        power, weights = fitted
        z = power * np.log(np.maximum(outputs, SMALLEST)) + np.log(weights)
        z = np.exp(z - z.max(axis=1, keepdims=True))
        return np.asarray(z / z.sum(axis=1, keepdims=True))

    def log(self, outputs: np.ndarray, y: np.ndarray, fitted: Any) -> np.ndarray:
        """Returns the log-likelihood of each label, `(samples,)`."""
        found = self.tempered(outputs, fitted)[np.arange(len(y)), y]
        return np.asarray(np.log(found + SMALLEST))

    def worth(self, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Returns 1 for each right prediction, else 0, `(samples,)`."""
        known = np.isfinite(outputs).all(axis=1)
        return (known & (np.nan_to_num(outputs).argmax(axis=1) == y)).astype("float64")

    def _weights(self, y: np.ndarray, classes: int) -> np.ndarray:
        """Returns how much more frequent each class is than in training; ones if it is chance."""
        if self.counts is None:
            return np.ones(classes)
        here, there = np.bincount(y, minlength=classes), self.counts
        number = max(len(here), len(there))
        here, there = (np.pad(each, (0, number - len(each))) for each in (here, there))
        test = compare_frequencies(here, there)
        if test.tested and test.p_value > MIN_P_OF_MIX:
            return np.ones(classes)
        shares = (here + 0.5) / here.sum() / ((there + 0.5) / there.sum())
        return np.asarray(shares[:classes])

"""`Numbers`: the likelihood of numbers to predict, normal with a scale of their own."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Squared deviations count up to this, so that one wild sample says little. A convention.
MOST = 100.0


@dataclass(frozen=True)
class Numbers:
    """Labels and outputs are numbers, `(samples, numbers)`.

    Args:
        loss: A function of outputs and labels that returns the loss of each sample, `(samples,)`.
        metric: Name of the loss.
        unit: The loss that counts as 1.
    """

    loss: Callable[[np.ndarray, np.ndarray], np.ndarray]
    metric: str
    unit: float = 1.0

    def fit(self, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Returns the typical deviation of each number."""
        return np.asarray(np.sqrt(np.mean((y - outputs) ** 2, axis=0)) + 1e-12)

    def log(self, outputs: np.ndarray, y: np.ndarray, fitted: np.ndarray) -> np.ndarray:
        """Returns the log-likelihood of the numbers of each sample, `(samples,)`."""
        squared = np.minimum(((y - outputs) / fitted) ** 2, MOST)
        return np.asarray((-np.log(fitted) - squared / 2).sum(axis=1))

    def worth(self, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Returns minus the loss of each sample, in units, `(samples,)`."""
        return -np.asarray(self.loss(outputs, y), "float64") / self.unit

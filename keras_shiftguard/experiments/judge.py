"""`Judge`: how predictions are judged, in the unit that the user watches.

Experiments need two numbers for each sample. One chooses between operations, so it must be smooth:
the log-likelihood of the label. The other one is what is promised, in the user's unit: whether the
prediction is right, or the loss.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

# A probability below this counts as this one, so that one wild sample says little. A convention.
LEAST_PROBABILITY = 0.01
MOST_LOSS = 100.0  # a loss above so many times the usual one counts as this. A convention.


@dataclass(frozen=True)
class Accuracy:
    """Judgement of a classifier: outputs are class probabilities, labels are class ids."""

    metric: str = "accuracy"

    def likelihood(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Returns the number that chooses an operation, `(samples,)`; larger is better."""
        of_label = outputs[np.arange(len(labels)), labels]
        return np.log(np.nan_to_num(of_label) + LEAST_PROBABILITY)

    def worth(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Returns the number that is promised, `(samples,)`; larger is better."""
        known = np.isfinite(outputs).all(axis=1)
        return (known & (np.nan_to_num(outputs).argmax(axis=1) == labels)).astype("float64")

    def both(self, outputs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns worth and likelihood."""
        return self.worth(outputs, labels), self.likelihood(outputs, labels)

    def unit(self, worth: np.ndarray) -> float:
        """Returns the gain that counts as 1, from the worth of all samples as they are."""
        return 1.0


@dataclass(frozen=True)
class Loss:
    """Judgement by a loss: a gain is a share of the loss of the samples as they are.

    Args:
        of_samples: A function of outputs and labels that returns the loss of each sample,
            `(samples,)`. What it takes as outputs may be the samples themselves, so that a model
            with large outputs runs batch by batch.
        metric: Name of the loss.
        scale: Usual size of the loss, so that its unit does not matter.
    """

    of_samples: Callable[[Any, Any], np.ndarray]
    metric: str = "loss"
    scale: float = 1.0

    def likelihood(self, outputs: Any, labels: Any) -> np.ndarray:
        return self.both(outputs, labels)[1]

    def both(self, outputs: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
        """Returns worth and likelihood; the model may run in `of_samples`, so it is called once."""
        worth = self.worth(outputs, labels)
        # A few wild samples say little, as the least probability makes them for a classifier. But
        # rare large losses must count: those of rare classes, for example.
        losses = -worth / max(abs(self.scale), 1e-12)
        return worth, -np.minimum(losses, MOST_LOSS)

    def worth(self, outputs: Any, labels: Any) -> np.ndarray:
        largest = float(np.finfo("float32").max)
        losses = np.asarray(self.of_samples(outputs, labels), dtype=np.float64)
        return -np.where(np.isfinite(losses), losses, largest)

    def unit(self, worth: np.ndarray) -> float:
        return max(float(-worth.mean()), 1e-12)


Judge = Accuracy | Loss

"""`Losses`: any other compiled loss, judged sample by sample as it is."""

from dataclasses import dataclass
from typing import Any

import numpy as np

MOST = 100.0  # a loss above so many times the usual one counts as this. A convention.


@dataclass(frozen=True)
class Losses:
    """The outputs are the losses themselves, `(samples,)`: masks, series, several outputs.

    Args:
        metric: Name of the loss.
        unit: The loss that counts as 1.
    """

    metric: str
    unit: float = 1.0

    def fit(self, outputs: np.ndarray, y: Any) -> None:
        """Returns None: a loss has nothing to fit."""

    def log(self, outputs: np.ndarray, y: Any, fitted: None) -> np.ndarray:
        """Returns minus the loss of each sample in units, of wild samples at most `MOST`."""
        return -np.minimum(np.nan_to_num(outputs, nan=1e30) / self.unit, MOST)

    def worth(self, outputs: np.ndarray, y: Any) -> np.ndarray:
        """Returns minus the loss of each sample, in units, `(samples,)`."""
        return -np.nan_to_num(np.asarray(outputs, "float64"), nan=1e30) / self.unit

"""`FirstPassAccuracy`: training accuracy on samples that the model has not seen before.

Keras measures the training accuracy of a batch before the step that trains on the batch. In the
first pass over the samples, this accuracy is therefore honest: no sample can be memorized. It is
read from Keras's logs, so it costs nothing, but it is there only if the model is compiled with an
accuracy metric. Dropout and augmentation make it lower, not higher.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_shiftguard.detection.cost import SIGMAS, Cost

# Names of accuracy metrics in Keras's logs.
NAMES = (
    *("accuracy", "acc", "sparse_categorical_accuracy"),
    *("categorical_accuracy", "binary_accuracy"),
)
LAST_PART = 0.25  # the accuracy is that of this last part of the pass


class FirstPassAccuracy:
    """Accuracy of the last batches of the first pass over training, each before its step.

    If the number of batches is not known, the accuracy is that of the whole pass, which is lower,
    because the model has learned less in its first batches.

    Args:
        steps: Number of training batches of the pass; None if unknown.
    """

    def __init__(self, steps: int | None) -> None:
        self._begin = 0 if steps is None else round((1 - LAST_PART) * steps)
        self._before: tuple[int, float] = 0, 0.0  # batches before the last part, their accuracy
        self._batches = 0

    def add(self, batch: int, logs: Mapping[str, Any] | None) -> None:
        """Reads the logs of a batch.

        Args:
            batch: Index of the batch, counted from 0.
            logs: Keras's logs: means over the batches so far.
        """
        self._batches = batch + 1
        if self._batches <= self._begin and (name := _name(logs or {})):
            self._before = self._batches, float((logs or {})[name])

    def read(self, logs: Mapping[str, Any], num_samples: int) -> tuple[float, float] | None:
        """Returns the accuracy and its standard error; None without an accuracy metric.

        Args:
            logs: Keras's logs at the end of the epoch.
            num_samples: Number of samples of the pass.
        """
        name, (skipped, before) = _name(logs), self._before
        left = self._batches - skipped
        if not name or left <= 0:
            return None
        # All batches have the same size, except perhaps the last one.
        mean = (float(logs[name]) * self._batches - before * skipped) / left
        mean = min(max(mean, 0.0), 1.0)
        return mean, _error(mean, num_samples * left / self._batches)

    def minus_validation(
        self, logs: Mapping[str, Any], num_samples: int, num_validation: int
    ) -> Cost | None:
        """Returns the accuracy minus that of validation in the same epoch, as a rough cost.

        The result is None without an accuracy metric or without validation in this epoch.

        Args:
            logs: Keras's logs at the end of the epoch.
            num_samples: Number of samples of the pass over training.
            num_validation: Number of samples of validation.
        """
        found, validation = self.read(logs, num_samples), logs.get(f"val_{_name(logs)}")
        if found is None or validation is None or not num_validation:
            return None
        accuracy, error = found
        error = float(np.hypot(error, _error(float(validation), num_validation)))
        value = accuracy - float(validation)
        return Cost(value, (value - SIGMAS * error, value + SIGMAS * error), num_validation, True)


def _name(logs: Mapping[str, Any]) -> str:
    """Returns the name of the accuracy metric in the logs; "" without one."""
    return next((name for name in NAMES if name in logs), "")


def _error(rate: float, number: float) -> float:
    """Returns the standard error of a rate that was observed in a number of samples."""
    number = max(number, 1.0)
    return float(np.sqrt(max(rate * (1 - rate), 1 / number) / number))

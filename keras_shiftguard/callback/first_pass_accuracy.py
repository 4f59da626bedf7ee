"""`FirstPassAccuracy`: training accuracy on samples that the model has not seen before.

Keras measures the training accuracy of a batch before the step that trains on the batch. In the
first pass over the samples, this accuracy is therefore honest: no sample can be memorized. It is
read from Keras's logs, so it costs nothing, but it is there only if the model is compiled with an
accuracy metric. Dropout and augmentation make it lower, not higher.

The accuracy of the very first batch also shows whether the model was trained before.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_shiftguard.detection.cost import SIGMAS, Cost
from keras_shiftguard.instrument.graph import walk

# Names of accuracy metrics in Keras's logs.
NAMES = (
    *("accuracy", "acc", "sparse_categorical_accuracy"),
    *("categorical_accuracy", "binary_accuracy"),
)
LAST_PART = 0.25  # the accuracy is that of this last part of the pass
# A model that is right on more of the first batch than chance allows, by this many standard errors,
# was trained before.
TRAINED_SIGMAS = 4.0


class FirstPassAccuracy:
    """Accuracy of the last batches of the first pass over training, each before its step.

    If the number of batches is not known, the accuracy is that of the whole pass, which is lower,
    because the model has learned less in its first batches.

    Args:
        steps: Number of training batches of the pass; None if unknown.
        is_random: Whether the model has random layers, such as dropout; see `has_random_layers`.

    Attributes:
        is_unbiased: Whether the accuracy is that of the trained model in inference mode. Random
            layers make it lower, and so do the first batches of a pass of unknown length.
    """

    def __init__(self, steps: int | None, is_random: bool = False) -> None:
        self.is_unbiased = steps is not None and not is_random
        self._first: float | None = None  # accuracy of the first batch
        self._begin = 0 if steps is None else round((1 - LAST_PART) * steps)
        self._before: tuple[int, float] = 0, 0.0  # batches before the last part, their accuracy
        self._batches = 0

    def add(self, batch: int, logs: Mapping[str, Any] | None) -> None:
        """Reads the logs of a batch.

        Args:
            batch: Index of the batch, counted from 0.
            logs: Keras's logs: means over the batches so far.
        """
        if batch < self._batches:  # threads of Keras may end batches in another order
            return
        self._batches = batch + 1
        if (name := _name(logs or {})) and logs is not None:
            if batch == 0 and name != "binary_accuracy":  # it is high from the start for one-hot
                self._first = float(logs[name])
            if self._batches <= self._begin:
                self._before = self._batches, float(logs[name])

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
        found, validation = self.read(logs, num_samples), logs.get(f"val_{_name(logs)}", np.nan)
        if found is None or not _is_share(validation) or not num_validation:
            return None
        accuracy, error = found
        error = float(np.hypot(error, _error(float(validation), num_validation)))
        value = accuracy - float(validation)
        return Cost(value, (value - SIGMAS * error, value + SIGMAS * error), num_validation)

    def began_trained(self, commonest: float, num_samples: int) -> bool:
        """Whether the first batch shows that the model was trained before; False if unknown.

        Args:
            commonest: Share of the commonest class in training.
            num_samples: Number of samples of the pass.
        """
        if self._first is None or not self._batches:
            return False
        error = _error(commonest, num_samples / self._batches)
        return self._first > commonest + TRAINED_SIGMAS * error


def is_harder(logs: Mapping[str, Any]) -> bool:
    """Whether the loss on validation is above the mean loss on training in the same epoch.

    Args:
        logs: Keras's logs at the end of the epoch.
    """
    train, validation = logs.get("loss"), logs.get("val_loss")
    number = (int, float, np.floating)
    return isinstance(train, number) and isinstance(validation, number) and bool(validation > train)


def has_random_layers(model: keras.Model) -> bool:
    """Whether layers of the model draw random numbers in training, as dropout does."""
    generators = keras.random.SeedGenerator
    # A recurrent layer has a generator also without dropout.
    layers = (
        layer
        for layer in walk(model)
        if getattr(layer, "dropout", 1) or getattr(layer, "recurrent_dropout", 1)
    )
    return any(isinstance(part, generators) for layer in layers for part in vars(layer).values())


def _name(logs: Mapping[str, Any]) -> str:
    """Returns the name of the accuracy metric in the logs; "" without one.

    A user's own metric of this name may be a percentage or a vector: it is not used.
    """
    return next((name for name in NAMES if _is_share(logs.get(name))), "")


def _is_share(value: Any) -> bool:
    """Whether a value is a number in [0, 1]."""
    return isinstance(value, (int, float, np.floating)) and 0 <= float(value) <= 1


def _error(rate: float, number: float) -> float:
    """Returns the standard error of a rate that was observed in a number of samples."""
    number = max(number, 1.0)
    return float(np.sqrt(max(rate * (1 - rate), 1 / number) / number))

"""Asking the model: what it says of every sample, and how sure it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.statistics.classes import host_probabilities

BATCH = 32


@dataclass(frozen=True)
class Said:
    """What the model said.

    Args:
        predicted: Class of each sample `(samples,)`.
        confidence: Its probability `(samples,)`.
        best: The five likeliest classes `(samples, at most 5)`.
    """

    predicted: np.ndarray
    confidence: np.ndarray
    best: np.ndarray

    def right(self, labels: np.ndarray) -> np.ndarray:
        """1 where the model is right, `(samples,)`."""
        return (self.predicted == labels).astype("float64")

    def top5(self, labels: np.ndarray) -> float:
        """Share of the samples whose class is among the five likeliest."""
        return float((self.best == labels[:, None]).any(axis=1).mean())


def ask(model: keras.Model, chunks: Iterable[Any]) -> Said:
    """Asks the model about all samples, in inference mode.

    Args:
        model: A classifier.
        chunks: What it takes, some samples at a time.

    Raises:
        BadInputError: if the model does not take them.
    """
    parts = []
    for x in chunks:
        try:
            outputs = model.predict(x, batch_size=BATCH, verbose=0)
        except Exception as error:  # Keras raises whatever its layers raise
            shapes = keras.tree.map_structure(lambda part: tuple(part.shape), x)
            reason = (str(error).strip() or repr(error)).splitlines()[0]
            raise BadInputError(
                f"The model does not take this data. Received: shape {shapes}. ({reason})"
            ) from error
        p = host_probabilities(outputs)
        # A model that answers NaN is wrong, and sure of nothing.
        p = np.nan_to_num(p, nan=-1.0)
        best = np.argsort(-p, axis=1, kind="stable")[:, :5]
        top = p[np.arange(len(p)), best[:, 0]]
        parts.append((np.where(top < 0, -1, best[:, 0]), np.maximum(top, 0.0), best))
    predicted, confidence, best = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Said(predicted, confidence, best)

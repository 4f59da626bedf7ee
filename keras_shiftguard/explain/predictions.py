"""`predict`: the predicted classes of a set of samples, and the confidence of the model."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.statistics.classes import host_probabilities


@dataclass(frozen=True)
class Predictions:
    """Predictions of a classifier."""

    probabilities: np.ndarray

    @cached_property
    def confidence(self) -> np.ndarray:
        """Probability of the predicted class, `(samples,)`."""
        return np.asarray(self.probabilities.max(axis=1))

    @cached_property
    def predicted(self) -> np.ndarray:
        """Predicted class of each sample `(samples,)`; -1, which is never right, for NaN."""
        return np.where(self.confidence > 0, self.probabilities.argmax(axis=1), -1)

    def right(self, labels: np.ndarray) -> np.ndarray:
        """Returns 1 for each right prediction and 0 for each wrong one, `(samples,)`."""
        return (self.predicted == labels).astype("float64")


def predict(model: keras.Model, chunks: Iterable[Any]) -> Predictions:
    """Returns the predictions for all samples, in inference mode.

    `chunks` are the samples in chunks, in the structure that the model accepts.

    Raises:
        BadInputError: if the model does not accept the samples.
    """
    parts = []
    for x in chunks:
        try:
            outputs = model.predict(x, verbose=0)
        except Exception as error:  # of any type, from any layer
            shapes = keras.tree.map_structure(lambda part: tuple(part.shape), x)
            reason = (str(error).strip() or repr(error)).splitlines()[0]
            raise BadInputError(
                f"The model does not take this data. Received: shape {shapes}. ({reason})"
            ) from error
        parts.append(outputs)
    # Whether outputs are logits is decided over all samples, not chunk by chunk.
    p = host_probabilities(np.concatenate(parts))
    return Predictions(np.nan_to_num(p, nan=0.0))

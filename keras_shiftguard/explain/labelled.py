"""`Labelled`: labelled images or rows as the model is fed them, on which costs are measured."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MIN_SAMPLES = 100  # labelled images that a measurement needs

Predict = Callable[[list[np.ndarray]], np.ndarray]  # from images in chunks to predicted classes


@dataclass(frozen=True)
class Labelled:
    """Labelled images as the model is fed them.

    Args:
        images: `(samples, ...)`, 4D.
        labels: Class ids, `(samples,)`.
    """

    images: np.ndarray
    labels: np.ndarray

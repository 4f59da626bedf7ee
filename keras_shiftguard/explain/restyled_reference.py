"""Estimates the cost of a covariate shift by applying the same change to the reference.

No repair of the data restores details that blur or noise have destroyed. So the reference images
are changed instead, by one operation of the augmentation bank (`adaptation/augmentation/bank.py`),
such as blur. The operation and its strength are chosen, without labels, so that the image
attributes of the reference come closest to those of the data. The accuracy that the reference then
loses is the estimate.
"""

from dataclasses import dataclass

import keras
import numpy as np

from keras_shiftguard.explain.predictions import Predictions, predict
from keras_shiftguard.explain.style_search import StyleSearch
from keras_shiftguard.statistics.spread import spread

# Share of the distance between the mean attributes of reference and data that the operation must
# remove.
MIN_EXPLAINED = 0.5
MAX_SAMPLES = 1024  # images that are restyled and predicted


@dataclass(frozen=True)
class RestyledReference:
    """Predictions for reference images that were given the style of the data.

    Args:
        predictions: Predictions for the changed images.
        which: Positions of these images in the reference.
        operation: Name of the operation in the bank.
        words: Description of the change for the report.
    """

    predictions: Predictions
    which: np.ndarray
    operation: str
    words: str


def restyle_reference(
    model: keras.Model, images: np.ndarray, moved: np.ndarray, unit: np.ndarray
) -> RestyledReference | None:
    """Gives the reference images the style of the data, and runs the model on them.

    Args:
        model: The classifier.
        images: The reference images, as the model is fed them.
        moved: Change of the mean of each image attribute from the reference to the
            data, `(attributes,)`.
        unit: Standard deviation of each attribute between images, `(attributes,)`.

    Returns:
        The predictions; None if no single operation explains the difference of the data.
    """
    search = StyleSearch(images)
    style = None if search.spec is None else search.find(moved, unit)
    if style is None or style.explained < MIN_EXPLAINED:
        return None
    which = spread(len(images), MAX_SAMPLES)
    predictions = predict(model, style.apply(images[which]))
    return RestyledReference(predictions, which, style.operation, style.words)

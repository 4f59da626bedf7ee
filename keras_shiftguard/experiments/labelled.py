"""`Labelled`: labelled images or rows as the model is fed them, on which experiments are made."""

import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass

import keras
import numpy as np

from keras_shiftguard.statistics.stream import Stream

# From samples to outputs in inference mode; of a classifier, class probabilities.
Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Labelled:
    """Labelled images or rows as the model is fed them.

    Args:
        images: Images, 4D, or rows of a table or of series, `(samples, ...)`.
        labels: Class ids, `(samples,)`.
    """

    images: np.ndarray
    labels: np.ndarray

    def first(self, number: int) -> "Labelled":
        """Returns the first samples, which are as random as all."""
        return Labelled(self.images[:number], self.labels[:number])


def labelled(stream: Stream, corrected: bool = False) -> Labelled | None:
    """Returns the kept, labeled images or rows of a stream; there may be none.

    Returns None if there are no labels, if there are several inputs, or if only parts of the
    samples are kept (a frame of a video, a crop of a large image). For a part of a sample, the
    model may predict another class.

    The order follows from the samples alone. So a measurement on the same samples has the same
    result, whether a pass was shuffled in another way or the fit was resumed.

    Args:
        stream: The stream.
        corrected: Whether the correction of the stream is applied to the images.
    """
    if len(stream.sketches) != 1 or len(stream.buffers) != 1:
        return None
    ((name, kept),) = stream.buffers.items()
    images, labels = kept.read()
    order = np.argsort([zlib.crc32(each.tobytes()) for each in images], kind="stable")
    images, labels = images[order], labels[order]
    if (labels < 0).any() or not kept.is_whole:
        return None
    if corrected:
        images = np.asarray(keras.ops.convert_to_numpy(stream.corrected(name, images)))
    return Labelled(images, labels)


def remembering(predict: Predict, samples: Collection[np.ndarray]) -> Predict:
    """Returns a `predict` that runs the model only once on each of the arrays `samples`.

    Several experiments need the predictions for the same unchanged samples. The model must keep
    its weights as long as the result is used. Arrays may be added to `samples` later.
    """
    known: dict[int, np.ndarray] = {}

    def remembered(x: np.ndarray) -> np.ndarray:
        if not any(x is array for array in samples):
            return predict(x)
        key = id(x)  # stays unique, because `samples` holds the array
        if key not in known:
            known[key] = predict(x)
        return known[key]

    return remembered

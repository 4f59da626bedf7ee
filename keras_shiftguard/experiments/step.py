"""What a preprocessing step costs that only one of two streams has, by undoing the step."""

import numpy as np

from keras_shiftguard.detection.causes.explanation import Explanation
from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost, cost_of
from keras_shiftguard.experiments.labelled import Labelled, Predict


def cost_of_step(
    predict: Predict, current: Labelled, step: Explanation, channels_first: bool
) -> Cost | None:
    """Returns the cost of a preprocessing step that only `current` has, by undoing the step.

    The result is None if there are fewer than `MIN_SAMPLES` images.

    Args:
        predict: Runs the model in inference mode.
        current: Labelled images with the step.
        step: The step that turns images like those of the reference into `current`.
        channels_first: Whether the channels are the second axis.
    """
    images, labels = current.images, current.labels
    if len(labels) < MIN_SAMPLES:
        return None
    shape = (-1, 1, 1) if channels_first else (-1,)
    scale, offset = step.scale.reshape(shape), step.offset.reshape(shape)
    undone = ((images - offset) / scale).astype("float32")
    if step.swapped:
        undone = np.flip(undone, 1 if channels_first else 3)
    right = predict(images).argmax(axis=1) == labels
    return cost_of(predict(np.ascontiguousarray(undone)).argmax(axis=1) == labels, right)

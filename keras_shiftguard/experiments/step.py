"""What a preprocessing step costs that only one of two streams has, by undoing the step."""

from typing import Any

import numpy as np

from keras_shiftguard.detection.causes.explanation import Explanation
from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost
from keras_shiftguard.experiments.judge import Judge
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.experiments.promise import promised
from keras_shiftguard.statistics.rows import Rows


def cost_of_step(
    predict: Predict,
    current: Labelled,
    name: str,
    step: Explanation,
    channels_first: bool,
    judge: Judge,
) -> Cost | None:
    """Returns the cost of a preprocessing step that only `current` has, by undoing the step.

    The result is None if there are fewer than `MIN_SAMPLES` images.

    Args:
        predict: Runs the model in inference mode; from samples to what the judge takes.
        current: Labelled images with the step.
        name: Name of the input with the step.
        step: The step that turns images like those of the reference into `current`.
        channels_first: Whether the channels are the second axis.
        judge: How predictions are judged.
    """
    images, labels = current.input(name), current.labels
    if len(labels) < MIN_SAMPLES:
        return None
    shape = (-1, 1, 1) if channels_first else (-1,)
    scale, offset = step.scale.reshape(shape), step.offset.reshape(shape)
    undone = ((images - offset) / scale).astype("float32")
    if step.swapped:
        undone = np.flip(undone, 1 if channels_first else 3)
    repaired: Any = np.ascontiguousarray(undone)
    if isinstance(current.images, Rows):
        repaired = Rows({**current.images.tree, name: repaired})
    before = judge.worth(predict(current.images), labels)
    promise = promised(
        before, judge.worth(predict(repaired), labels), judge.unit(before), judge.metric, ()
    )
    return Cost(promise.gain, promise.interval, promise.num_samples, metric=judge.metric)

"""`CompiledMetric`: the first metric that a model is compiled with, of chosen samples.

The loss of rare classes, or of several labels, says little to a person. The metric that the user
watches in Keras's progress bar does. It is no mean over samples in general (recall, AUC), so it is
computed of all samples together, by a new metric of the same kind: the model's own one is left as
it is.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from keras_shiftguard.instrument.inference import InferenceCall, output_batches
from keras_shiftguard.instrument.keras_private import compiled_metrics
from keras_shiftguard.statistics.rows import Rows

# From samples and their labels to the value of a metric.
MetricOf = Callable[[Any, Any], float]


class CompiledMetric:
    """The first compiled metric of a model with one output.

    Attributes:
        name: Its name, as in Keras's logs.
    """

    def __init__(self, metric: keras.metrics.Metric) -> None:
        self._metric = metric
        self.name = str(metric.name)

    def __call__(self, call: InferenceCall, inputs: Mapping[str, Any], labels: Rows) -> float:
        """Returns the value of the metric of these samples, with the present weights."""
        metric = type(self._metric).from_config(self._metric.get_config())
        for outputs, part, number in output_batches(call, inputs, labels):
            metric.update_state(_like(part[:number], outputs), outputs[:number])
        return float(keras.ops.convert_to_numpy(metric.result()))


def compiled_metric(model: keras.Model) -> CompiledMetric | None:
    """Returns the first compiled metric of a model; None without one, or with several outputs.

    Accuracy is left out, because costs are told in points of accuracy already.
    """
    if len(getattr(model, "outputs", None) or [0]) != 1:
        return None
    found = compiled_metrics(model)
    if not found or "acc" in found[0].name:
        return None
    return CompiledMetric(found[0])


def _like(labels: Any, outputs: Any) -> Any:
    """Returns labels in the shape of the outputs: class ids of one-hot outputs become one-hot."""
    shape = tuple(outputs.shape)
    if labels.ndim == 1 and len(shape) == 2:
        is_index = shape[1] > 1 and labels.dtype.kind in "iu"
        return keras.ops.one_hot(labels, shape[1]) if is_index else labels[:, None]
    return labels

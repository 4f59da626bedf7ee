"""Predictions in inference mode during a fit, without any change of the model."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.instrument.layer_calls import as_called, no_gradients
from keras_shiftguard.statistics.chunks import chunks
from keras_shiftguard.statistics.classes import are_probabilities, probabilities
from keras_shiftguard.statistics.rows import Rows


class InferenceCall:
    """Calls a model in inference mode, with its present weights.

    On TensorFlow the call is compiled, unless the model runs eagerly: an eager call takes some
    milliseconds for each layer, and a recurrent layer loops over its steps in Python. What is
    compiled belongs to this object, not to the model. Python values that the model's `call` reads
    are those of the first call, as in `fit`.

    Args:
        model: The model.
        values: Pairs of a variable of the model and the value that it has in this call.
    """

    def __init__(self, model: keras.Model, values: Sequence[tuple[Any, Any]] = ()) -> None:
        self.model, self._values = model, list(values)

        def run(fed: Any) -> Any:
            return keras.tree.map_structure(ops.stop_gradient, model(fed, training=False))

        self._run: Callable[[Any], Any] = run
        if keras.backend.backend() == "tensorflow" and not getattr(model, "run_eagerly", False):
            import tensorflow as tf

            self._run = tf.function(run, autograph=False, reduce_retracing=True)

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> Any:
        """Returns the outputs of the model, tensors without gradients."""
        with keras.StatelessScope(state_mapping=self._values), no_gradients():
            return self._run(as_called(self.model, inputs))


def class_probabilities(call: InferenceCall, name: str, parts: Iterable[Any]) -> np.ndarray:
    """Returns the predicted probability of each class, `(samples, classes)`.

    `parts` has arrays of samples, or `Rows` of several inputs by name. An error of the model's own
    `call` is passed on.
    """
    return _as_probabilities(list(_outputs(call, name, parts)))


def sample_losses(
    call: InferenceCall,
    losses: Callable[[Any, Rows], np.ndarray],
    inputs: Mapping[str, np.ndarray],
    labels: Rows,
) -> np.ndarray:
    """Returns the loss of each sample, `(samples,)`, batch by batch.

    So the outputs of all samples, which are large for masks, are never in memory together.
    """
    found = [np.zeros(0)]
    for outputs, part, number in output_batches(call, inputs, labels):
        with keras.StatelessScope(), no_gradients():
            found.append(losses(outputs, Rows(part))[:number])
    return np.concatenate(found)


def output_batches(
    call: InferenceCall, inputs: Mapping[str, np.ndarray], labels: Rows
) -> Iterator[tuple[Any, Any, int]]:
    """Yields the outputs of the model and the labels batch by batch, see `chunks`.

    With them comes the number of samples that are not padding.
    """
    for part, number in chunks(Rows({"x": inputs, "y": labels.tree})):
        yield call(part.tree["x"]), part.tree["y"], number


def _outputs(call: InferenceCall, name: str, parts: Iterable[Any]) -> Iterator[np.ndarray]:
    """Yields the outputs of the model for small batches of samples, `(samples, columns)` each."""
    for chunk in parts:
        for part, number in chunks(chunk):
            inputs = part.tree if isinstance(part, Rows) else {name: part}
            outputs = ops.convert_to_numpy(call(inputs))[:number]
            if all(side == 1 for side in outputs.shape[1:-1]):  # such as (samples, 1, 1, classes)
                outputs = outputs.reshape(len(outputs), -1)
            yield outputs


def _as_probabilities(batches: list[np.ndarray]) -> np.ndarray:
    """Returns batches of outputs as probabilities, `(samples, classes)`; empties the list.

    Whether the outputs are probabilities or logits is decided on all samples together. With many
    classes the outputs are large, so they are converted batch by batch.
    """
    if batches[0].shape[1] == 1:
        return np.asarray(ops.convert_to_numpy(probabilities(np.concatenate(batches))))
    as_they_are = all(bool(ops.convert_to_numpy(are_probabilities(x))) for x in batches)
    found = np.empty((sum(map(len, batches)), batches[0].shape[1]), batches[0].dtype)
    start = len(found)
    while batches:
        outputs = batches.pop()
        x = outputs if as_they_are else ops.convert_to_numpy(ops.softmax(outputs, axis=1))
        found[start - len(outputs) : start] = x
        start -= len(outputs)
    return found

"""Runs a model's TensorFlow step on batches that were taken from the data iterator before.

Keras passes the iterator of a `tf.data.Dataset` to `model.train_function`, whose graph takes the
batches from it. To measure or to change a batch beside the step, the batch is taken from the
iterator first, and Keras's own function is then called on that batch.
"""

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import keras


def takes_batches_itself(iterator: Any) -> bool:
    """Whether Keras's function takes the batches of this iterator inside its graph."""
    import tensorflow as tf

    return isinstance(iterator, (tf.data.Iterator, tf.distribute.DistributedIterator))


def run_on_batches(
    function: Callable[[Any], Any], model: keras.Model, iterator: Any, prepare: Callable[..., Any]
) -> Any:
    """Calls a model's train or test function on the next batches of an iterator.

    Args:
        function: The function that stands on the model: of Keras, or of the user.
        model: The model.
        iterator: The iterator that Keras would pass to `function`.
        prepare: Function of a batch that returns the batch to use in its place.

    Returns:
        What `function` returns for the last of the batches, `model.steps_per_execution` of them.

    Raises:
        StopIteration: if the iterator has no more batches.
    """
    if not takes_batches_itself(iterator):  # of `train_on_batch`
        return function(map(prepare, iterator))
    batches = (prepare(data) for _, data in zip(range(model.steps_per_execution), iterator))  # noqa: B905
    if not _is_made_by_keras(function):
        return function(_dataset_iterator(batches))
    outputs = None
    for data in batches:
        outputs = _step(function, model, data, iterator.element_spec)(data)
    if outputs is None:
        raise StopIteration
    return outputs


def _is_made_by_keras(function: Callable[..., Any]) -> bool:
    """Whether Keras made the function: it then takes any Python iterator of batches as well."""
    return str(getattr(function, "__module__", "")).startswith("keras.")


def _dataset_iterator(batches: Iterator[Any]) -> Any:
    """Returns a `tf.data` iterator of these batches."""
    import tensorflow as tf

    datasets = [tf.data.Dataset.from_tensors(data) for data in batches]
    if not datasets:
        raise StopIteration
    return iter(reduce(lambda one, other: one.concatenate(other), datasets))


def _step(function: Any, model: keras.Model, data: Any, element_spec: Any) -> Any:
    """Returns Keras's function as a function of one batch, compiled unless `run_eagerly`.

    It is compiled for the shapes that the data set states, as Keras does, so that a shorter last
    batch is no reason to compile again. It is cached on `function`, which `compile` drops.
    """
    import tensorflow as tf

    def step(batch: Any) -> Any:
        return function(iter([batch]))

    if model.run_eagerly:
        return step
    spec = tf.nest.map_structure(_spec_of, element_spec, data)
    steps = vars(function).setdefault("shiftguard_steps", {})
    key = repr(spec)
    if key not in steps:
        steps[key] = tf.function(step, input_signature=[spec], autograph=False)
    return steps[key]


def _spec_of(spec: Any, value: Any) -> Any:
    """Returns the spec of a data set for a value that may have become another dtype."""
    import tensorflow as tf

    return tf.TensorSpec(spec.shape, value.dtype) if isinstance(spec, tf.TensorSpec) else spec

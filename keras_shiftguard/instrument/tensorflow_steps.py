"""Runs a model's TensorFlow step on batches that were taken from the data iterator before.

Keras passes the iterator of a `tf.data.Dataset` to `model.train_function`, whose graph takes the
batches from it. To measure or to change a batch beside the step, the batch is taken from the
iterator first, and Keras's own function is then called on that batch.
"""

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import keras

Prepare = Callable[[Any], Any]  # takes a batch, and returns the batch to use in its place


class Batches:
    """An iterator of batches that knows the shapes and dtypes of its data set.

    Args:
        batches: The batches.
        element_spec: What the `element_spec` of a `tf.data.Dataset` is.
    """

    def __init__(self, batches: Iterator[Any], element_spec: Any) -> None:
        self._batches = batches
        self.element_spec = element_spec

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> Any:
        return next(self._batches)


def run_on_batches(
    function: Callable[[Any], Any], model: keras.Model, iterator: Any, prepare: Prepare
) -> Any:
    """Calls a model's train or test function on the next batches of an iterator.

    Args:
        function: The function that stands on the model: of Keras, of the user, or of another
            guard.
        model: The model.
        iterator: The iterator that Keras passes to `function`.
        prepare: Measures a batch, and returns it, or a changed one to use in its place.

    Returns:
        What `function` returns for the last of the batches, `model.steps_per_execution` of them.

    Raises:
        StopIteration: if the iterator has no more batches.
    """
    if not hasattr(iterator, "element_spec"):  # a Python iterator, of `train_on_batch`
        return function(map(prepare, iterator))
    strategy = model.distribute_strategy

    def prepared() -> Iterator[Any]:
        for _ in range(model.steps_per_execution):
            try:
                data = next(iterator)
            except StopIteration:
                return
            yield _on_all_replicas(strategy, data, prepare)

    batches = Batches(prepared(), iterator.element_spec)
    if hasattr(function, "shiftguard_probe"):
        return function(batches)
    if not str(getattr(function, "__module__", "")).startswith("keras."):
        return function(_dataset_iterator(batches))
    outputs = None
    for data in batches:
        outputs = _step(function, model, data, iterator.element_spec)(data)
    if outputs is None:
        raise StopIteration
    return outputs


def _dataset_iterator(batches: Batches) -> Any:
    """Returns a `tf.data` iterator of these batches, for a function that the user made."""
    import tensorflow as tf

    datasets = [tf.data.Dataset.from_tensors(data) for data in batches]
    if not datasets:
        raise StopIteration
    return iter(reduce(tf.data.Dataset.concatenate, datasets))


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
    """Returns the spec of a data set for a value that may have another dtype than the data set."""
    import tensorflow as tf

    if isinstance(spec, tf.TensorSpec):
        return tf.TensorSpec(spec.shape, value.dtype)
    return tf.type_spec_from_value(value) if _is_replicated(value) else spec


def _is_replicated(value: Any) -> bool:
    """Whether each replica of a strategy has a value of its own."""
    import tensorflow as tf

    return isinstance(value, tf.distribute.DistributedValues)


def _on_all_replicas(strategy: Any, data: Any, prepare: Prepare) -> Any:
    """Returns `prepare(data)`, where the parts of several replicas are measured as one batch."""
    import tensorflow as tf

    leaves = tf.nest.flatten(data)
    if not any(map(_is_replicated, leaves)):
        return prepare(data)
    parts = [strategy.experimental_local_results(leaf) for leaf in leaves]
    whole = tf.nest.pack_sequence_as(data, list(map(_joined, parts)))
    changed = prepare(whole)
    if changed is whole:
        return data
    pairs = zip(leaves, parts, tf.nest.flatten(whole), tf.nest.flatten(changed), strict=True)
    return tf.nest.pack_sequence_as(
        data,
        [
            leaf if new is old else _divided(strategy, new, [len(part) for part in of_replicas])
            for leaf, of_replicas, old, new in pairs
        ],
    )


def _joined(parts: Any) -> Any:
    """Returns the parts of all replicas as one tensor; the first one if they are no tensors."""
    import tensorflow as tf

    if isinstance(parts[0], tf.SparseTensor):
        return tf.sparse.concat(0, parts)
    is_tensor = isinstance(parts[0], (tf.Tensor, tf.RaggedTensor))
    return tf.concat(parts, 0) if is_tensor else parts[0]


def _divided(strategy: Any, tensor: Any, sizes: list[int]) -> Any:
    """Returns a tensor divided among the replicas, of which each gets that many samples."""
    import tensorflow as tf

    parts = iter(tf.split(tensor, sizes))
    return strategy.experimental_distribute_values_from_function(lambda context: next(parts))

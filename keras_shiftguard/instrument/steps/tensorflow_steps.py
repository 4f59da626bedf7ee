"""`TensorFlowSteps`: takes batches from the data iterator, and runs a model's step on them.

Keras passes the iterator of a `tf.data.Dataset` to `model.train_function`, whose graph takes the
batches from the iterator. To measure or change a batch outside of this graph, `TensorFlowSteps`
takes the batch from the iterator first, and then calls Keras's own function on this batch.

If the length of the data is unknown, Keras learns that an epoch is over by calling its function on
an iterator without a batch. TensorFlow may then run the operations of the step that need no batch:
the optimizer counts one more iteration, and weight decay changes the weights. So that a guard
changes nothing, `TensorFlowSteps` leaves the end of the data to Keras's function as well.
"""

from collections.abc import Callable
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary, ref

import keras

from keras_shiftguard.errors import ShiftWarning

Prepare = Callable[[Any], Any]  # takes a batch, and returns the batch to use in its place

# Compiled functions of one batch, by Keras's function and by the shapes and dtypes of the batch.
_compiled: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


class Batches:
    """The batches of an iterator, each prepared when it is taken.

    Attributes:
        source: The `tf.data` iterator that all batches come from.
        element_spec: The shapes and dtypes of the data set.
    """

    def __init__(self, iterator: Any, prepare: Prepare) -> None:
        self.source: Any = iterator.source if isinstance(iterator, Batches) else iterator
        self.element_spec = iterator.element_spec
        self._iterator = iterator
        self._prepare = prepare

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> Any:
        return self._prepare(next(self._iterator))


class TensorFlowSteps:
    """Calls a model's train, test and predict functions on prepared batches."""

    def __init__(self, model: keras.Model, fail: Callable[[Exception], None]) -> None:
        self._model = model
        self._fail = fail
        # An iterator of Keras, and the iterator over its prepared batches.
        self._feed: tuple[Any, Any] | None = None
        # Cache of the latest function, specs, dtypes and compiled step: most batches are alike.
        self._latest: tuple[Any, Any, Any, Any] = (None, None, None, None)

    def run(self, function: Callable[[Any], Any], iterator: Any, prepare: Prepare) -> Any:
        """Calls a train or test function on the next batches of an iterator.

        One call uses up to `model.steps_per_execution` batches. If there is no batch left,
        `function` raises what it raises without a guard.
        """
        if not hasattr(iterator, "element_spec"):  # a Python iterator, as in `train_on_batch`
            return function(map(prepare, iterator))
        batches = Batches(iterator, lambda data: self.prepared(data, prepare))
        if hasattr(function, "shiftguard_probe"):
            return function(batches)
        # A wrapper that the user made may copy the attributes of Keras's function. But the wrapper
        # has other globals, which distinguish it from Keras's function.
        module = str(getattr(function, "__globals__", {}).get("__name__", ""))
        if not module.startswith("keras."):
            return function(self._fed(batches))
        taken = 0
        for data in islice(batches, self._model.steps_per_execution):
            outputs = self._step(function, data, batches.element_spec)(data)
            taken += 1
        return outputs if taken else function(batches.source)

    def prepared(self, data: Any, prepare: Prepare) -> Any:
        """Returns `prepare(data)`; the parts of several replicas are prepared as one batch."""
        try:
            return _on_all_replicas(self._model.distribute_strategy, data, prepare)
        except ShiftWarning:  # if Python is set to turn warnings into errors
            raise
        except Exception as error:
            self._fail(error)
            return data

    def _fed(self, batches: Batches) -> Any:
        """Returns a `tf.data` iterator of the prepared batches, for a function that the user made.

        Such a function may take any number of batches in a call.
        """
        import tensorflow as tf

        source, feed = self._feed or (None, None)
        if source is not batches.source:
            feed = batches.source
            try:
                fed = tf.data.Dataset.from_generator(
                    lambda: batches, output_signature=batches.element_spec
                )
                options = tf.data.Options()  # a batch is prepared only when it is requested
                options.experimental_optimization.inject_prefetch = False
                feed = iter(fed.with_options(options))
            except Exception as error:  # raised with several replicas
                self._fail(error)
            self._feed = batches.source, feed
        return feed

    def _step(self, function: Any, data: Any, element_spec: Any) -> Any:
        """Returns Keras's function as a function of one batch, compiled unless `run_eagerly`.

        Like Keras, `_step` compiles the function for the shapes that the data set states, so that a
        shorter last batch causes no new compilation.
        """
        import tensorflow as tf

        dtypes = [getattr(leaf, "dtype", None) for leaf in tf.nest.flatten(data)]
        latest, specs, kinds, found = self._latest
        if latest is function and specs is element_spec and kinds == dtypes:
            return found
        function_of = ref(function)  # the cache must not keep the function alive

        def step(batch: Any) -> Any:
            return function_of()(iter([batch]))  # type: ignore[misc]

        if self._model.run_eagerly:
            return step
        try:
            spec = tf.nest.map_structure(_spec_of, element_spec, data)
            steps = _compiled.setdefault(function, {})
            if (key := repr(spec)) not in steps:
                steps[key] = tf.function(step, input_signature=[spec], autograph=False)
            self._latest = function, element_spec, dtypes, steps[key]
            return steps[key]
        except (TypeError, ValueError):  # the changed batch has another structure
            return step


def _spec_of(spec: Any, value: Any) -> Any:
    """Returns the spec of a data set for a value that may have another dtype than the data set."""
    import tensorflow as tf

    if isinstance(spec, tf.TensorSpec):
        return tf.TensorSpec(spec.shape, value.dtype)
    if _is_replicated(value) and not spec.is_compatible_with(value):
        return tf.type_spec_from_value(value)
    return spec


def _is_replicated(value: Any) -> bool:
    """Whether each replica of a strategy has a value of its own."""
    import tensorflow as tf

    return isinstance(value, tf.distribute.DistributedValues)


def _on_all_replicas(strategy: Any, data: Any, prepare: Prepare) -> Any:
    """Returns `prepare(data)`; the parts of several replicas are prepared as one batch."""
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
    """Returns the parts of all replicas as one tensor; the first part if they are no batches."""
    import tensorflow as tf

    if isinstance(parts[0], tf.SparseTensor):
        return tf.sparse.concat(0, parts)
    is_tensor = isinstance(parts[0], tf.RaggedTensor) or (
        isinstance(parts[0], tf.Tensor) and len(parts[0].shape)
    )
    return tf.concat(parts, 0) if is_tensor else parts[0]


def _divided(strategy: Any, tensor: Any, sizes: list[int]) -> Any:
    """Returns a tensor divided among the replicas; `sizes` has the number of samples of each."""
    import tensorflow as tf

    parts = iter(tf.split(tensor, sizes))
    return strategy.experimental_distribute_values_from_function(lambda context: next(parts))

"""`TensorFlowSteps`: takes batches from the data iterator, and runs a model's step on them.

Keras passes the iterator of a `tf.data.Dataset` to `model.train_function`, whose graph takes the
batches from the iterator. To measure or change a batch outside of this graph, `TensorFlowSteps`
takes the batch from the iterator first, and then calls Keras's own function on this batch.
"""

from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary, ref

import keras

from keras_shiftguard.errors import ShiftWarning

Prepare = Callable[[Any], Any]  # takes a batch, and returns the batch to use in its place

# Compiled functions of one batch, by Keras's function and by the shapes and dtypes of the batch.
_compiled: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


class Batches:
    """An iterator of batches that knows the shapes and dtypes of its data set.

    Args:
        batches: The batches.
        element_spec: The `element_spec` of the `tf.data` iterator that they come from.
    """

    def __init__(self, batches: Iterator[Any], element_spec: Any) -> None:
        self._batches = batches
        self.element_spec = element_spec

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> Any:
        return next(self._batches)


class TensorFlowSteps:
    """Calls a model's train, test and predict functions on prepared batches.

    Args:
        model: The model.
        fail: Function that is called with an error of the preparation. Training goes on with the
            batch as it is.
    """

    def __init__(self, model: keras.Model, fail: Callable[[Exception], None]) -> None:
        self._model = model
        self._fail = fail
        # An iterator of Keras, and the iterator over its prepared batches.
        self._feed: tuple[Any, Any] | None = None
        # Cache of the latest function, specs, dtypes and compiled step: most batches are alike.
        self._latest: tuple[Any, Any, Any, Any] = (None, None, None, None)

    def run(self, function: Callable[[Any], Any], iterator: Any, prepare: Prepare) -> Any:
        """Calls a train or test function on the next batches of an iterator.

        Args:
            function: The present train or test function of the model: made by Keras, by the user,
                or by another guard.
            iterator: The iterator that Keras passes to `function`.
            prepare: Measures a batch; returns the same batch, or a changed batch to use in its
                place.

        Returns:
            The result of `function` for the last batch. One call of `run` uses up to
            `model.steps_per_execution` batches.

        Raises:
            StopIteration: if the iterator has no more batches.
        """
        if not hasattr(iterator, "element_spec"):  # a Python iterator, as in `train_on_batch`
            return function(map(prepare, iterator))
        if hasattr(function, "shiftguard_probe"):
            return function(Batches(self._prepared(iterator, prepare), iterator.element_spec))
        # A wrapper that the user made may copy the attributes of Keras's function. But the wrapper
        # has other globals, which distinguish it from Keras's function.
        module = str(getattr(function, "__globals__", {}).get("__name__", ""))
        if not module.startswith("keras."):
            return function(self._fed(iterator, prepare))
        outputs = None
        batches = self._prepared(iterator, prepare)
        for _ in range(self._model.steps_per_execution):
            if (data := next(batches, None)) is None:
                break
            outputs = self._step(function, data, iterator.element_spec)(data)
        if outputs is None:
            raise StopIteration
        return outputs

    def prepared(self, data: Any, prepare: Prepare) -> Any:
        """Returns `prepare(data)`; the parts of several replicas are prepared as one batch."""
        try:
            return _on_all_replicas(self._model.distribute_strategy, data, prepare)
        except ShiftWarning:  # if Python is set to turn warnings into errors
            raise
        except Exception as error:
            self._fail(error)
            return data

    def _prepared(self, iterator: Any, prepare: Prepare) -> Iterator[Any]:
        for data in iterator:
            yield self.prepared(data, prepare)

    def _fed(self, iterator: Any, prepare: Prepare) -> Any:
        """Returns a `tf.data` iterator of the prepared batches, for a function that the user made.

        Such a function may take any number of batches in a call.
        """
        import tensorflow as tf

        if self._feed is None or self._feed[0] is not iterator:
            feed = iterator
            try:
                batches = tf.data.Dataset.from_generator(
                    lambda: self._prepared(iterator, prepare),
                    output_signature=iterator.element_spec,
                )
                options = tf.data.Options()  # a batch is prepared only when it is requested
                options.experimental_optimization.inject_prefetch = False
                feed = iter(batches.with_options(options))
            except Exception as error:  # raised with several replicas
                self._fail(error)
            self._feed = iterator, feed
        return self._feed[1]

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

"""`Probe`: wraps the training and test steps of a model to measure their input, on TensorFlow.

`train_step` and `test_step` of the model *instance* are wrapped: they get the raw batch, even if
the user's class overrides them. On JAX and PyTorch batches are measured beside the step, see
`beside_probe.py`. On TensorFlow only the compiled step itself sees the batches.
"""

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras

from keras_shiftguard.errors import warn
from keras_shiftguard.instrument.batch_tensors import (
    UnmeasuredInputs,
    copy_on_tensorflow,
    is_dense,
    shapes_of,
    with_replaced_tensors,
)
from keras_shiftguard.instrument.compiled_steps import CompiledSteps, cache
from keras_shiftguard.instrument.model_inputs import specs_of
from keras_shiftguard.io.batches import SOURCE, is_pair, named_inputs
from keras_shiftguard.statistics.stream import Stream

# The wrapped methods of the model, and the stream whose batches each of them gets.
STEPS = {"train_step": "train", "test_step": "validation"}


class Probe:
    """Measures the input of a model's steps, and corrects or augments it if that is on.

    Args:
        model: A compiled model.
        streams: A `Stream` by name, for `"train"` and `"validation"`.
        names: Names of the inputs, used if a batch has them as a list.
        model_outputs: Statistics of the model's outputs, to which every validation batch
            is added; None skips this.
        augmentation: Object whose `apply(input_name, x, y)` augments the training input
            after the measurement; None skips this.
        cache_key: Key under which `detach` caches the probe for a later run that
            measures the same; None does not cache it.
    """

    def __init__(
        self,
        model: keras.Model,
        streams: dict[str, Stream],
        names: Sequence[str],
        model_outputs: Any = None,
        augmentation: Any = None,
        cache_key: Hashable = None,
    ) -> None:
        self.model = model
        self.streams = streams
        self.model_outputs = model_outputs
        self.augmentation = augmentation
        self.names = names
        self.cache_key = cache_key
        self.run_key: object = None
        self.attached = False
        self._failed = False
        self._replaced: dict[str, Any] = {}  # by method, what the instance held before
        self._active: str | None = None  # the step that is measured now: "train" or "test"
        self._compiled = CompiledSteps(model, lambda kind: self._active == kind)
        self._unmeasured = UnmeasuredInputs()
        self._is_reusable = False
        self._was_cached = False
        self._shapes: dict[str, Any] = {}  # shapes in the first batch of each stream
        self._shapes_vary = False

    def attach(self, run_key: object = None) -> None:
        """Wraps the steps, before the first batch of a run.

        Args:
            run_key: An object that all callbacks of one run share. A probe with another
                key that is still on the model was left behind by an exception, after
                which Keras calls no hook; it is removed.
        """
        self.run_key = run_key
        for method in STEPS:
            stale = _probe_of(vars(self.model).get(method))
            if stale is not None and stale.run_key is not self.run_key:
                stale.detach(reuse=False)
        plain = self._compiled.make_plain()
        for method, stream in STEPS.items():
            original = getattr(self.model, method)
            # A step that the user set on the instance is restored by `detach`.
            self._replaced[method] = vars(self.model).get(method)
            step = self._wrap(original, self.streams[stream])
            step.probe = self  # type: ignore[attr-defined]
            setattr(self.model, method, step)
        self.attached = True
        self._compiled.wrap(plain)

    def detach(self, reuse: bool = True) -> None:
        """Restores the steps of the model. Safe to call twice, and after a crash.

        Args:
            reuse: Whether to cache the probe, so that the next run of the model does
                not have to trace its steps again.
        """
        if not self.attached:
            return
        self.attached = False
        for method in STEPS:
            if _probe_of(vars(self.model).get(method)) is not self:
                continue  # a second guard wrapped this step later, and will restore it for both
            previous = self._replaced[method]
            while (below := _probe_of(previous)) is not None and not below.attached:
                previous = below._replaced[method]
            if previous is None:
                delattr(self.model, method)
            else:
                setattr(self.model, method, previous)
        functions_are_reusable = self._compiled.unwrap()
        measures_all = not self._failed and not self._shapes_vary
        should_cache = reuse and self.cache_key is not None
        self._is_reusable = should_cache and functions_are_reusable and measures_all
        if self._is_reusable:
            self._was_cached = True
            cache(self.model, self.cache_key, self)

    def begin_batch(self, stream: str) -> None:
        """Measures the batches of the stream, until `end_batch`."""
        self._active = "test" if stream == "validation" else stream

    def end_batch(self) -> None:
        """Stops measuring until `begin_batch`: batches in between belong to other runs."""
        self._active = None

    def can_be_reused(self, model: keras.Model) -> bool:
        """Whether another run of the model may use this probe."""
        steps = {method: vars(model).get(method) for method in STEPS}
        return self._is_reusable and not self.attached and self._replaced == steps

    def _wrap(self, original: Callable[..., Any], stream: Stream) -> Callable[..., Any]:
        def step(data: Any) -> Any:
            return original(self._observe(data, stream))

        return step

    def _observe(self, data: Any, stream: Stream) -> Any:
        """Measures a batch of a stream; returns it augmented and corrected if that is on."""
        if self._failed or not self.attached:
            return data
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        if is_pair(x):  # a batch of source and target: only the source is training data
            source = self._observe((x[SOURCE], y, weight), stream)[0]
            return ({**x, SOURCE: source}, *data[1:])
        try:
            x, y = copy_on_tensorflow(x), copy_on_tensorflow(y)
            self._note_shapes(stream, x, y)
            all_inputs = named_inputs(x, self.names)
            inputs = {name: t for name, t in all_inputs.items() if is_dense(t)}
            if not stream.is_built:
                self._build(stream, inputs)
            self._unmeasured.check(all_inputs, stream.sketches.keys() & inputs.keys())
            stream.update(inputs, x, y)
            if self.model_outputs is not None and stream is self.streams["validation"]:
                self.model_outputs.update(x, y)
            augmented = inputs
            if self.augmentation is not None and stream is self.streams["train"]:
                # Only after the measurement: statistics are those of the user's data as it is.
                augmented = {
                    name: self.augmentation.apply(name, t, y) for name, t in inputs.items()
                }
            corrected = {name: stream.corrected(name, augmented[name]) for name in inputs}
            if all(corrected[name] is inputs[name] for name in inputs):
                return data
            return (with_replaced_tensors(x, corrected, self.names), *data[1:])
        except Exception as error:
            # A failure of the guard must never end a fit. This code runs while the step is
            # traced, so the step is then compiled without the measurement.
            self._failed = True
            warn(f"ShiftGuard cannot measure this model's input and leaves it alone: {error!r}")
            return data

    def _note_shapes(self, stream: Stream, x: Any, y: Any) -> None:
        """Records whether the shapes of the batches vary; if so, the probe is not cached.

        If they vary, TensorFlow traces one step for all shapes, in which no shape is known.
        """
        shapes = shapes_of(x), shapes_of(y)
        first_shapes = self._shapes.setdefault(stream.stream, shapes)
        self._shapes_vary = self._shapes_vary or shapes != first_shapes
        if shapes[1] != first_shapes[1] and self._was_cached:
            warn(
                f"ShiftGuard may not count the labels of {stream.stream}: their shape "
                f"is not that of an earlier fit ({shapes[1]}, before {first_shapes[1]}). "
                "The next fit counts them."
            )

    def _build(self, stream: Stream, inputs: dict[str, Any]) -> None:
        """Creates the variables from the shapes of the first batch.

        This is needed only if the input shapes were not known before: for a subclassed
        model, which Keras builds while it traces the first step.
        """
        shapes = {name: (None, *tensor.shape[1:]) for name, tensor in inputs.items()}
        specs = specs_of(shapes, self.model)
        parts = [stream]
        if self.augmentation is not None and not self.augmentation.is_built:
            parts.append(self.augmentation)
        import tensorflow as tf

        with tf.init_scope():
            for part in parts:
                part.build(specs)


def _probe_of(step: Any) -> Probe | None:
    """Returns the probe that wrapped this step, or None."""
    return getattr(step, "probe", None)


def variable_scope(model: keras.Model) -> AbstractContextManager[Any]:
    """Returns the context in which variables for the model's step must be created."""
    if keras.backend.backend() == "tensorflow":
        scope: AbstractContextManager[Any] = model.distribute_strategy.scope()
        return scope
    return nullcontext()

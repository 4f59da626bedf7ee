"""`Probe`: measures each batch of a model outside of the compiled step, before the step gets it.

`fit`, `evaluate` and `predict` read `model.train_function`, `model.test_function` and
`model.predict_function` anew at every batch, and pass the raw batch to them from Python. So the
probe replaces each of these functions with a wrapper. The wrapper measures each batch, corrects and
augments the batch if correction and augmentation are on, and passes it to the original function.
The probe adds no variables and no metrics to the model, and the model's step is compiled in the
same way as without `ShiftGuard`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakMethod

import keras

from keras_shiftguard.errors import ShiftWarning, no_errors_of_others, warn
from keras_shiftguard.instrument.layer_calls import no_gradients
from keras_shiftguard.instrument.model_inputs import have_known_sizes, input_shapes, specs_of
from keras_shiftguard.instrument.model_outputs import ModelOutputs
from keras_shiftguard.instrument.steps.batch_tensors import (
    is_dense,
    warned_of,
    with_replaced_tensors,
    without_padding,
)
from keras_shiftguard.instrument.steps.keras_run import KerasRun, data_of_run
from keras_shiftguard.instrument.steps.step_correction import StepCorrection
from keras_shiftguard.instrument.steps.tensorflow_steps import Batches, TensorFlowSteps
from keras_shiftguard.io.batches import SOURCE, column_names, is_pair, named_inputs
from keras_shiftguard.statistics.batch import as_measurable, fitted
from keras_shiftguard.statistics.stream import Stream

# By stream: the attribute of the model that holds the function for its batches.
FUNCTIONS = dict(train="train_function", validation="test_function", prediction="predict_function")
# So many tokens of a text are measured if TensorFlow does not know its length. A convention.
ANY_LENGTH = 128


class Probe:
    """Measures the batches that are passed to the compiled functions of one model.

    Args:
        model: A model.
        names: Names of the streams: `"train"` and `"validation"`, or `"prediction"`.
        corrects: Whether the input may be corrected.
        statistics: The user's own metrics, whose `update_state` takes `x`. Each stream but the
            first gets copies of them.
        model_outputs: Statistics of the model's outputs in validation, or None.
        augmentation: Object whose `apply(input_name, x, y)` augments a training batch, or None.
    """

    def __init__(
        self,
        model: keras.Model,
        names: Sequence[str],
        corrects: bool,
        statistics: Sequence[keras.metrics.Metric] = (),
        model_outputs: ModelOutputs | None = None,
        augmentation: Any = None,
    ) -> None:
        self.model = model
        # Shapes of the model's inputs, whose names are used if a batch has its inputs as a list.
        self.shapes = input_shapes(model)
        self.streams: dict[str, Stream] = {}
        given = data_of_run()
        for name in names:
            metrics = statistics
            if self.streams:
                metrics = [type(each).from_config(each.get_config()) for each in statistics]
            x, correction = given.get(name), StepCorrection if corrects else None
            columns = column_names((x,), self.shapes)
            stream = Stream(name, correction, metrics, columns, isinstance(x, Mapping))
            if have_known_sizes(self.shapes):
                stream.build(specs_of(self.shapes, model))
            self.streams[name] = stream
        self.model_outputs = model_outputs
        self.augmentation = augmentation
        self.run_key: object = None
        self.attached = False
        self._active: str | None = None  # the stream that is measured now
        self._run = KerasRun()  # in which the latest batch began
        self.has_failed = False  # if True, nothing is measured any more
        # A weak reference: in a reference cycle, only Python's garbage collector would free the
        # kept images of an old guard, and until then they would add up over many fits.
        fail = WeakMethod(self._fail)
        self._steps = TensorFlowSteps(model, lambda error: fail()(error))  # type: ignore[misc]
        self.unmeasured: dict[str, str] = {}  # why inputs are not measured, by name

    def attach(self, run_key: object = None) -> None:
        """Prepares for a run, before its first batch. `begin_batch` then wraps the functions.

        Args:
            run_key: An object that all callbacks of one run share. The wrappers of probes with
                another key are removed. Such wrappers remain after an exception, or belong to a run
                that the new run interrupts (for example, `evaluate` in a callback interrupts a
                fit). The probe of an interrupted run wraps the functions again at its next batch.
        """
        self.run_key = run_key
        self._unwrap(lambda probe: probe.run_key is not run_key)
        self.attached = True

    def begin_batch(self, stream: str) -> None:
        """Makes the next call of the stream's function measure its batches.

        This method also wraps the function if it is not wrapped yet. A function that was compiled
        anew by `model.make_train_function(force=True)`, which users call after they unfreeze
        layers, is not wrapped yet.
        """
        function = getattr(self.model, FUNCTIONS[stream])
        if self.attached and function is not None and self not in _probes(function):
            setattr(self.model, FUNCTIONS[stream], self._wrapped(function, stream))
        self._active = stream
        self._run = KerasRun()

    def end_batch(self) -> None:
        """Stops measuring until `begin_batch`: batches in between belong to other runs.

        Without this method, a batch of another run could be measured: if the length of the data is
        unknown, the last call of the function gets no batch, and Keras does not report this.
        """
        self._active = None

    def detach(self) -> None:
        """Restores the functions of the model. Safe to call twice, and after a crash."""
        self.attached = False
        self._active = None
        # The wrapper of a second guard stays until that guard detaches.
        self._unwrap(lambda probe: not probe.attached)

    def _unwrap(self, is_done: Callable[["Probe"], bool]) -> None:
        """Removes wrappers, the outermost first, up to the first one whose probe is not done."""
        for name in FUNCTIONS.values():
            function = getattr(self.model, name)
            while (probe := _probe_of(function)) is not None and is_done(probe):
                function = function.shiftguard_plain
            if function is not getattr(self.model, name):
                setattr(self.model, name, function)

    def _wrapped(self, function: Callable[..., Any], stream: str) -> Callable[..., Any]:
        """Returns a function that measures batches, and then calls `function` on them."""

        def measured(*arguments: Any) -> Any:
            # The last argument holds the batches: a list on PyTorch and in `predict`, else an
            # iterator.
            *others, batches = arguments
            # Another run may call the function first: one within a callback, or a later one, if
            # this run was interrupted after `begin_batch`.
            is_active = self._active == stream and self._run.is_in_progress()
            if is_active:
                self._active = None  # only one call is measured
            is_idle = self.has_failed and not self._changes_input
            if not is_active or is_idle:
                if isinstance(batches, Batches):  # prepared by another guard
                    return self._steps.run(function, batches, lambda data: data)
                return function(*arguments)

            def observed(data: Any) -> Any:
                return self._observed(data, stream, ())

            if keras.backend.backend() == "tensorflow":
                if isinstance(batches, list):  # as in `predict`
                    taken = [self._steps.prepared(data, observed) for data in batches]
                    return function(*others, taken)
                return self._steps.run(function, batches, observed)
            if isinstance(batches, list):
                return function(*others, list(map(observed, batches)))
            if stream == "validation" and self.model_outputs is not None:
                # JAX frees the weights when it calls a step, so the batches of a step are measured
                # before the step is called.
                steps = range(self.model.steps_per_execution)
                taken = [data for _, data in zip(steps, batches)]  # noqa: B905 (leaves the rest)
                before = [self._observed(data, stream, others[0]) for data in taken]
                return function(*others, iter(before))
            return function(*others, map(observed, batches))

        measured.shiftguard_probe = self  # type: ignore[attr-defined]
        measured.shiftguard_plain = function  # type: ignore[attr-defined]
        return measured

    @no_errors_of_others()
    def _observed(self, data: Any, stream: str, state: Any) -> Any:
        """Measures one batch; returns it, with the correction and augmentation that are on.

        For `state`, which is empty but on JAX in validation, see `ModelOutputs.update`.
        """
        if not self.attached:
            return data
        # Keras packs inputs without labels as `x` itself.
        others = tuple(data[1:]) if isinstance(data, (list, tuple)) else None
        try:
            x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
            if is_pair(x):  # a batch of source and target: only the source is training data
                source = self._observed((x[SOURCE], y, weight), stream, state)[0]
                x = {**x, SOURCE: source}
                return x if others is None else (x, *others)
            measured = self.streams[stream]
            all_inputs = named_inputs(x, self.shapes)
            inputs = {name: tensor for name, tensor in all_inputs.items() if is_dense(tensor)}
            if not measured.is_built:
                if self.has_failed:
                    return data
                self._build(measured, inputs)
            with no_gradients():
                if not self.has_failed:
                    if not self.unmeasured:
                        known = measured.sketches.keys() & inputs.keys()
                        self.unmeasured = warned_of(all_inputs, known)
                    self._measure(stream, inputs, (x, y, weight), state)
                changed = {name: self._changed(measured, name, t) for name, t in inputs.items()}
            if all(changed[name] is inputs[name] for name in inputs):
                return data
            x = with_replaced_tensors(x, changed, self.shapes)
            return x if others is None else (x, *others)
        except ShiftWarning:  # if Python is set to turn warnings into errors
            raise
        except Exception as error:  # a failure of the guard must never end a fit
            self._fail(error)
            return data

    def _measure(
        self, stream: str, inputs: dict[str, Any], batch: tuple[Any, Any, Any], state: Any
    ) -> None:
        """Adds a batch, `(x, y, sample_weight)`, to the statistics; see `_observed`."""
        x, y, weight = batch
        try:
            inputs, x, y = without_padding((inputs, x, y), weight)
            if weight is not None and any(t.shape[0] == 0 for t in inputs.values()):
                return
            sketches = self.streams[stream].sketches
            measurable = {
                name: fitted(as_measurable(each), sketches[name].spec) if name in sketches else each
                for name, each in inputs.items()
            }
            self.streams[stream].update(measurable, x, y)
            if self.model_outputs is not None and stream == "validation":
                self.model_outputs.update(x, y, state)
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Stops measuring, with a warning."""
        if not self.has_failed:
            self.has_failed = True
            rest = "only goes on changing it" if self._changes_input else "leaves it alone"
            warn(f"ShiftGuard cannot measure this model's input and {rest}: {error!r}")

    @property
    def _changes_input(self) -> bool:
        """Whether some input is corrected or augmented."""
        corrections = [c for s in self.streams.values() for c in s.corrections.values()]
        augments = self.augmentation is not None and self.augmentation.is_built
        return bool(augments or any(each.is_on for each in corrections))

    def _changed(self, stream: Stream, name: str, tensor: Any) -> Any:
        """Returns one input of a batch, with the augmentation and correction that are on."""
        if self.augmentation is not None and stream is self.streams["train"]:
            # Only after the measurement, because the statistics must describe the unchanged data.
            tensor = self.augmentation.apply(name, tensor)
        return stream.corrected(name, tensor)

    def _build(self, stream: Stream, inputs: dict[str, Any]) -> None:
        """Creates the variables of the statistics, for the shapes of the first batch."""
        shapes = {name: (None, *tensor.shape[1:]) for name, tensor in inputs.items()}
        known = [other.sketches for other in self.streams.values() if other.is_built]
        for name, tensor in inputs.items():
            dtype = keras.backend.standardize_dtype(tensor.dtype)
            if len(tensor.shape) == 2 and dtype in ("int32", "int64"):  # texts of any length
                lengths = [each[name].spec.channels for each in known if name in each]
                shapes[name] = (None, lengths[0] if lengths else tensor.shape[1] or ANY_LENGTH)
        specs = specs_of(shapes, self.model)
        stream.build(specs)
        if self.augmentation is not None and not self.augmentation.is_built:
            self.augmentation.build(specs)


def _probes(function: Any) -> list[Probe]:
    """Returns the probes that have wrapped a function, the outermost first."""
    found = []
    while (probe := _probe_of(function)) is not None:
        found.append(probe)
        function = function.shiftguard_plain
    return found


def _probe_of(function: Any) -> Probe | None:
    """Returns the probe that made a wrapper; None for another function.

    The attributes alone do not identify a wrapper of a probe: a wrapper made by the user with
    `functools.wraps` has copies of them.
    """
    if getattr(function, "__globals__", None) is not globals():
        return None
    probe: Probe | None = getattr(function, "shiftguard_probe", None)
    return probe

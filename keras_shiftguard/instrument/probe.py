"""How measurements get inside the training step: the one place that touches the trainer.

`train_step` and `test_step` of the model *instance* are wrapped: they see the
raw batch, also where the user's class overrides them. On TensorFlow and
PyTorch variables may live anywhere. On JAX a step may only change the state it
is handed, so there our variables are hosted by the model's own loss tracker,
whose variables are part of that state; nothing is added to `model.metrics`.
"""

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras

from keras_shiftguard.errors import ShiftGuardError, warn
from keras_shiftguard.instrument.batch_tensors import is_dense, own, replaced, shapes_of
from keras_shiftguard.instrument.compiled_steps import CompiledSteps, keep, kept
from keras_shiftguard.instrument.model_inputs import specs_of
from keras_shiftguard.io.batches import SOURCE, is_pair, named_inputs
from keras_shiftguard.statistics.stream import Stream

STEPS = {"train_step": "train", "test_step": "validation"}


class Probe:
    """Measures, and if told corrects, what the steps of one model are fed.

    Args:
        model: A compiled model.
        streams: The `Stream` for each of `"train"` and `"validation"`.
        names: Names of the inputs, for inputs that come as a list.
        answers: A metric that is updated with `(x, y)` of every validation batch
            and may ask the model itself; None costs nothing.
        augmentation: A metric with `apply(name, x, y)`, which changes what the
            model is trained on; None costs nothing.

    Raises:
        ShiftGuardError: where the step cannot be wrapped; the message names
            the way out.
    """

    def __init__(
        self,
        model: keras.Model,
        streams: dict[str, Stream],
        names: Sequence[str],
        answers: keras.metrics.Metric | None = None,
        augmentation: Any = None,
    ) -> None:
        self.model = model
        self.streams = streams
        self.answers = answers
        self.augmentation = augmentation
        self.names = names
        self.run: object = None
        self.attached = False
        self._failed = False
        self._replaced: dict[str, Any] = {}
        self._compiled = CompiledSteps(model)
        self._is_reusable = False
        self._served_before = False
        self._shapes: dict[str, Any] = {}  # of the first batches of each stream
        self._shapes_vary = False
        self._host: keras.metrics.Metric | None = None
        self._hosted_as = f"shiftguard_{id(self):x}"

    def attach(self, run: object = None) -> None:
        """Wraps the steps, in `on_train_begin` or `on_test_begin`.

        Args:
            run: Anything that is one object for all callbacks of one `fit`. A
                probe of another run that is still on the model was left behind
                by an exception, of which Keras tells no callback.
        """
        self.run = run
        for method in STEPS:
            stale = _probe_of(vars(self.model).get(method))
            if stale is not None and stale.run is not self.run:
                stale.detach()
        if keras.backend.backend() == "jax":
            self._host = loss_tracker(self.model)
            optional = (self.answers, self.augmentation)
            hosted = [*self.streams.values(), *(each for each in optional if each is not None)]
            setattr(self._host, self._hosted_as, hosted)
        for method, stream in STEPS.items():
            original = getattr(self.model, method)
            # A step that the user set on the instance is put back afterwards.
            self._replaced[method] = vars(self.model).get(method)
            step = self._wrap(original, self.streams[stream])
            step.probe = self  # type: ignore[attr-defined]
            setattr(self.model, method, step)
        self.attached = True
        self._compiled.wrap()

    def detach(self, recipe: Hashable = None) -> None:
        """Leaves the model as it was. Safe to call twice, and after a crash.

        Args:
            recipe: What `kept_probe` may ask for to have this one again, which
                then need not be traced again; None: nobody will.
        """
        if not self.attached:
            return
        self.attached = False
        for method in STEPS:
            if _probe_of(vars(self.model).get(method)) is not self:
                continue  # a second guard has wrapped ours; it unwinds both
            previous = self._replaced[method]
            while (below := _probe_of(previous)) is not None and not below.attached:
                previous = below._replaced[method]
            if previous is None:
                delattr(self.model, method)
            else:
                setattr(self.model, method, previous)
        if self._host is not None:
            # Clearing the tracked list is what un-tracks its members.
            getattr(self._host, self._hosted_as).clear()
            delattr(self._host, self._hosted_as)
        steps_are_back = self._compiled.unwrap()
        measures_all = not self._failed and not self._shapes_vary
        self._is_reusable = recipe is not None and steps_are_back and measures_all
        if self._is_reusable:
            self._served_before = True
            keep(self.model, recipe, self)

    def can_serve(self, model: keras.Model) -> bool:
        """Whether another run of the model may have this probe."""
        steps = {method: vars(model).get(method) for method in STEPS}
        return self._is_reusable and not self.attached and self._replaced == steps

    def _wrap(self, original: Callable[..., Any], stream: Stream) -> Callable[..., Any]:
        if keras.backend.backend() != "jax":

            def step(data: Any) -> Any:
                return original(self._observe(data, stream))

            return step

        def jax_step(state: tuple[Any, ...], data: Any) -> Any:
            variables = self.model.metrics_variables
            *others, values = state  # metrics come last in training and test
            mapping = list(zip(variables, values, strict=True))
            if self.answers is not None:  # it needs the weights of this step
                mapping += zip(self.model.trainable_variables, state[0], strict=True)
                mapping += zip(self.model.non_trainable_variables, state[1], strict=True)
            with keras.StatelessScope(mapping) as scope:
                data = self._observe(data, stream)
            updated = [scope.get_current_value(variable) for variable in variables]
            values = [old if new is None else new for old, new in zip(values, updated, strict=True)]
            return original((*others, values), data)

        return jax_step

    def _observe(self, data: Any, stream: Stream) -> Any:
        """Adds a batch to the stream and returns it, corrected if that is on."""
        if self._failed or not self.attached:
            return data
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        if is_pair(x):  # source and target side by side: training is the source
            source = self._observe((x[SOURCE], y, weight), stream)[0]
            return ({**x, SOURCE: source}, *data[1:])
        try:
            x, y = own(x), own(y)
            self._note_shapes(stream, x, y)
            inputs = named_inputs(x, self.names)
            inputs = {name: t for name, t in inputs.items() if is_dense(t)}
            if not stream.is_built:
                self._build(stream, inputs)
            stream.update_state(inputs, x, y)
            if self.answers is not None and stream is self.streams["validation"]:
                self.answers.update_state(x, y)
            fed = inputs
            if self.augmentation is not None and stream is self.streams["train"]:
                # After the measurement: what is measured is what the user feeds.
                fed = {name: self.augmentation.apply(name, inputs[name], y) for name in inputs}
            corrected = {name: stream.corrected(name, fed[name]) for name in inputs}
            if all(corrected[name] is inputs[name] for name in inputs):
                return data
            return (replaced(x, corrected, self.names), *data[1:])
        except Exception as error:
            # Ours must never end a fit. On compiled backends this runs while
            # the step is traced, so a failure costs the measurement, once.
            self._failed = True
            warn(f"ShiftGuard cannot measure this model's input and leaves it alone: {error!r}")
            return data

    def _note_shapes(self, stream: Stream, x: Any, y: Any) -> None:
        """Notes whether batches of several shapes come; then no later run has this probe.

        TensorFlow makes one trace of them, which knows none of the shapes.
        """
        if keras.backend.backend() == "torch":
            return  # nothing is traced, nor kept
        shapes = shapes_of(x), shapes_of(y)
        known = self._shapes.setdefault(stream.stream, shapes)
        self._shapes_vary = self._shapes_vary or shapes != known
        relaxed = keras.backend.backend() == "tensorflow" and shapes[1] != known[1]
        if relaxed and self._served_before:
            warn(
                f"ShiftGuard may not count the labels of {stream.stream}: their shape "
                f"is not that of an earlier fit ({shapes[1]}, before {known[1]}). "
                "The next fit counts them."
            )

    def _build(self, stream: Stream, inputs: dict[str, Any]) -> None:
        """Creates the variables when the first batch is there to tell the shapes.

        Only where the model could not tell them before: a subclassed model on
        TensorFlow, which Keras builds while it traces the first step.
        """
        shapes = {name: (None, *tensor.shape[1:]) for name, tensor in inputs.items()}
        specs = specs_of(shapes, self.model)
        parts = [stream]
        if self.augmentation is not None and not self.augmentation.is_built:
            parts.append(self.augmentation)
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            with tf.init_scope():
                for part in parts:
                    part.build(specs)
        else:
            for part in parts:
                part.build(specs)


def kept_probe(model: keras.Model, recipe: Hashable) -> Probe | None:
    """The probe that was detached from the model with this recipe, if it can go on.

    Its streams are empty again.
    """
    probe: Probe | None = None if recipe is None else kept(model, recipe)
    if probe is None or not probe.can_serve(model):
        return None
    for stream in probe.streams.values():
        stream.forget()
    return probe


def _probe_of(step: Any) -> Probe | None:
    """The probe that made this wrapper, if one did."""
    return getattr(step, "probe", None)


def check_supported(model: keras.Model) -> None:
    """Refuses, before training, what cannot work."""
    if keras.backend.backend() != "jax":
        return
    if keras.config.is_nnx_enabled():
        raise ShiftGuardError(
            "ShiftGuard does not work with KERAS_NNX_ENABLED: Keras then takes the training step "
            "from the class of the model and not from the model. Set KERAS_NNX_ENABLED=false, "
            "or use keras_shiftguard.diagnose(model, images) before training."
        )
    loss_tracker(model)


def loss_tracker(model: keras.Model) -> keras.metrics.Metric:
    """The model's own loss tracker, which hosts our state on JAX."""
    for metric in model.metrics:
        # Exactly Mean: it resets its own two variables. Other metrics reset
        # everything they hold, and that would be ours too.
        if type(metric) is keras.metrics.Mean:
            return metric
    raise ShiftGuardError(
        "On the JAX backend ShiftGuard keeps its state in the model's loss tracker, and this model "
        "has none: `model.metrics` holds no keras.metrics.Mean. Compile the model, or let "
        "`metrics` include one, e.g. `self.loss_tracker = keras.metrics.Mean(name='loss')`; or "
        "use keras_shiftguard.diagnose(model, images) before training."
    )


def variable_scope(model: keras.Model) -> AbstractContextManager[Any]:
    """Where variables for the model's step must be created."""
    if keras.backend.backend() == "tensorflow":
        scope: AbstractContextManager[Any] = model.distribute_strategy.scope()
        return scope
    return nullcontext()

"""How measurements get inside the training step: the one place that touches the trainer.

`train_step` and `test_step` of the model *instance* are wrapped: they see the
raw batch, also where the user's class overrides them. On TensorFlow and
PyTorch variables may live anywhere. On JAX a step may only change the state it
is handed, so there our variables are hosted by the model's own loss tracker,
whose variables are part of that state; nothing is added to `model.metrics`.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
from keras import ops

from keras_shiftguard.data import SOURCE, is_pair, named_inputs
from keras_shiftguard.errors import ShiftGuardError, warn
from keras_shiftguard.measure import is_numeric
from keras_shiftguard.model_inputs import specs_of
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
        run: Anything that is one object for all callbacks of one `fit`. A
            probe of another run that is still on the model was left behind by
            an exception, of which Keras tells no callback.

    Raises:
        ShiftGuardError: where the step cannot be wrapped; the message names
            the way out.
    """

    def __init__(
        self,
        model: keras.Model,
        streams: dict[str, Stream],
        names: Sequence[str],
        run: object = None,
        answers: keras.metrics.Metric | None = None,
        augmentation: Any = None,
    ) -> None:
        self.model = model
        self.streams = streams
        self.answers = answers
        self.augmentation = augmentation
        self.names = names
        self.run = run
        self.attached = False
        self._failed = False
        self._replaced: dict[str, Any] = {}
        self._host: keras.metrics.Metric | None = None
        self._hosted_as = f"shiftguard_{id(self):x}"

    def attach(self) -> None:
        """Wraps the steps, in `on_train_begin` or `on_test_begin`."""
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
        self._forget_compiled()

    def detach(self) -> None:
        """Leaves the model as it was. Safe to call twice, and after a crash."""
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
        self._forget_compiled()
        if self._host is not None:
            # Clearing the tracked list is what un-tracks its members.
            getattr(self._host, self._hosted_as).clear()
            delattr(self._host, self._hosted_as)

    def _forget_compiled(self) -> None:
        """Has the steps traced again; tracing waits for the next batch."""
        for kind in ("train", "test"):
            if getattr(self.model, f"{kind}_function") is not None:
                getattr(self.model, f"make_{kind}_function")(force=True)

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
            return (_replaced(x, corrected, self.names), *data[1:])
        except Exception as error:
            # Ours must never end a fit. On compiled backends this runs while
            # the step is traced, so a failure costs the measurement, once.
            self._failed = True
            warn(f"ShiftGuard cannot measure this model's input and leaves it alone: {error!r}")
            return data

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


def is_dense(x: Any) -> bool:
    """Numeric, and not ragged or sparse."""
    return (
        is_numeric(x)
        and hasattr(x, "shape")
        and type(x).__name__
        not in (
            "RaggedTensor",
            "SparseTensor",
            "BCOO",
        )
    )


def own(data: Any) -> Any:
    """The same tensors in memory of their own, where the backend needs it.

    TensorFlow wraps the arrays that a `PyDataset` yields without a copy, if
    they happen to be aligned, and an operation may then write its result over
    its input: over the user's array, for all epochs to come. What we compute
    from a batch must never do that. Rows are gathered, since that copies on
    every device, under XLA as well, and is not optimised away.
    """
    if keras.backend.backend() != "tensorflow":
        return data

    def copied(value: Any) -> Any:
        if not is_dense(value) or not len(value.shape):
            return value
        return ops.take(value, ops.arange(ops.shape(value)[0]), axis=0)

    return keras.tree.map_structure(copied, data, none_is_leaf=False)


def _replaced(x: Any, corrected: dict[str, Any], names: Sequence[str]) -> Any:
    """`x` in its own structure, with the corrected tensors in place."""
    if isinstance(x, dict):
        return {key: corrected.get(str(key), value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        values = list(named_inputs(x, names))
        return type(x)(corrected.get(name, v) for name, v in zip(values, x, strict=True))
    return corrected.get("input", x)

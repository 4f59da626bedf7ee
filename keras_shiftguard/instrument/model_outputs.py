"""Statistics of a model's outputs, and of the activations of one of its layers."""

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.graph import sublayers
from keras_shiftguard.instrument.layer_calls import no_gradients
from keras_shiftguard.instrument.undisturbed import same_torch_numbers
from keras_shiftguard.statistics.sketches.outputs import OutputSketch
from keras_shiftguard.statistics.state import on_host

# A loss whose name contains one of these is a regression loss.
REGRESSION_LOSS = re.compile("mse|mae|mape|msle|squared|absolute|huber|cosh|tweedie|poisson")


class ModelOutputs:
    """Accumulates statistics of a model's outputs in inference mode.

    `update` adds batches of validation inside the test step; `predict` adds batches outside of any
    step, such as those of the target after an epoch. Each method has its own sketch.

    Raises:
        BadInputError: if the model does not have one output of shape (batch, classes), or
            does not have the layer.
    """

    def __init__(self, model: keras.Model, feature_layer: str | None = None) -> None:
        if not isinstance(model, keras.Model):
            raise BadInputError(f"`model` must be a keras.Model. Received: {type(model).__name__}")
        self.feature_layer = feature_layer
        self._model = model
        self._network: Any = model  # returns outputs; with a feature layer, activations as well
        self.width = _width(model)
        dimension = 0
        if feature_layer is not None:
            layer = _layer(model, feature_layer)
            inputs = model.inputs if len(model.inputs) > 1 else model.inputs[0]
            # If a name is passed, Keras does not advance its counter of model names.
            outputs = [model.outputs[0], layer.output]
            self._network = keras.Model(inputs, outputs, name="shiftguard_features")
            dimension = layer.output.shape[-1]
        arguments = (self.width, is_classifier(model), feature_layer or "", dimension or 0)
        self.sketch = OutputSketch(*arguments)  # filled by `update`
        self.predicted = OutputSketch(*arguments)  # filled by `predict`
        self._forward: Any = None  # the compiled network, only on JAX
        self._rows = 0  # of the largest batch so far, only on JAX

    def update(self, x: Any, y: Any = None, state: Sequence[Any] = ()) -> None:
        """Runs the model on one batch, with its present weights, and adds the outputs.

        On JAX the step holds the weights during a run, so `state` has the values of the trainable
        variables, and of the others.
        """
        if not state:
            with same_torch_numbers(), keras.StatelessScope(), no_gradients():
                results = self._network(x, training=False)
            self._add(self.sketch, results, y)
            return
        if self._forward is None:
            import jax

            self._forward = jax.jit(self._stateless_call)
        padded, rows = self._padded(x)
        results = self._forward(state[0], state[1], padded)
        if padded is not x:
            # On the host: JAX would compile the selection for each number of rows.
            results = keras.tree.map_structure(lambda result: np.asarray(result)[:rows], results)
        self._add(self.sketch, results, y)

    def _padded(self, x: Any) -> tuple[Any, int]:
        """Repeats the last sample up to the rows of earlier batches; returns the rows of `x` too.

        So JAX does not compile the network again for a short last batch. In inference mode the
        outputs of a sample do not depend on the other samples.
        """
        import jax

        leaves = keras.tree.flatten(x)
        rows = int(leaves[0].shape[0])
        missing = self._rows - rows
        self._rows = max(self._rows, rows)
        is_dense = all(isinstance(leaf, (np.ndarray, jax.Array)) for leaf in leaves)
        if missing <= 0 or not is_dense or keras.distribution.distribution() is not None:
            return x, rows

        def filled(leaf: Any) -> Any:
            ops: Any = np if isinstance(leaf, np.ndarray) else keras.ops
            return ops.concatenate([leaf, ops.repeat(leaf[-1:], missing, axis=0)])

        return keras.tree.map_structure(filled, x), rows

    def _stateless_call(self, trainable: Any, others: Any, x: Any) -> Any:
        """Runs the network with these values of its variables."""
        variables = [*self._model.trainable_variables, *self._model.non_trainable_variables]
        with keras.StatelessScope(list(zip(variables, [*trainable, *others], strict=True))):
            return self._network(x, training=False)

    def predict(self, x: Any, y: Any = None) -> None:
        """Runs the model on one batch outside of a step, and adds its outputs.

        Raises:
            BadInputError: if the model fails on the batch.
        """
        try:
            results = predict_batch(self._network, x)
        except Exception as error:  # a layer may raise any type
            shapes = keras.tree.map_structure(lambda part: tuple(part.shape), x)
            raise BadInputError(
                f"The model does not take this data. Received: shape {shapes}, but the model: "
                f"{cause_of(error)}"
            ) from error
        self._add(self.predicted, results, y)

    def _add(self, sketch: OutputSketch, results: Any, y: Any) -> None:
        outputs, activations = results if self.feature_layer else (results, None)
        outputs = keras.ops.convert_to_tensor(outputs)
        if activations is not None:
            activations = keras.ops.convert_to_tensor(activations)
        sketch.update(outputs, activations, y)


def cause_of(error: Exception) -> str:
    """Returns the cause of an error from a layer's `call`, on one line and without color codes.

    The first paragraph of Keras's message names the layer, and the second states the cause.
    """
    first, *rest = re.sub(r"\x1b\[\d*m", "", str(error)).strip().split("\n\n")
    is_of_keras = first.startswith("Exception encountered when calling") and rest
    return " ".join((rest[0] if is_of_keras else first).split())


def predict_batch(model: keras.Model, x: Any) -> Any:
    """Returns `model.predict_on_batch(x)` with one row for each sample.

    Under a TensorFlow strategy with several replicas, `predict_on_batch` gives the
    whole batch to each replica and returns each sample several times.
    """
    if keras.backend.backend() == "tensorflow":
        if model.distribute_strategy.num_replicas_in_sync > 1:
            return keras.tree.map_structure(keras.ops.convert_to_numpy, model(x, training=False))
    return model.predict_on_batch(x)


def is_classifier(model: keras.Model, width: int | None = None, loss: Any = None) -> bool:
    """Whether the model is a classifier and not a regression.

    A model is a classifier if its last layer is a softmax or sigmoid. Otherwise the name of the
    loss decides. If this name is unknown, a single output column means regression, and several
    columns mean classes.

    Args:
        model: The model.
        width: The number of columns of the model's output; None to read the number from the model.
        loss: The loss that the model is trained with, if a wrapper trains it; None for its own.
    """
    declared = declares_classes(model, loss)
    return (width or _width(model)) > 1 if declared is None else declared


def predicts_numbers(model: keras.Model) -> bool:
    """Whether the model is surely a regression, so that whole-number labels are not class ids."""
    return declares_classes(model) is False


def are_logits(model: keras.Model, loss: Any = None) -> bool | None:
    """Whether the outputs of a classifier are logits; None if neither layer nor loss tells.

    For `loss` see `is_classifier`.
    """
    if last_activation(model) in ("softmax", "sigmoid"):
        return False
    loss = loss or getattr(model, "loss", None)
    if isinstance(loss, str) and "crossentropy" in loss:
        return False  # the default of Keras
    from_logits = getattr(loss, "from_logits", None)
    return from_logits if isinstance(from_logits, bool) else None


def last_activation(model: keras.Model) -> str:
    """Returns the name of the activation of the last layer; "" without one."""
    last: Any = model
    while isinstance(last, keras.Model) and (inner := sublayers(last)):
        last = inner[-1]
    if isinstance(last, keras.layers.Softmax):
        return "softmax"
    return str(getattr(getattr(last, "activation", None), "__name__", ""))


def declares_classes(model: keras.Model, loss: Any = None) -> bool | None:
    """Whether the last layer or the loss makes the model a classifier; None if neither tells.

    For `loss` see `is_classifier`.
    """
    if last_activation(model) in ("softmax", "sigmoid", "log_softmax"):
        return True
    loss = loss or getattr(model, "loss", None)
    name = str(getattr(loss, "name", None) or getattr(loss, "__name__", None) or loss or "").lower()
    if "entropy" in name or "hinge" in name or "kl_div" in name:
        return True
    return False if REGRESSION_LOSS.search(name) else None


def fingerprint(model: keras.Model) -> str:
    """Returns a hash of the weights. Outputs are comparable if they come from equal weights."""
    digest = hashlib.sha256()
    for weight in model.weights:
        digest.update(np.ascontiguousarray(on_host(weight)).tobytes())
    return digest.hexdigest()[:16]


def _width(model: keras.Model) -> int:
    """Returns the number of columns of the output; raises `BadInputError` if it has no columns."""
    shape = getattr(model, "output_shape", None)
    built_with = (model.get_build_config() or {}).get("input_shape")
    if shape is None and isinstance(built_with, (tuple, list)):
        # Only a (symbolic) call shows the output shape of a subclassed model.
        with suppress(Exception):  # the user's own `call` may raise anything
            shape = model.compute_output_spec(keras.KerasTensor((None, *built_with[1:]))).shape
    if not isinstance(shape, tuple) or len(shape) != 2 or not isinstance(shape[1], int):
        raise BadInputError(
            "Outputs can be profiled for built models with one output of shape (batch, classes). "
            f"Received: output shape {shape}. Profile the data without `model`."
        )
    return shape[1]


def _layer(model: keras.Model, name: str) -> keras.layers.Layer:
    """Returns the layer with this name; raises `BadInputError` if there is none."""
    if not getattr(model, "inputs", None):
        raise BadInputError(
            "`feature_layer` needs a functional or sequential model, whose layers are connected "
            f"by known tensors. Received: {type(model).__name__}. Profile without `feature_layer`."
        )
    names = [layer.name for layer in model.layers]
    if name not in names:
        raise BadInputError(
            f"`feature_layer` must be the name of a layer of the model. Received: {name!r}. "
            f"Layers: {', '.join(names[-12:])}{' (last 12)' if len(names) > 12 else ''}"
        )
    return model.get_layer(name)

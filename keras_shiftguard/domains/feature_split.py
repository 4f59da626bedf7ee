"""`Split`: a model divided into a feature extractor and a head."""

import math
from typing import Any

import keras

from keras_shiftguard.errors import BadInputError, warn
from keras_shiftguard.instrument.graph import calls

# Types of layers that may follow the head and are never the head.
LAYERS_AFTER_HEAD = ("Activation", "Softmax", "Dropout", "Flatten", "Reshape", "Identity", "ReLU")


class Split:
    """A model divided into a feature extractor and a head. The layers are not copied.

    Args:
        model: A functional or sequential model with one output.
        feature_layer: Name of the layer whose output is the features. With None, the
            head is the last layer that has weights, and its input is the features.

    Attributes:
        name: Name of the layer whose output is the features.
        features_and_outputs: Model from the inputs to `[features, outputs]`.
        memory: The moving averages of batch norm in the model.
        width: Number of features of a sample.
        num_outputs: Size of the last axis of the output.
    """

    def __init__(self, model: keras.Model, feature_layer: str | None = None) -> None:
        _check_model(model)
        output = model.outputs[0]
        candidates = _candidates(model)
        if feature_layer is None:
            head, tensors = _head(model)
            tensor = tensors[0]
            if len(tensors) > 1:
                raise BadInputError(
                    f"The head {head.name!r} takes several tensors: name the features yourself, "
                    f"with `feature_layer=`. Candidates: {list(candidates)}"
                )
            self.name = next((name for name, t in candidates.items() if t is tensor), "")
            if not self.name:
                raise BadInputError(
                    f"{model.name!r} has no split point: its head {head.name!r} is its first "
                    "layer, and there are no features before it to align. Put a layer before it."
                )
        elif feature_layer in candidates:
            tensor, self.name = candidates[feature_layer], feature_layer
        else:
            is_output = any(
                call.operation.name == feature_layer and call.output_tensors[0] is output
                for call in calls(model)
            )
            wrong = "is the output" if is_output else "is none of these"
            raise BadInputError(
                f"`feature_layer` must name a layer of {model.name!r} before its output, and "
                f"{feature_layer!r} {wrong}. Candidates: {list(candidates)}"
            )
        if None in tensor.shape[1:]:
            raise BadInputError(
                f"The features of {self.name!r} have the shape {tuple(tensor.shape)}: all but the "
                "batch must be fixed. "
                f"Other candidates: {[name for name in candidates if name != self.name]}"
            )
        self.width = math.prod(tensor.shape[1:])
        self.num_outputs = int(output.shape[-1])
        self.features_and_outputs = keras.Model(
            structured_inputs(model), [tensor, output], name=f"{model.name}_split"
        )
        # A forward pass in training mode changes the moving averages of batch norm.
        names = ("moving_mean", "moving_variance")
        self.memory = [v for v in model.non_trainable_variables if v.name in names]


def _check_model(model: Any) -> None:
    """Raises a BadInputError unless the model is built and has one output of rank 2."""
    if not isinstance(model, keras.Model):
        raise BadInputError(f"`model` must be a keras.Model. Received: {type(model).__name__}")
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        raise BadInputError(
            f"{model.name!r} has no split point: the model must be functional, or sequential with "
            "a known input shape. Build a sequential model on a batch, or write "
            "`outputs = head(extractor(inputs)); keras.Model(inputs, outputs)`."
        )
    if len(model.outputs) != 1:
        raise BadInputError(
            f"The model to adapt must have one output. Received: {len(model.outputs)} outputs."
        )
    if len(model.outputs[0].shape) != 2:
        raise BadInputError(
            "The model to adapt must have one row of numbers for each sample as output. "
            f"Received: an output of shape {tuple(model.outputs[0].shape)}"
        )


def warn_of_own_methods(model: keras.Model) -> None:
    """Warns if the class of a model itself defines methods that train or test it."""
    names = ("train_step", "compute_loss", "call", "compute_metrics", "test_step")
    own = [n for n in names if not getattr(type(model), n).__module__.startswith("keras.")]
    if own:
        warn(
            f"{type(model).__name__} itself defines `{'`, `'.join(own)}`, which "
            "DomainAdaptationModel does not use: the model is trained and tested with the "
            "compiled loss and metrics, layer by layer."
        )


def structured_inputs(model: keras.Model) -> Any:
    """Returns the inputs of the model in the structure that its call expects."""
    return model.inputs[0] if isinstance(model, keras.Sequential) else model.input


def _candidates(model: keras.Model) -> dict[str, Any]:
    """Returns the outputs of the possible feature layers by name, in the order of the calls.

    `layer.output` would be the output of the layer's first call. That call belongs to another graph
    if the layer is shared with another model, and also if layers were added to a sequential model
    one by one, as `load_model` does.
    """
    found: dict[str, Any] = {}
    for call in calls(model):
        tensor, *others = call.output_tensors
        is_layer = isinstance(call.operation, keras.layers.Layer)
        if is_layer and not others and len(tensor.shape) >= 2 and tensor is not model.outputs[0]:
            found.setdefault(call.operation.name, tensor)
    return found


def _head(model: keras.Model) -> tuple[keras.layers.Layer, list[Any]]:
    """Returns the last layer with weights that may be the head, and its input tensors."""
    for call in reversed(list(calls(model))):
        layer = call.operation
        if getattr(layer, "weights", ()) and type(layer).__name__ not in LAYERS_AFTER_HEAD:
            return layer, list(call.input_tensors)
    raise BadInputError(f"{model.name!r} has no split point: no layer of it has weights.")

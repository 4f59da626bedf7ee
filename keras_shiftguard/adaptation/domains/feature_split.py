"""Where a model is cut in two: the features that are aligned, and the head behind them."""

from typing import Any

import keras

from keras_shiftguard.errors import BadInputError

# What only shapes, rescales or drops, behind the head's last weights.
WITHOUT_WEIGHTS = ("Activation", "Softmax", "Dropout", "Flatten", "Reshape", "Identity", "ReLU")


class Split:
    """A model seen as an extractor of features, and a head.

    Nothing is copied: all parts share the layers of `model`.

    Args:
        model: A functional or sequential model with one output.
        feature_layer: Name of the layer whose output is aligned; None for what
            goes into the last layer that has weights.

    Attributes:
        name: Name of the layer whose output is aligned.
        both: Model from the inputs to `[features, outputs]`, in one pass.
        width: Number of features, flattened.
        num_outputs: Width of the last axis of the output.

    Raises:
        BadInputError: where the model cannot be cut there; the message lists
            where it can.
    """

    def __init__(self, model: keras.Model, feature_layer: str | None = None) -> None:
        _check_model(model)
        output = model.outputs[0]
        found = _candidates(model)
        if feature_layer is None:
            head = _head(model)
            tensor = head.input
            if isinstance(tensor, (list, tuple, dict)):
                raise BadInputError(
                    f"The head {head.name!r} takes several tensors: name the features yourself, "
                    f"with `feature_layer=`. Candidates: {list(found)}"
                )
            self.name = next((name for name, t in found.items() if t is tensor), "")
            if not self.name:
                raise BadInputError(
                    f"{model.name!r} has no split point: its head {head.name!r} is its first "
                    "layer, and there are no features before it to align. Put a layer before it."
                )
        else:
            if feature_layer not in found:
                is_output = any(
                    layer.name == feature_layer and _output_of(layer) is output
                    for layer in model.layers
                )
                wrong = "is the output" if is_output else "is none of its layers"
                raise BadInputError(
                    f"`feature_layer` must name a layer of {model.name!r} before its output, and "
                    f"{feature_layer!r} {wrong}. Candidates: {list(found)}"
                )
            tensor, self.name = found[feature_layer], feature_layer
        if None in tensor.shape[1:]:
            raise BadInputError(
                f"The features of {self.name!r} have the shape {tuple(tensor.shape)}: all but the "
                f"batch must be fixed. Other candidates: {[n for n in found if n != self.name]}"
            )
        self.tensor = tensor
        self.width = 1
        for size in tensor.shape[1:]:
            self.width *= int(size)
        self.num_outputs = int(output.shape[-1])
        try:
            self.both = _closed(_structure(model), [tensor, output], f"{model.name}_split")
        except (ValueError, KeyError) as error:
            # A layer knows its output in the first model that it was part of.
            raise BadInputError(
                f"The output of {self.name!r} is that of another model, which shares the layer "
                "with this one. Adapt `keras.models.clone_model(model)` with the weights set. "
                f"({error})"
            ) from error
        self.model = model

    def head(self) -> keras.Model:
        """The model from the features to the output."""
        try:
            return _closed(self.tensor, self.model.outputs[0], f"{self.model.name}_head")
        except (ValueError, KeyError) as error:
            raise BadInputError(
                f"The output of {self.model.name!r} does not depend on {self.name!r} alone. "
                f"({error})"
            ) from error

    def extractor(self) -> keras.Model:
        """The model from the inputs to the features."""
        return keras.Model(_structure(self.model), self.tensor, name=f"{self.model.name}_features")

    def is_frozen(self) -> bool:
        """Whether nothing before the features can be trained."""
        return not self.extractor().trainable_variables


def _closed(inputs: Any, outputs: Any, name: str) -> keras.Model:
    """A model of what lies between these tensors; a ValueError if it needs other inputs."""
    model = keras.Model(inputs, outputs, name=name)
    entries = [layer for layer in model.layers if isinstance(layer, keras.layers.InputLayer)]
    # Keras 3.13 finds that out in the first call.
    if len(entries) > len(model.inputs):
        raise ValueError(f"Inputs that are needed: {[entry.name for entry in entries]}")
    return model


def _check_model(model: Any) -> None:
    if not isinstance(model, keras.Model):
        raise BadInputError(f"`model` must be a keras.Model. Received: {type(model).__name__}")
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        raise BadInputError(
            f"{model.name!r} has no split point: only a functional or sequential model whose "
            "input shape is known tells which tensors lie inside it. Build it on a batch (a "
            "sequential one), or write `outputs = head(extractor(inputs)); "
            "keras.Model(inputs, outputs)`."
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


def _structure(model: keras.Model) -> Any:
    """The inputs in the structure in which the model takes them."""
    if isinstance(model, keras.Sequential):
        return model.inputs[0]
    return model.input


def _output_of(layer: keras.layers.Layer) -> Any:
    try:
        return layer.output
    except (AttributeError, ValueError):  # never called, or more than once
        return None


def _candidates(model: keras.Model) -> dict[str, Any]:
    """The layers that can be named, and their outputs, from front to back."""
    found: dict[str, Any] = {}
    for layer in model.layers:
        tensor = _output_of(layer)
        is_input = isinstance(layer, keras.layers.InputLayer)
        if is_input or not isinstance(tensor, keras.KerasTensor) or len(tensor.shape) < 2:
            continue
        if tensor is not model.outputs[0]:
            found[layer.name] = tensor
    return found


def _head(model: keras.Model) -> keras.layers.Layer:
    """The last layer with weights."""
    for layer in reversed(model.layers):
        if layer.weights and type(layer).__name__ not in WITHOUT_WEIGHTS:
            return layer
    raise BadInputError(f"{model.name!r} has no split point: no layer of it has weights.")

"""The names, shapes and data format of a model's inputs, read before any batch."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_shiftguard.instrument.graph import walk
from keras_shiftguard.statistics.batch import InputSpec, spec_for

IMAGE_CHANNELS = (1, 3, 4)  # numbers of channels. Given by gray, RGB and RGBA images.


def input_shapes(model: keras.Model) -> dict[str, tuple[int | None, ...]]:
    """Returns the shapes of the model's inputs by name, each with the batch dimension.

    The dict is empty if the shapes are not known yet.
    """
    declared = _declared_inputs(model)
    if declared is not None:
        single = {name: x for name, x in declared.items() if not keras.tree.is_nested(x)}
        return {name: tuple(x.shape) for name, x in single.items()}
    # A subclassed model stores the shapes that it was built with.
    shape = (model.get_build_config() or {}).get("input_shape")
    if isinstance(shape, dict):
        return {name: (None, *each[1:]) for name, each in shape.items()}
    if isinstance(shape, (list, tuple)) and shape:
        if isinstance(shape[0], (list, tuple)):
            return {f"input_{i}": (None, *each[1:]) for i, each in enumerate(shape)}
        return {"input": (None, *shape[1:])}
    return {}


def _declared_inputs(model: keras.Model) -> dict[str, Any] | None:
    """Returns the symbolic inputs of a model by name; None if it declares none."""
    try:
        declared = model.input
    except (AttributeError, ValueError, RuntimeError):  # subclassed, or never called
        return None
    if declared is None or isinstance(declared, dict):
        return declared
    tensors = keras.tree.flatten(declared)
    return {"input": tensors[0]} if len(tensors) == 1 else {x.name: x for x in tensors}


def specs_of(shapes: Mapping[str, tuple[int | None, ...]], model: keras.Model) -> list[InputSpec]:
    """Returns the specifications of inputs with these shapes; what is not measured is left out.

    That are unsupported shapes, and inputs that the model declares as strings.
    """
    data_format, strings = image_data_format(model), _string_inputs(model)
    specs = [spec_for(name, shape, data_format) for name, shape in shapes.items()]
    return [spec for spec in specs if spec is not None and spec.name not in strings]


def _string_inputs(model: keras.Model) -> set[str]:
    """Returns the names of the inputs that the model declares as strings."""
    declared = _declared_inputs(model)
    if declared is None:  # such as a `Sequential` that was never called
        return {"input"} if getattr(model, "input_dtype", "") == "string" else set()
    return {name for name, each in declared.items() if getattr(each, "dtype", "") == "string"}


def have_known_sizes(shapes: Mapping[str, tuple[int | None, ...]]) -> bool:
    """Whether the inputs have shapes that tell how many numbers a row of each has.

    A text may be declared with any length. The first batch then tells.
    """
    return bool(shapes) and all(len(s) != 2 or s[1] is not None for s in shapes.values())


def image_data_format(model: keras.Model) -> str:
    """Returns the data format of the images that a model accepts.

    The result is the data format of the first layer that has one, else Keras's default. A model
    whose layers have the channels first may take images with the channels last, and transpose them.
    """
    found = str(keras.config.image_data_format())
    for layer in walk(model):
        if getattr(layer, "data_format", None) in ("channels_last", "channels_first"):
            found = str(layer.data_format)
            break
    images = [shape for shape in input_shapes(model).values() if len(shape) >= 4]
    if images and found == "channels_first":
        if all(s[-1] in IMAGE_CHANNELS and s[1] not in IMAGE_CHANNELS for s in images):
            return "channels_last"
    return found

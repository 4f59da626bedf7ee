"""Builds an input correction into a model, from stock Keras parts only.

The saved model must load on a machine where keras_shiftguard is not installed. So the correction
consists only of operations of `keras.ops` and layers of Keras, such as `Rescaling`.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.errors import BadInputError, ShiftWarning
from keras_shiftguard.preprocessing.correction.layer import InputCorrection
from keras_shiftguard.profiles.attached import CORRECTED


def apply_correction(
    model: keras.Model, fix: InputCorrection | Mapping[str, InputCorrection]
) -> keras.Model:
    """Returns a model that corrects its input with `fix` and then runs `model`.

    The result takes images as they were fed to `model`, of any numeric dtype.
    If `model` was compiled, the result is compiled as well, with a fresh optimizer.

    Args:
        model: A functional, sequential or subclassed model.
        fix: One correction for the only image input, or one for each of
            several inputs, by name.

    Returns:
        A functional `keras.Model` that contains `model` as one layer and shares its weights. Its
        `.keras` file loads with Keras alone (a subclassed model also needs its own class).

    Raises:
        BadInputError: If a fix cannot be assigned to an input, or if the model
            cannot be called on a symbolic input.
    """
    template = _inputs_of(model, fix)
    tensors = keras.tree.flatten(template)
    fixes = _by_position(template, tensors, fix)
    inputs, corrected = [], []
    for i, tensor in enumerate(tensors):
        dtype = tensor.dtype
        if i in fixes and dtype != "float64":
            dtype = "float32"  # half precision would round integer pixels
        x = keras.Input(batch_shape=tensor.shape, dtype=dtype, name=tensor.name)
        inputs.append(x)
        if i in fixes:
            x = _correct(x, fixes[i], f"{tensor.name}_correction")
            if not keras.backend.is_float_dtype(tensor.dtype):
                # The cast truncates: 254.99999 would become 254.
                x = ops.cast(ops.round(x), tensor.dtype)
        corrected.append(x)
    try:
        outputs = model(keras.tree.pack_sequence_as(template, corrected))
    except Exception as error:
        raise BadInputError(
            f"{model.name!r} cannot be called on a symbolic input, which is needed to put the "
            "correction in front of it. Apply `diagnosis.fix`, a Keras layer, to the data "
            f"instead, for instance with `dataset.map`. ({type(error).__name__}: {error})"
        ) from error
    result = keras.Model(
        keras.tree.pack_sequence_as(template, inputs),
        _named_as_before(model, outputs),
        name=f"{model.name}{CORRECTED}",
    )
    if getattr(model, "compiled", False):
        _compile_alike(result, model)
    return result


def _inputs_of(model: keras.Model, fix: InputCorrection | Mapping[str, InputCorrection]) -> Any:
    """Returns the symbolic inputs of the model, in the structure that the model accepts."""
    if getattr(model, "inputs", None):
        # A functional model keeps the structure in `input`; a sequential one has one input.
        found = getattr(model, "input", model.inputs) if hasattr(model, "output_names") else None
        return model.inputs[0] if found is None and len(model.inputs) == 1 else found
    # A subclassed model only stores the shapes that it was built with.
    shapes = (model.get_build_config() or {}).get("input_shape")
    if shapes is None:
        if isinstance(fix, Mapping) and len(fix) > 1:
            raise BadInputError(
                f"The input shapes of {model.name!r} are not known. Call it once on a batch."
            )
        only_fix = fix if isinstance(fix, InputCorrection) else next(iter(fix.values()))
        channels = np.size(only_fix.scale) if np.ndim(only_fix.scale) else None
        channels_last = only_fix.data_format == "channels_last"
        shapes = (None, None, None, channels) if channels_last else (None, channels, None, None)
    return _symbolic(shapes, "input")


def _symbolic(shapes: Any, name: str) -> Any:
    """Returns one symbolic tensor for each shape in a structure of shapes."""
    if isinstance(shapes, Mapping):
        return {key: _symbolic(shape, str(key)) for key, shape in shapes.items()}
    if shapes and isinstance(shapes[0], list | tuple | Mapping):
        return [_symbolic(shape, f"{name}_{i}") for i, shape in enumerate(shapes)]
    # The model takes batches of any size, not only of the size that it was built with.
    return keras.KerasTensor((None, *shapes[1:]), dtype="float32", name=name)


def _by_position(
    template: Any, tensors: list[Any], fix: InputCorrection | Mapping[str, InputCorrection]
) -> dict[int, InputCorrection]:
    """Returns the correction for each position in `tensors`, the inputs of `template` in a list."""
    if isinstance(fix, InputCorrection):
        images = [i for i, tensor in enumerate(tensors) if len(tensor.shape) == 4]
        images = [0] if len(tensors) == 1 else images
        if len(images) != 1:
            raise BadInputError(
                f"The model has {len(images)} image inputs: say which one the fix is for, as in "
                f"{{{tensors[0].name!r}: fix}}. Received: fix={fix!r}"
            )
        return {images[0]: fix}
    if len(tensors) == 1 and len(fix) == 1:
        return {0: next(iter(fix.values()))}
    # An input is named by its key in a dict, by its own name or by its number.
    known = {f"input_{i}": i for i in range(len(tensors))}
    known |= {tensor.name: i for i, tensor in enumerate(tensors)}
    if isinstance(template, Mapping):
        order = {id(tensor): i for i, tensor in enumerate(tensors)}
        known |= {key: order[id(tensor)] for key, tensor in template.items()}
    missing = [name for name in fix if name not in known]
    if missing:
        raise BadInputError(
            f"The model has no input {missing[0]!r}. Its inputs: {[t.name for t in tensors]}"
        )
    return {known[name]: layer for name, layer in fix.items()}


def _correct(x: Any, fix: InputCorrection, name: str) -> Any:
    """Returns the symbolic tensor `x` after the correction."""
    axis = 1 if fix.data_format == "channels_first" else -1
    if fix.permutation is not None:
        x = ops.take(x, list(fix.permutation), axis=axis)
    scale, offset = np.unique(fix.scale), np.unique(fix.offset)
    if len(scale) == len(offset) == 1:
        if scale[0] == 1 and offset[0] == 0:
            return x
        numbers = float(scale[0]), float(offset[0])
        return keras.layers.Rescaling(*numbers, name=name, dtype=x.dtype)(x)
    # `Rescaling` would put a list of factors on the axis that `image_data_format`
    # names in the program that loads the model. Constants of a fixed shape always apply to the
    # right axis.
    shape = (-1, 1, 1) if axis == 1 else (-1,)
    if len(scale) > 1 or scale[0] != 1:
        x = x * np.asarray(fix.scale, dtype=x.dtype).reshape(shape)
    if len(offset) > 1 or offset[0] != 0:
        x = x + np.asarray(fix.offset, dtype=x.dtype).reshape(shape)
    return x


def _named_as_before(model: keras.Model, outputs: Any) -> Any:
    """Returns the outputs under their old names, to which losses and metrics refer."""
    names = list(getattr(model, "output_names", None) or ())
    flat = keras.tree.flatten(outputs)
    taken = {model.name, *getattr(model, "input_names", ())}
    if len(names) != len(flat) or len(set(names)) != len(names) or taken & set(names):
        return outputs
    named = []
    for name, tensor in zip(names, flat, strict=True):
        dtype = tensor.dtype if keras.backend.is_float_dtype(tensor.dtype) else "float32"
        named.append(keras.layers.Identity(name=name, dtype=dtype)(tensor))
    return keras.tree.pack_sequence_as(outputs, named)


def _compile_alike(result: keras.Model, model: keras.Model) -> None:
    """Compiles `result` as `model` was compiled, and warns if that is not possible."""
    try:
        result.compile_from_config(model.get_compile_config())
    except Exception as error:  # a custom loss or metric that is not registered
        warnings.warn(
            f"The corrected model is not compiled: {type(error).__name__}: {error} "
            "Call `compile` on it before `evaluate` or `fit`; `predict` works as it is.",
            ShiftWarning,
            stacklevel=4,
        )

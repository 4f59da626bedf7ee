"""`profile`: the sketches of the training step, over data, without training."""

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from keras_shiftguard.data import batches, named_inputs
from keras_shiftguard.errors import BadInputError, NotInThisVersionError
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.batch import spec_for
from keras_shiftguard.statistics.sketch import Sketch

# float32 counts are exact to 2**24; nobody feeds 2**24 samples in 64 batches.
BATCHES_PER_DRAIN = 64


def profile(data: Any, model: Any = None, feature_layer: str | None = None) -> InputProfile:
    """Measures a stream of data in one pass and constant memory.

    Args:
        data: Whatever `fit` accepts, see `data.batches`. Labels are ignored
            in this version.
        model: Not in this version: profiles of a model's outputs.
        feature_layer: Not in this version.

    Returns:
        An `InputProfile`, with one summary for each numeric input.

    Raises:
        BadInputError: if there is no data, or none that can be measured.

    Example:

    >>> profile(np.zeros((8, 4, 4, 3), "float32")).num_samples
    8
    """
    if model is not None or feature_layer is not None:
        raise NotInThisVersionError(
            "profile(model=..., feature_layer=...) is not in this version; profile(data) is."
        )
    return profile_of(named_inputs(x) for x, _, _ in batches(data))


def profile_of(stream: Iterable[dict[str, Any]]) -> InputProfile:
    """The profile of batches that are dicts of tensors by name."""
    sketches: dict[str, Sketch] = {}
    total = InputProfile()
    count = 0
    for inputs in stream:
        for name, x in inputs.items():
            if not is_numeric(x):
                continue
            if name not in sketches:
                spec = spec_for(name, tuple(x.shape), keras.config.image_data_format())
                if spec is None:
                    continue
                sketches[name] = Sketch(spec)
            sketches[name].update(ops.convert_to_tensor(x))
        count += 1
        if count % BATCHES_PER_DRAIN == 0:
            total = total + _drain(sketches)
    if not sketches:
        what = "holds no numeric input of at least two dimensions" if count else "is empty"
        raise BadInputError(f"There is nothing to measure: `data` {what}.")
    return total + _drain(sketches)


def is_numeric(x: Any) -> bool:
    """Whether the tensor holds real numbers that the sketches can take."""
    try:
        name = keras.backend.standardize_dtype(x.dtype)
    except (AttributeError, ValueError, TypeError):
        return False
    return name.startswith(("float", "bfloat", "int", "uint"))


def _drain(sketches: dict[str, Sketch]) -> InputProfile:
    return InputProfile({name: sketch.drain() for name, sketch in sketches.items()})

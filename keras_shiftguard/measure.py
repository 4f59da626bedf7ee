"""`profile`: the sketches of the training step, over data, without training."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from keras_shiftguard.answers import Answers, fingerprint
from keras_shiftguard.data import batches, named_inputs
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.batch import spec_for
from keras_shiftguard.statistics.labels import LabelSketch, width_of
from keras_shiftguard.statistics.sketch import Sketch

# float32 counts are exact to 2**24; nobody feeds 2**24 samples in 64 batches.
BATCHES_PER_DRAIN = 64
# The costly statistics take so many samples at a time: memory stays constant
# even if a batch is the whole data.
CHUNK = 256


def profile(data: Any, model: Any = None, feature_layer: str | None = None) -> InputProfile:
    """Measures a stream of data in one pass and constant memory.

    Args:
        data: Whatever `fit` accepts, see `data.batches`; with labels, these
            are counted as well.
        model: A built Keras model with one output. It is asked about every
            batch, in inference mode, and what it says is profiled as well.
            `data` must be what the model takes.
        feature_layer: Name of one of its layers, whose activations are
            embedded. Needs `model`.

    Returns:
        An `InputProfile`, with one summary for each numeric input.

    Raises:
        BadInputError: if there is no data, or none that can be measured, or
            the model cannot be asked.

    Example:

    >>> profile(np.zeros((8, 4, 4, 3), "float32")).num_samples
    8
    """
    if feature_layer is not None and model is None:
        raise BadInputError(
            "`feature_layer` is a layer of `model`: pass the model as well. "
            f"Received: feature_layer={feature_layer!r}, model=None"
        )
    if model is None:
        return profile_of((named_inputs(x), y) for x, y, _ in batches(data, CHUNK))
    answers = Answers(model, feature_layer)
    names = list(getattr(model, "input_names", None) or [])

    def asked() -> Iterator[tuple[dict[str, Any], Any]]:
        for x, y, _ in batches(data, CHUNK):
            answers.ask(x, y)
            yield named_inputs(x, names), y

    measured = profile_of(asked())
    return replace(measured, outputs=answers.drain(fingerprint(model)))


def profile_of(stream: Iterable[tuple[dict[str, Any], Any]]) -> InputProfile:
    """The profile of batches: a dict of tensors by name, and labels or None."""
    sketches: dict[str, Sketch] = {}
    labels = LabelSketch()
    total = InputProfile()
    count = 0
    for inputs, y in stream:
        tensors = {}
        for name, x in inputs.items():
            if not is_numeric(x):
                continue
            tensor = ops.convert_to_tensor(x)
            if name not in sketches:
                data_format = keras.config.image_data_format()
                kind = keras.backend.standardize_dtype(tensor.dtype)
                spec = spec_for(name, tuple(x.shape), data_format, kind)
                if spec is None:
                    continue
                sketches[name] = Sketch(spec)
            tensors[name] = tensor
        _add(sketches, labels, tensors, ops.convert_to_tensor(y) if width_of(y) else None)
        count += 1
        if count % BATCHES_PER_DRAIN == 0:
            total = total + _drain(sketches, labels)
    if not sketches:
        what = "holds no numeric input of at least two dimensions" if count else "is empty"
        raise BadInputError(f"There is nothing to measure: `data` {what}.")
    return total + _drain(sketches, labels)


def is_numeric(x: Any) -> bool:
    """Whether the tensor holds real numbers that the sketches can take."""
    try:
        name = keras.backend.standardize_dtype(x.dtype)
    except (AttributeError, ValueError, TypeError):
        return False
    return name.startswith(("float", "bfloat", "int", "uint"))


def _add(sketches: dict[str, Sketch], labels: LabelSketch, tensors: dict[str, Any], y: Any) -> None:
    """Adds every sample of one batch to every statistic."""
    if y is not None:
        labels.update(y)
    for name, x in tensors.items():
        sketches[name].update(x)
        for start in range(0, x.shape[0], CHUNK):
            projections, weight = sketches[name].measure(x[start : start + CHUNK])
            if y is not None and name == next(iter(sketches)):
                labels.measure(y[start : start + CHUNK], projections, weight)


def _drain(sketches: dict[str, Sketch], labels: LabelSketch) -> InputProfile:
    inputs = {name: sketch.drain() for name, sketch in sketches.items()}
    return InputProfile(inputs, labels=labels.drain())

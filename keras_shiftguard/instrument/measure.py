"""`profile`: measures the statistics of data without training."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.model_inputs import input_shapes
from keras_shiftguard.instrument.model_outputs import ModelOutputs, fingerprint
from keras_shiftguard.instrument.steps.batch_tensors import (
    not_supported,
    why_not_measured,
    without_padding,
)
from keras_shiftguard.io.batches import Batch, Shape, named_inputs
from keras_shiftguard.io.source import open_source
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.batch import as_measurable, spec_for
from keras_shiftguard.statistics.classes import warn_of_text, width_of
from keras_shiftguard.statistics.padding import Padding
from keras_shiftguard.statistics.sketch import Sketch
from keras_shiftguard.statistics.sketches.labels import LabelSketch

# The statistics are read and reset after this many batches. They count samples in float32, which is
# exact up to 2**24. So the count is exact if each batch has at most 131,072 samples. A convention.
BATCHES_PER_DRAIN = 128
# Number of samples measured at a time, so that memory stays constant for batches of any size. A
# convention.
CHUNK = 256


def profile(
    data: Any,
    model: Any = None,
    feature_layer: str | None = None,
    distinct_samples: int | float | None = None,
) -> InputProfile:
    """Measures the statistics of data, in one pass and with constant memory.

    Args:
        data: Finite data in any form that `fit` accepts, see `io.source.open_source`. Labels are
            counted as well.
        model: A built Keras model with one output. Its predictions in inference
            mode are profiled as well. The model must accept `data`.
        feature_layer: Name of a layer of `model`, whose activations are profiled as
            well.
        distinct_samples: Number of independent samples, or their share in (0, 1], such as 1/10
            for clips of ten frames. None means that all samples are independent.

    Returns:
        An `InputProfile`, with one summary for each numeric input.

    Raises:
        BadInputError: if `data` is empty or has no input that can be measured, if the outputs of
            the model cannot be profiled, or if `distinct_samples` is not above 0.

    Example:

    >>> profile(np.zeros((8, 4, 4, 3), "float32")).num_samples
    8
    """
    if feature_layer is not None and model is None:
        raise BadInputError(
            "`feature_layer` is a layer of `model`: pass the model as well. "
            f"Received: feature_layer={feature_layer!r}, model=None"
        )
    if distinct_samples is not None and not _is_positive(distinct_samples):
        raise BadInputError(
            "`distinct_samples` must be a positive number of samples, or a share of them above 0 "
            f"and up to 1. Received: distinct_samples={distinct_samples!r}"
        )
    measured = _profile(data, model, feature_layer)
    if distinct_samples is None:
        return measured
    is_share = isinstance(distinct_samples, (float, np.floating)) and distinct_samples <= 1
    number = round(distinct_samples * measured.num_samples) if is_share else int(distinct_samples)
    return replace(measured, distinct_samples=min(max(number, 1), measured.num_samples))


def _is_positive(number: Any) -> bool:
    """Whether a value is a finite number above 0, and not a boolean."""
    is_number = isinstance(number, (int, float, np.number)) and not isinstance(number, bool)
    return bool(is_number and 0 < number < np.inf)


def _profile(data: Any, model: Any, feature_layer: str | None) -> InputProfile:
    """Returns the measured profile, in which all samples count as independent."""
    if model is None:
        source = open_source(data)
        measured = profile_of(named_batches(source.all_batches(CHUNK)))
        return measured.with_columns(source.columns)
    outputs = ModelOutputs(model, feature_layer)
    shapes = input_shapes(model)
    source = open_source(data, shapes=shapes)

    def predicted_batches() -> Iterator[tuple[dict[str, Any], Any]]:
        for x, y in unpadded_batches(source.all_batches(CHUNK)):
            outputs.predict(x, y)
            yield named_inputs(x, shapes), y

    measured = profile_of(predicted_batches()).with_columns(source.columns)
    return replace(measured, outputs=outputs.predicted.drain(fingerprint(model)))


def named_batches(
    data: Iterable[Batch], shapes: Mapping[str, Shape] | None = None
) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yields the inputs by name, and the labels, of batches; without samples of weight 0."""
    for x, y in unpadded_batches(data):
        yield named_inputs(x, shapes), y


def unpadded_batches(data: Iterable[Batch]) -> Iterator[tuple[Any, Any]]:
    """Yields the inputs and labels of batches, without samples of weight 0."""
    for x, y, weight in data:
        x, y = without_padding((x, y), weight)
        sizes = [t.shape[0] for t in named_inputs(x).values() if len(getattr(t, "shape", ()))]
        if weight is None or 0 not in sizes:
            yield x, y


def profile_of(
    stream: Iterable[tuple[dict[str, Any], Any]],
    details: bool = True,
    data_format: str | None = None,
) -> InputProfile:
    """Returns the profile of a stream of batches.

    Args:
        stream: Pairs of a dict of tensors by input name, and labels or None.
        details: Whether to measure features and embeddings of each sample. If False, only pixel
            statistics are measured, which are all that `diagnose` needs.
        data_format: `"channels_last"` or `"channels_first"`; None for Keras's default.

    Raises:
        BadInputError: if the stream is empty, or holds no input that can be measured.
    """
    measurement = Measurement(details, data_format)
    total = InputProfile()
    count = 0
    for inputs, y in stream:
        measurement.add(inputs, y)
        count += 1
        if count % BATCHES_PER_DRAIN == 0:
            total = total + measurement.drain()
    if not measurement.sketches:
        what = "is empty"
        if count:
            what = "holds no input that can be measured"
            reasons = [f"{name!r} ({why})" for name, why in measurement.left_out.items()]
            what += f": {' and '.join(reasons)}" if reasons else ""
            what += ". Pass arrays of numbers: np.asarray(data) for a list"
        raise BadInputError(f"There is nothing to measure: `data` {what}.")
    return total + measurement.drain()


class Measurement:
    """Measurement of batches outside of training.

    A `Sketch`, the running statistics of one input, is created for each input at its first batch.
    """

    def __init__(self, details: bool = True, data_format: str | None = None) -> None:
        self.details = details
        self._data_format = data_format or keras.config.image_data_format()
        self.sketches: dict[str, Sketch] = {}
        self.labels = LabelSketch()
        self.left_out: dict[str, str] = {}  # by input name, why the input is not measured
        self._padding = Padding(to_powers_of_two=True)
        self._num_batches = 0

    def add(self, inputs: Mapping[str, Any], y: Any) -> None:
        """Adds all samples of one batch to the statistics."""
        tensors = {}
        for name, x in inputs.items():
            dense = as_measurable(x)
            if dense is None:
                self.left_out[name] = why_not_measured(x)
                continue
            if 0 in tuple(dense.shape)[1:]:
                raise BadInputError(
                    f"The samples of input {name!r} hold no values: height, width and channels, "
                    f"or the number of columns, must be at least 1. Received: shape "
                    f"{tuple(dense.shape)}"
                )
            tensor = ops.convert_to_tensor(dense)
            if name not in self.sketches:
                dtype = keras.backend.standardize_dtype(tensor.dtype)
                spec = spec_for(name, tuple(tensor.shape), self._data_format, dtype)
                if spec is None:
                    self.left_out[name] = not_supported(tensor)
                    continue
                self.sketches[name] = Sketch(spec)
            first_spec = self.sketches[name].spec
            channels = tensor.shape[1 if first_spec.layout == "channels_first" else -1]
            if channels != first_spec.channels:
                is_image = first_spec.layout != "features"
                what = "images of {} channels" if is_image else "rows of {} numbers"
                repair = "convert images to one kind" if is_image else "pad sequences to one length"
                raise BadInputError(
                    f"Input {name!r} has {what.format(first_spec.channels)} and of {channels}: "
                    f"{repair} to measure them."
                )
            tensors[name] = tensor
        if not self._num_batches:
            warn_of_text(y)
        self._num_batches += 1
        labels = ops.convert_to_tensor(y) if width_of(y) else None
        size = max((x.shape[0] for x in tensors.values()), default=0)
        for start in range(0, size, CHUNK):
            part = slice(start, start + CHUNK)
            chunk = {name: x if size <= CHUNK else x[part] for name, x in tensors.items()}
            self._add(*self._padding(chunk, None if labels is None else labels[part]))

    def _add(self, tensors: Mapping[str, Any], y: Any, rows: Any) -> None:
        """Adds at most `CHUNK` samples; `rows` is their number if padding follows, else None."""
        if y is not None:
            self.labels.update(y, rows)
        for name, x in tensors.items():
            self.sketches[name].count(x, rows)
            parts = self.sketches[name].measure(x, rows, details=self.details)
            if self.details and y is not None and name == next(iter(self.sketches)):
                for part in parts:
                    self.labels.measure(y, *part)

    def drain(self) -> InputProfile:
        """Returns the profile of all samples since the last call."""
        inputs = {name: sketch.drain() for name, sketch in self.sketches.items()}
        return InputProfile(inputs, labels=self.labels.drain())

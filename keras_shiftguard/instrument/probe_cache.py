"""Makes the probe of a run, or reuses the cached probe of an earlier run of the model."""

from collections.abc import Hashable, Sequence
from typing import Any

import keras

from keras_shiftguard.instrument.beside_probe import BesideProbe
from keras_shiftguard.instrument.compiled_steps import cached
from keras_shiftguard.instrument.model_inputs import input_shapes, specs_of
from keras_shiftguard.instrument.model_outputs import ModelOutputs
from keras_shiftguard.instrument.probe import Probe, variable_scope
from keras_shiftguard.instrument.step_correction import StepCorrection
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.stream import Stream


def new_or_cached_probe(
    model: keras.Model,
    corrects: bool = False,
    statistics: Sequence[keras.metrics.Metric] = (),
    model_outputs: ModelOutputs | None = None,
    augmentation: Any = None,
) -> Probe | BesideProbe:
    """Returns a probe with empty streams: a cached one if it measures the same, else a new one.

    The probe measures inside the step on TensorFlow (`Probe`), and beside the step on the other
    backends (`BesideProbe`). Tracing a step takes seconds, which a cached probe saves. A probe is
    cached only on TensorFlow, without `statistics`, `model_outputs` and `augmentation`, and
    for inputs of a fixed shape.

    Args:
        model: A compiled model.
        corrects: Whether the input may be corrected.
        statistics: The user's own metrics, whose `update_state` takes `x`. Validation gets
            copies of them.
        model_outputs: See `Probe`.
        augmentation: See `Probe`.
    """
    shapes = input_shapes(model)
    specs = specs_of(shapes, model)
    correction = StepCorrection if corrects else None
    if True:
        streams = _streams(correction, statistics, specs if shapes else None)
        return BesideProbe(model, streams, list(shapes), model_outputs, augmentation)
    has_fixed_shapes = bool(specs) and all(None not in shape[1:] for shape in shapes.values())
    has_extras = bool(statistics) or model_outputs is not None or augmentation is not None
    cache_key: Hashable = None  # not cached
    if has_fixed_shapes and not has_extras:
        cache_key = (correction, tuple(shapes), tuple(specs))
    probe = _cached_probe(model, cache_key)
    if probe is not None:
        return probe
    with variable_scope(model):
        streams = _streams(correction, statistics, specs if shapes else None)
    return Probe(model, streams, list(shapes), model_outputs, augmentation, cache_key)


def new_prediction_probe(model: keras.Model, corrects: bool = False) -> BesideProbe:
    """Returns a probe for `model.predict`.

    The probe measures beside the step on every backend, because Keras passes the batches of
    `predict` from Python.

    Args:
        model: A model.
        corrects: Whether the input may be corrected.
    """
    shapes = input_shapes(model)
    stream = Stream("prediction", StepCorrection if corrects else None)
    if shapes:
        stream.build(specs_of(shapes, model))
    return BesideProbe(model, {"prediction": stream}, list(shapes))


def _streams(
    correction: type[StepCorrection] | None,
    statistics: Sequence[keras.metrics.Metric],
    specs: Sequence[InputSpec] | None,
) -> dict[str, Stream]:
    """Returns the streams of a run by name. They are built if the specs are known."""
    streams = {
        "train": Stream("train", correction, statistics),
        "validation": Stream("validation", correction, _copies(statistics)),
    }
    if specs is not None:
        for stream in streams.values():
            stream.build(specs)
    return streams


def _cached_probe(model: keras.Model, cache_key: Hashable) -> Probe | None:
    """Returns the cached probe with empty streams; None if none can be reused."""
    probe: Probe | None = None if cache_key is None else cached(model, cache_key)
    if probe is None or not probe.can_be_reused(model):
        return None
    for stream in probe.streams.values():
        stream.forget()
    return probe


def _copies(metrics: Sequence[keras.metrics.Metric]) -> list[keras.metrics.Metric]:
    return [type(metric).from_config(metric.get_config()) for metric in metrics]

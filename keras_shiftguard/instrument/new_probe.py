"""Makes the `Probe` of a run, with empty statistics for each stream of its data."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_shiftguard.instrument.keras_run import data_of_run
from keras_shiftguard.instrument.model_inputs import have_known_sizes, input_shapes, specs_of
from keras_shiftguard.instrument.model_outputs import ModelOutputs
from keras_shiftguard.instrument.probe import Probe
from keras_shiftguard.instrument.step_correction import StepCorrection
from keras_shiftguard.io.batches import column_names
from keras_shiftguard.statistics.stream import Stream


def new_probe(
    model: keras.Model,
    names: Sequence[str],
    corrects: bool = False,
    statistics: Sequence[keras.metrics.Metric] = (),
    model_outputs: ModelOutputs | None = None,
    augmentation: Any = None,
) -> Probe:
    """Returns a probe of a model."""
    shapes = input_shapes(model)
    correction = StepCorrection if corrects else None
    streams, given = {}, data_of_run()
    for i, name in enumerate(names):
        metrics = _copies(statistics) if i else statistics
        x = given.get(name)
        columns = column_names((x,), shapes)
        streams[name] = Stream(name, correction, metrics, columns, isinstance(x, Mapping))
        if have_known_sizes(shapes):
            streams[name].build(specs_of(shapes, model))
    return Probe(model, streams, shapes, model_outputs, augmentation)


def _copies(metrics: Sequence[keras.metrics.Metric]) -> list[keras.metrics.Metric]:
    return [type(metric).from_config(metric.get_config()) for metric in metrics]

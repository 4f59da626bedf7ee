"""The profile of data that outgrows a machine, by Apache Beam.

Profiles add up: each worker measures what it holds, and the parts are added in any order.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.measure import CHUNK, Measurement
from keras_shiftguard.io.batches import named_inputs
from keras_shiftguard.profiles import InputProfile

try:
    import apache_beam as beam
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'keras_shiftguard.beam needs Apache Beam: pip install "keras-shiftguard[beam]"'
    ) from error


class ProfileSamples(beam.PTransform[Any, Any]):
    """From samples to one `InputProfile`, for `sg.compare`.

    Each element is one sample without a batch dimension: an array, a dict of arrays by
    the name of the input, or `(x, y)` with its label. All have one shape.

    Example:

        images | ProfileSamples() | beam.Map(lambda p: p.save("production.profile"))
    """

    def expand(self, samples: Any) -> Any:
        """The steps: batches, the profile of each, their sum."""
        return (
            samples
            | "Batch" >> beam.BatchElements(CHUNK, CHUNK)
            | "Measure" >> beam.ParDo(MeasureBatch())
            | "Add" >> beam.CombineGlobally(AddProfiles())
        )


class AddProfiles(beam.CombineFn):
    """Adds profiles; with `CombinePerKey`, one for each camera or day."""

    def create_accumulator(self) -> InputProfile:
        return InputProfile()

    def add_input(self, accumulator: InputProfile, element: InputProfile) -> InputProfile:
        return accumulator + element

    def merge_accumulators(self, accumulators: Iterable[InputProfile]) -> InputProfile:
        return sum(accumulators, InputProfile())

    def extract_output(self, accumulator: InputProfile) -> InputProfile:
        return accumulator


class MeasureBatch(beam.DoFn):
    """From a list of samples to their profile."""

    def setup(self) -> None:
        self._measurement = Measurement()  # its compiled step serves every batch of a worker

    def process(self, samples: Sequence[Any]) -> Iterator[InputProfile]:
        x, y = zip(*samples, strict=True) if isinstance(samples[0], tuple) else (samples, None)
        inputs = named_inputs(_stacked(x))
        self._measurement.add(inputs, None if y is None else np.stack(y))
        if not self._measurement.sketches:
            raise BadInputError(
                "There is nothing to measure: a sample must be an array of numbers, a dict of "
                f"them, or (x, y). Received: {type(samples[0]).__name__}"
            )
        yield self._measurement.drain()


def _stacked(samples: Sequence[Any]) -> Any:
    if isinstance(samples[0], Mapping):
        return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
    return np.stack(samples)

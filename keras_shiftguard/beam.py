"""Apache Beam transforms that profile data which is too large for one machine.

Profiles can be added in any order, so each worker measures its own part of the data.
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
    """Measures a collection of samples; the result is one `InputProfile`.

    Each element is one sample without a batch dimension: an array, a dict of arrays by
    input name, or `(x, y)` with a label. All samples have the same shape.

    Example:

        images | ProfileSamples() | beam.Map(lambda p: p.save("production.profile"))
    """

    def expand(self, samples: Any) -> Any:
        """Batches the samples, profiles each batch and adds the profiles."""
        return (
            samples
            | "Batch" >> beam.BatchElements(CHUNK, CHUNK)
            | "Measure" >> beam.ParDo(MeasureBatch())
            | "Add" >> beam.CombineGlobally(AddProfiles())
        )


class AddProfiles(beam.CombineFn):
    """Adds all profiles of a collection.

    With `beam.CombinePerKey` it adds the profiles of each key (a camera, a day) separately.
    """

    def create_accumulator(self) -> InputProfile:
        return InputProfile()

    def add_input(self, accumulator: InputProfile, element: InputProfile) -> InputProfile:
        return accumulator + element

    def merge_accumulators(self, accumulators: Iterable[InputProfile]) -> InputProfile:
        return sum(accumulators, InputProfile())

    def extract_output(self, accumulator: InputProfile) -> InputProfile:
        return accumulator


class MeasureBatch(beam.DoFn):
    """Measures a list of samples; yields one `InputProfile` of all of them."""

    def setup(self) -> None:
        # A `Measurement` compiles its updates once, so all batches of a worker share it.
        self._measurement = Measurement()

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
    """Returns a list of samples as one batch: an array, or a dict of arrays by input name."""
    if isinstance(samples[0], Mapping):
        return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
    return np.stack(samples)

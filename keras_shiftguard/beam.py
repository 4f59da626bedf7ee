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
        # A `Measurement` compiles its updates once, so a worker uses the same one for all batches.
        self._measurement = Measurement()

    def process(self, samples: Sequence[Any]) -> Iterator[InputProfile]:
        x, y = _parts(samples)
        inputs = named_inputs(_stacked(x))
        self._measurement.add(inputs, None if y is None else _stack(y))
        if not self._measurement.sketches:
            raise BadInputError(
                "There is nothing to measure: a sample must be an array of numbers, a dict of "
                f"them, or (x, y). Received: {type(samples[0]).__name__}"
            )
        yield self._measurement.drain()


def _parts(samples: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any] | None]:
    """Returns the inputs of a list of samples, and their labels or None."""
    sizes = {len(sample) if isinstance(sample, tuple) else 0 for sample in samples}
    if sizes == {0}:
        return samples, None
    if sizes != {2}:
        raise BadInputError(
            "A sample is an array, a dict of arrays or (x, y), and all samples are alike. "
            f"Received: tuples of {sorted(sizes)} members (0: no tuple)."
        )
    x, y = zip(*samples, strict=True)
    return x, y


def _stacked(samples: Sequence[Any]) -> Any:
    """Returns a list of samples as one batch: an array, or a dict of arrays by input name."""
    if isinstance(samples[0], Mapping):
        names = samples[0].keys()
        if any(sample.keys() != names for sample in samples):
            raise BadInputError(f"Each sample must have the inputs {sorted(names)}; some have not.")
        return {name: _stack([sample[name] for sample in samples]) for name in names}
    return _stack(samples)


def _stack(arrays: Sequence[Any]) -> np.ndarray:
    """Returns arrays of one shape as one array."""
    shapes = sorted({np.shape(each) for each in arrays})
    if len(shapes) > 1:
        raise BadInputError(
            f"All samples must have one shape. Received: {shapes[:3]}. Resize the images before."
        )
    return np.stack(arrays)

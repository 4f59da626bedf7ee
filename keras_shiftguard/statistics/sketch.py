"""`Sketch`: all statistics of one input."""

from dataclasses import replace
from typing import Any

from keras import ops

from keras_shiftguard.profiles import InputSummary
from keras_shiftguard.statistics.batch import Batch, InputSpec
from keras_shiftguard.statistics.compiled import compiled_once, drained
from keras_shiftguard.statistics.counts import Counts
from keras_shiftguard.statistics.details import Details
from keras_shiftguard.statistics.extremes import Extremes
from keras_shiftguard.statistics.fingerprint import Fingerprint
from keras_shiftguard.statistics.lattice import Lattice
from keras_shiftguard.statistics.moments import Moments
from keras_shiftguard.statistics.quantiles import Quantiles
from keras_shiftguard.statistics.sampled_pixels import SampledPixels
from keras_shiftguard.statistics.spread import spread_rows
from keras_shiftguard.statistics.state import State


class Sketch:
    """Accumulates all statistics of one input; `drain` returns and resets them.

    `count` is fast, and is called with every sample. In a long pass, `measure` is called with only
    a part of the samples.

    Args:
        spec: Specification of the input.

    Example:

    >>> sketch = Sketch(InputSpec("input", "features", channels=2))
    >>> x = keras.ops.convert_to_tensor([[1.0, 2.0], [3.0, 6.0]])
    >>> sketch.count(x)
    >>> _ = sketch.measure(x)
    >>> summary = sketch.drain()
    >>> summary.num_samples, summary.mean.tolist(), summary.features.mean("0")
    (2, [2.0, 4.0], 2.0)
    """

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        # Key of the cached functions. Inputs that differ only in name share these functions.
        self._kind = replace(spec, name="")
        self.state = State("shiftguard")
        self.counted = (Counts(spec, self.state), Fingerprint(self.state))
        # The measured statistics have a state of their own, so that a step that is only counted
        # does not use the variables of that state.
        self.measured_state = State("shiftguard_measured")
        self.moments = Moments(spec, self.measured_state)
        self.pixel_statistics = (self.moments, Extremes(spec, self.measured_state))
        self.sampled_statistics = (
            Quantiles(spec, self.measured_state),
            Lattice(spec, self.measured_state),
        )
        self.details = Details(spec, self.measured_state)

    def count(self, x: Any, rows: Any = None) -> None:
        """Adds every sample of a batch to the counts and the fingerprint.

        Args:
            x: The tensor of the input.
            rows: Number of samples, if the rows after them are padding; None for all.
        """
        compiled_once(self._count, self.state, ("counted", self._kind), x, rows)

    def _count(self, x: Any, rows: Any) -> None:
        for statistic in self.counted:
            statistic.update(x, rows)

    def measure(self, x: Any, rows: Any = None, details: int | None = None) -> tuple[Any, Any]:
        """Adds a batch to all statistics of the values.

        Args:
            x: The tensor of the input.
            rows: Number of samples, if the rows after them are padding; None for all.
            details: Largest number of samples of the batch that are added to the sampled pixels,
                the features and the embedding, which cost more than the moments; None for all.
                They are evenly spread over the batch.
                With 0, the features and the embedding are left out, and nothing else is limited.

        Returns:
            Projections and weights of these samples, see `EmbeddingSketch.update`;
            `(None, None)` if `details` is 0.
        """

        def update(x: Any, rows: Any) -> tuple[Any, Any]:
            return self._measure(x, rows, details)

        key = ("measured", self._kind, details)
        measured: tuple[Any, Any] = compiled_once(update, self.measured_state, key, x, rows)
        return measured

    def _measure(self, x: Any, rows: Any, details: int | None) -> tuple[Any, Any]:
        batch = Batch(x, self.spec, self.moments.pivot_for(x, self.spec), rows)
        for statistic in self.pixel_statistics:
            statistic.update(batch)
        if details:
            x = spread_rows(x, details, rows)
            rows = None if rows is None else ops.minimum(rows, details)
        pixels = SampledPixels(x, self.spec, rows)
        for sampled in self.sampled_statistics:
            sampled.update(pixels)
        return (None, None) if details == 0 else self.details.update(x, rows)

    def drain(self) -> InputSummary:
        """Returns the summary since the last call, and resets the state. Runs on the host."""
        values, measured = drained(self.state), drained(self.measured_state)
        fields: dict[str, Any] = {"layout": self.spec.layout}
        for counted in self.counted:
            fields.update(counted.read(values))
        for statistic in self.pixel_statistics + self.sampled_statistics:
            fields.update(statistic.read(measured))
        fields.update(self.details.read(measured))
        return InputSummary(**fields)

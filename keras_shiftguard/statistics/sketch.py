"""`Sketch`: all statistics of one input."""

from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

from keras_shiftguard.profiles import InputSummary
from keras_shiftguard.statistics.batch import Batch, InputSpec
from keras_shiftguard.statistics.counts import Counts
from keras_shiftguard.statistics.details import Details
from keras_shiftguard.statistics.extremes import Extremes
from keras_shiftguard.statistics.lattice import Lattice
from keras_shiftguard.statistics.moments import Moments
from keras_shiftguard.statistics.quantiles import Quantiles
from keras_shiftguard.statistics.sampled_pixels import SampledPixels
from keras_shiftguard.statistics.state import State
from keras_shiftguard.statistics.tracing import traced_once


class Sketch:
    """Accumulates all statistics of one input; `drain` returns and resets them.

    The statistics form three groups by their cost. `update` is cheap and uses every
    pixel of every sample, `sample` uses a few pixels of each sample, and `measure` uses
    whole samples. The last two need only a part of the samples.

    Args:
        spec: Specification of the input.

    Example:

    >>> sketch = Sketch(InputSpec("input", "features", channels=2))
    >>> sketch.update(keras.ops.convert_to_tensor([[1.0, 2.0], [3.0, 6.0]]))
    >>> sketch.sample(keras.ops.convert_to_tensor([[1.0, 2.0], [3.0, 6.0]]))
    >>> summary = sketch.drain()
    >>> summary.mean.tolist(), int(summary.counts.sum())
    ([2.0, 4.0], 4)
    >>> _ = sketch.measure(keras.ops.convert_to_tensor([[1.0, 2.0], [3.0, 6.0]]))
    >>> sketch.drain().features.mean("0")
    2.0
    """

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        # Key of the cached functions, which inputs that differ only in name share.
        self._kind = replace(spec, name="")
        self.state = State("shiftguard")
        self.moments = Moments(spec, self.state)
        self.pixel_statistics = (Counts(spec, self.state), self.moments, Extremes(spec, self.state))
        # The costly statistics have a state of their own, so that a step that skips them does not
        # touch their variables.
        self.detail_state = State("shiftguard_detail")
        self.sampled_statistics = (
            Quantiles(spec, self.detail_state),
            Lattice(spec, self.detail_state),
        )
        self.details = Details(spec, self.detail_state)

    def update(self, x: Any, rows: Any = None) -> None:
        """Adds every pixel of a batch.

        Args:
            x: The tensor of the input.
            rows: Number of samples, if the rows after them are padding; None for all.
        """
        traced_once(self._update, self.state, ("pixels", self._kind), x, rows)

    def _update(self, x: Any, rows: Any) -> None:
        batch = Batch(x, self.spec, self.moments.pivot_for(x, self.spec), rows)
        for statistic in self.pixel_statistics:
            statistic.update(batch)

    def sample(self, x: Any, rows: Any = None) -> None:
        """Adds sampled pixels to the quantiles and the 8-bit grids; arguments as in `update`."""
        traced_once(self._sample, self.detail_state, ("sampled", self._kind), x, rows)

    def _sample(self, x: Any, rows: Any) -> None:
        pixels = SampledPixels(x, self.spec, rows)
        for statistic in self.sampled_statistics:
            statistic.update(pixels)

    def measure(self, x: Any, rows: Any = None) -> tuple[Any, Any]:
        """Adds the samples of `x` to the features and the embedding; arguments as in `update`.

        Returns:
            Projections and weights of the samples, see `EmbeddingSketch.update`.
        """
        measured: tuple[Any, Any] = traced_once(
            self.details.update, self.detail_state, ("samples", self._kind), x, rows
        )
        return measured

    def reset(self) -> None:
        self.state.reset()
        self.detail_state.reset()

    def drain(self) -> InputSummary:
        """Returns the summary since the last call, and resets the state. Runs on the host."""
        pieces = []
        for values, details in zip(self.state.read(), self.detail_state.read(), strict=True):
            fields: dict[str, Any] = {"layout": self.spec.layout}
            read = [statistic.read(values) for statistic in self.pixel_statistics]
            read += [statistic.read(details) for statistic in self.sampled_statistics]
            for part in read:
                fields.update(part)
            pieces.append(InputSummary(**fields, **self.details.read(details)))
        self.reset()
        return reduce(add, pieces)

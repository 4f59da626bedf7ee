"""All statistics of one input, accumulated together."""

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
    """Accumulates one input; `drain` hands the sums over and starts anew.

    In three parts, by what they cost and so by how much they are shown:
    `update` takes in every pixel, `sample` a few pixels of a few samples, and
    `measure` looks at whole samples, each for itself.

    Args:
        spec: What the input looks like.

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
        self.state = State("shiftguard")
        self.moments = Moments(spec, self.state)
        self.of_pixels = (Counts(spec, self.state), self.moments, Extremes(spec, self.state))
        # By themselves, so that a step that leaves them out does not touch them.
        self.detail_state = State("shiftguard_detail")
        self.of_sampled = (Quantiles(spec, self.detail_state), Lattice(spec, self.detail_state))
        self.details = Details(spec, self.detail_state)

    def update(self, x: Any) -> None:
        """Adds every pixel of a batch. Runs inside the compiled step, as all three do."""
        traced_once(self._update, self.state, ("pixels", self.spec), x)

    def _update(self, x: Any) -> None:
        batch = Batch(x, self.spec, self.moments.pivot_for(x, self.spec))
        for statistic in self.of_pixels:
            statistic.update(batch)

    def sample(self, x: Any) -> None:
        """Adds some pixels of a batch to the quantiles and the grids of 8 bits."""
        traced_once(self._sample, self.detail_state, ("sampled", self.spec), x)

    def _sample(self, x: Any) -> None:
        pixels = SampledPixels(x, self.spec)
        for statistic in self.of_sampled:
            statistic.update(pixels)

    def measure(self, x: Any) -> tuple[Any, Any]:
        """Adds the samples of `x` to the features and the embedding.

        Returns:
            Their projections and weights, see `EmbeddingSketch.update`.
        """
        measured: tuple[Any, Any] = traced_once(
            self.details.update, self.detail_state, ("samples", self.spec), x
        )
        return measured

    def reset(self) -> None:
        self.state.reset()
        self.detail_state.reset()

    def drain(self) -> InputSummary:
        """What was accumulated since the last call. Runs on the host."""
        pieces = []
        for values, details in zip(self.state.read(), self.detail_state.read(), strict=True):
            fields: dict[str, Any] = {"layout": self.spec.layout}
            read = [statistic.read(values) for statistic in self.of_pixels]
            read += [statistic.read(details) for statistic in self.of_sampled]
            for part in read:
                fields.update(part)
            pieces.append(InputSummary(**fields, **self.details.read(details)))
        self.reset()
        return reduce(add, pieces)

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
from keras_shiftguard.statistics.state import State

STATISTICS = (Counts, Moments, Extremes, Quantiles, Lattice)


class Sketch:
    """Accumulates one input; `drain` hands the sums over and starts anew.

    Args:
        spec: What the input looks like.

    Example:

    >>> sketch = Sketch(InputSpec("input", "features", channels=2))
    >>> sketch.update(keras.ops.convert_to_tensor([[1.0, 2.0], [3.0, 6.0]]))
    >>> sketch.drain().mean.tolist()
    [2.0, 4.0]
    >>> _ = sketch.measure(keras.ops.convert_to_tensor([[1.0, 2.0], [3.0, 6.0]]))
    >>> sketch.drain().features.mean("0")
    2.0
    """

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        self.state = State("shiftguard")
        self.statistics = [statistic(spec, self.state) for statistic in STATISTICS]
        # By themselves, so that a step that leaves them out does not touch them.
        self.detail_state = State("shiftguard_detail")
        self.details = Details(spec, self.detail_state)

    def update(self, x: Any) -> None:
        """Adds one batch. Runs inside the compiled step."""
        batch = Batch(x, self.spec)
        for statistic in self.statistics:
            statistic.update(batch)

    def measure(self, x: Any) -> tuple[Any, Any]:
        """Adds the samples of `x` to the features and the embedding.

        Returns:
            Their projections and weights, see `EmbeddingSketch.update`.
        """
        return self.details.update(x)

    def reset(self) -> None:
        self.state.reset()
        self.detail_state.reset()

    def drain(self) -> InputSummary:
        """What was accumulated since the last call. Runs on the host."""
        pieces = []
        for values, details in zip(self.state.read(), self.detail_state.read(), strict=True):
            fields: dict[str, Any] = {"layout": self.spec.layout}
            for statistic in self.statistics:
                fields.update(statistic.read(values))
            pieces.append(InputSummary(**fields, **self.details.read(details)))
        self.reset()
        return reduce(add, pieces)

"""`Half`, `Case`: the labelled samples of an account, and all that rivals may know of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from keras_shiftguard.account.likelihoods import Likelihood
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.rows import Rows

# From samples and their labels to what a likelihood judges, in inference mode.
Predict = Callable[[Any, Any], np.ndarray]


@dataclass(frozen=True)
class Half:
    """Some labelled samples, as they are after the repairs so far, with the outputs of the model.

    Args:
        predict: Runs the model.
        x: Samples as the model is fed them, `(samples, ...)`, or `Rows` of several inputs.
        y: Their labels, as the likelihood takes them.
        known: The outputs, if they are known already.
        spread: What changed labels add to their log-likelihood, `(samples,)` or a number: the
            logarithm of how much denser they are.
    """

    predict: Predict
    x: Any
    y: Any
    known: np.ndarray | None = None
    spread: Any = 0.0

    def __len__(self) -> int:
        return len(self.y)

    @cached_property
    def outputs(self) -> np.ndarray:
        """What the likelihood judges, for each sample."""
        return self.predict(self.x, self.y) if self.known is None else self.known

    def with_x(self, x: Any) -> "Half":
        """Returns the samples with other inputs."""
        return Half(self.predict, x, self.y, None, self.spread)

    def with_y(self, y: Any, spread: Any = 0.0) -> "Half":
        """Returns the samples with other labels; the outputs stay."""
        return replace(self, y=y, known=self.outputs, spread=self.spread + spread)

    def at(self, which: Any) -> "Half":
        """Returns the samples at these positions."""
        known = None if "outputs" not in vars(self) and self.known is None else self.outputs[which]
        spread = self.spread[which] if isinstance(self.spread, np.ndarray) else self.spread
        return Half(self.predict, self.x[which], self.y[which], known, spread)


@dataclass(frozen=True)
class Case:
    """A gap to account for: the samples of both sides, and how predictions are judged.

    Args:
        likelihood: How predictions are judged.
        here: Samples of validation, in random order.
        there: Samples of training or of a reference; None if there are none.
        specs: Specifications of the inputs.
        fresh: Returns `Predict` with batch norm measured anew; None if the model has none.
        share: Number of independent samples of validation divided by their number.
        tolerance: What a cause may cost before it counts.
        differ: Names of the inputs whose difference is sure; None if that is not known.
        may_be_augmented: Whether training may be augmented.
        more: Rivals that are known to be wrong: the model itself, or a raw file, shows them.
        budget: Number of predictions that the search may make.
        is_of_fit: Whether `there` is what the model was trained on, and may know by heart.
    """

    likelihood: Likelihood
    here: Half
    there: Half | None
    specs: Sequence[InputSpec]
    fresh: Callable[[], Predict | None] | None = None
    share: float = 1.0
    tolerance: float = 0.01
    differ: frozenset[str] | None = None
    may_be_augmented: bool = True
    more: Sequence[Any] = field(default=())
    budget: float = float("inf")
    is_of_fit: bool = False

    def differing(self) -> Iterator[tuple[InputSpec, np.ndarray, np.ndarray]]:
        """Yields each input of numbers that may differ, with its samples here and of training."""
        there = self.there
        for spec in self.specs if there is not None else ():
            if there is not None and (self.differ is None or spec.name in self.differ):
                x, known = self.input(self.here, spec.name), self.input(there, spec.name)
                if x.dtype.kind == known.dtype.kind == "f" and x.size:
                    yield spec, x, known

    def input(self, half: Half, name: str) -> np.ndarray:
        """Returns the samples of one input, `(samples, ...)`."""
        return np.asarray(half.x.tree[name] if isinstance(half.x, Rows) else half.x)

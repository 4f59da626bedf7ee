"""`BatchNormAdaptation`: what AdaBN changed in each layer, and how to undo it."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class LayerChange:
    """The change of one batch-norm layer.

    Args:
        layer: Path of the layer in the model.
        changed: Whether its statistics were replaced.
        shift: Mean over channels of `|new mean - old mean|`, in old standard
            deviations.
        scale: Geometric mean over channels of the new standard deviation divided by
            the old one.
        reason: Why the layer was not changed; empty for a changed layer.
    """

    layer: str
    changed: bool
    shift: float = 0.0
    scale: float = 1.0
    reason: str = ""

    def __str__(self) -> str:
        if not self.changed:
            return f"{self.layer}: left alone, {self.reason}"
        return (
            f"{self.layer}: means moved by {self.shift:.2g} standard deviations, "
            f"spread times {self.scale:.2g}"
        )


class BatchNormAdaptation:
    """The result of `adapt_batch_norm`: a report that can undo the adaptation.

    Attributes:
        layers: A `LayerChange` for each batch-norm layer.
        num_samples: Number of target samples that were used.
        prior_samples: Number of samples that the statistics of training counted as.
    """

    def __init__(
        self,
        layers: tuple[LayerChange, ...],
        num_samples: int,
        prior_samples: float,
        before: list[tuple[Any, np.ndarray]],
    ) -> None:
        self.layers = layers
        self.num_samples = num_samples
        self.prior_samples = prior_samples
        self._before = before  # pairs of a variable and its value

    def restore(self) -> None:
        """Sets the statistics to the values from before the adaptation, bit for bit."""
        for variable, value in self._before:
            variable.assign(value)

    def __str__(self) -> str:
        changed = [layer for layer in self.layers if layer.changed]
        if not changed:
            return "Batch norm was left alone: " + "; ".join(str(each) for each in self.layers[:3])
        return (
            f"The model was changed, as adapt='batch_norm' asks: {len(changed)} of "
            f"{len(self.layers)} batch-norm layers have the means and variances of "
            f"{self.num_samples:,} target samples. `guard.batch_norm.restore()` takes that back; "
            "`guard.batch_norm.layers` says what changed."
        )

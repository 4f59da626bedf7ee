"""`Repair`: a Keras layer that does to a batch what an experiment did, to put before a model."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_shiftguard.operations import columns, series
from keras_shiftguard.operations.operation import Operation
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.operations.table import OPERATIONS

OF_ROWS = {row.name: row for row in (*columns.OPERATIONS, *series.OPERATIONS)}


@keras.saving.register_keras_serializable("keras_shiftguard")
class Repair(keras.layers.Layer):
    """Operations of the table, one after another, with fixed strengths.

    Takes a batch as the model is fed it, `(samples, ...)`, and returns it repaired, float32.

    Args:
        operations: Pairs of the name of an operation and its strength.
        low: Value of black in images; None for tables and series.
        high: Value of white in images; None for tables and series.
        channels_first: Whether the channels of images are the second axis.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If there is no operation with such a name.
    """

    def __init__(
        self,
        operations: Sequence[Sequence[Any]],
        low: float | None = None,
        high: float | None = None,
        channels_first: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        known = OF_ROWS if low is None else OPERATIONS
        unknown = [name for name, _ in operations if name not in known]
        if unknown:
            raise ValueError(
                f"Repair knows no operation {unknown[0]!r}. Known are: {', '.join(sorted(known))}."
            )
        self.operations = [(str(name), strength) for name, strength in operations]
        self.low, self.high, self.channels_first = low, high, channels_first

    def call(self, x: Any) -> Any:
        """Returns the repaired batch."""
        if self.low is None or self.high is None:
            return self._applied(OF_ROWS, keras.ops.cast(x, "float32"))
        channels = x.shape[1 if self.channels_first else -1]
        low, high = (np.full(channels, end, "float32") for end in (self.low, self.high))
        scale = Scale(low, high, self.channels_first)
        return scale.from_unit(self._applied(OPERATIONS, scale.to_unit(x)))

    def _applied(self, table: Mapping[str, Operation], x: Any) -> Any:
        for name, strength in self.operations:
            apply = table[name].apply or (lambda y, _: y)
            is_flat = table[name].family == "series" and len(x.shape) == 2
            x = apply(x[..., None], strength)[..., 0] if is_flat else apply(x, strength)
        return x

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "operations": self.operations,
            "low": self.low,
            "high": self.high,
            "channels_first": self.channels_first,
        }

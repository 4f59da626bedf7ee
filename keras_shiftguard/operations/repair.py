"""`Repair`: a Keras layer that does to a batch what an experiment did, to put before a model."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_shiftguard.operations import columns, series
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
        table = OF_ROWS if low is None else OPERATIONS
        unknown = [name for name, _ in operations if name not in table]
        if unknown:
            raise ValueError(
                f"Repair knows no operation {unknown[0]!r}. Known are: {', '.join(sorted(table))}."
            )
        self.operations = [(str(name), strength) for name, strength in operations]
        self.low, self.high, self.channels_first = low, high, channels_first

    def call(self, x: Any) -> Any:
        """Returns the repaired batch."""
        if self.low is None or self.high is None:
            y = keras.ops.cast(x, "float32")
            for name, strength in self.operations:
                apply = OF_ROWS[name].apply
                if apply is None:
                    continue
                is_flat = OF_ROWS[name].family == "series" and len(x.shape) == 2
                y = apply(y[..., None], strength)[..., 0] if is_flat else apply(y, strength)
            return y
        channels = x.shape[1 if self.channels_first else -1]
        low, high = (np.full(channels, end, "float32") for end in (self.low, self.high))
        scale = Scale(low, high, self.channels_first)
        y = scale.to_unit(x)
        for name, strength in self.operations:
            apply = OPERATIONS[name].apply
            y = y if apply is None else apply(y, strength)
        return scale.from_unit(y)

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

"""The mean of the weights over the last epochs of a training that goes in circles.

Encoder and domain head chase each other for ever, and with class-by-class
alignment the encoder chases its own answers: any one epoch catches it
somewhere on its way round. The mean of the last ones lies inside the loop.
Where nothing was aligned, or alignment was switched off, the last weights stay, as
in plain training.

Reference: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better
Generalization", UAI 2018.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

LAST = 1 / 3  # of the epochs
FEWEST = 6  # epochs: shorter trainings are still on their way


class WeightAverage(keras.callbacks.Callback):
    """Puts the mean weights in place at the end of training.

    Args:
        owner: The `DomainAdaptationModel` whose wrapped model is averaged.
        epochs: Length of the training.
    """

    def __init__(self, owner: Any, epochs: int) -> None:
        super().__init__()
        self.owner = owner
        self.first = epochs - max(int(epochs * LAST), 1) if epochs >= FEWEST else epochs
        self._sums: list[np.ndarray] = []
        self._count = 0
        self._changes = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch < self.first:
            return
        _ = self.model  # on JAX: brings the variables up to date
        if len(self.owner.actions) != self._changes or not self._sums:
            # Weights from before a change of course belong to another training.
            self._changes, self._count = len(self.owner.actions), 0
            self._sums = [np.zeros(v.shape, "float64") for v in self._averaged()]
        if self.owner.source_suffers:
            return  # thrown off, and on its way back
        for total, variable in zip(self._sums, self._averaged(), strict=True):
            total += ops.convert_to_numpy(ops.cast(variable.value, "float32"))
        self._count += 1

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        started = float(ops.convert_to_numpy(self.owner.alignment_layer.started)) > 0
        if self._count < 2 or self.owner.is_off or not started:
            return
        _ = self.model
        for total, variable in zip(self._sums, self._averaged(), strict=True):
            variable.assign((total / self._count).astype("float32"))

    def _averaged(self) -> list[Any]:
        # Seeds of dropout are integers, and no average makes sense of them.
        variables = self.owner.base.variables
        return [v for v in variables if keras.backend.is_float_dtype(v.dtype)]

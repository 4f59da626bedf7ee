"""`WeightAverage`: a callback that averages the weights of the last epochs.

Adversarial training does not converge: extractor and domain head react to each
other in cycles, and with class-by-class alignment the extractor reacts to its own
predictions. So the weights of a single epoch are a point on a cycle, and the mean
of several epochs lies inside of it. If nothing was aligned, or alignment was
switched off, the weights of the last epoch stay, as in plain training.

Reference: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better
Generalization", UAI 2018.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.domains.protocol import AdaptationModel

AVERAGED_SHARE = 1 / 3  # share of the epochs, at the end of training, that are averaged
MIN_EPOCHS = 6  # with fewer epochs the model still improves, so they are not averaged


class WeightAverage(keras.callbacks.Callback):
    """Averages the weights of the last epochs at the end of training.

    Args:
        model: The `DomainAdaptationModel` whose wrapped model is averaged.
        epochs: Number of epochs of the training.
    """

    def __init__(self, model: AdaptationModel, epochs: int) -> None:
        super().__init__()
        self.domain_model = model  # Keras itself sets `model`
        averaged = max(int(epochs * AVERAGED_SHARE), 1) if epochs >= MIN_EPOCHS else 0
        self.first = epochs - averaged  # index of the first epoch that is averaged
        self._sums: list[np.ndarray] = []  # of the weights
        self._count = 0  # epochs in these sums
        self._num_actions = 0  # actions in the model's list when the sums were started

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch < self.first:
            return
        _ = self.model  # on JAX: brings the variables up to date
        if len(self.domain_model.actions) != self._num_actions or not self._sums:
            # After an action of `AlignmentWatch` the average starts again.
            self._num_actions, self._count = len(self.domain_model.actions), 0
            self._sums = [np.zeros(v.shape, "float64") for v in self._variables()]
        if self.domain_model.source_suffers:
            return  # this epoch is not averaged
        for total, variable in zip(self._sums, self._variables(), strict=True):
            total += ops.convert_to_numpy(ops.cast(variable.value, "float32"))
        self._count += 1

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        started = float(ops.convert_to_numpy(self.domain_model.alignment_layer.started)) > 0
        if self._count < 2 or self.domain_model.is_off or not started:
            return
        _ = self.model
        for total, variable in zip(self._sums, self._variables(), strict=True):
            variable.assign((total / self._count).astype("float32"))

    def _variables(self) -> list[Any]:
        """Returns the floating-point variables: the integer seeds of dropout have no mean."""
        variables = self.domain_model.base.variables
        return [v for v in variables if keras.backend.is_float_dtype(v.dtype)]

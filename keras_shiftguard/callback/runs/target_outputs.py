"""`TargetOutputs`: the model's outputs on the target and on validation, epoch by epoch."""

from collections.abc import Mapping
from dataclasses import replace

import keras

from keras_shiftguard.callback.optional_data import OptionalData
from keras_shiftguard.errors import BadInputError, warn
from keras_shiftguard.instrument.model_outputs import ModelOutputs
from keras_shiftguard.io.source import open_source
from keras_shiftguard.profiles import InputProfile

# After each epoch, the model predicts batches of the target until they hold this many samples. The
# limit bounds the time per epoch. A convention.
MAX_TARGET_SAMPLES = 2048


class TargetOutputs:
    """The model's outputs on validation and on the target, with the weights of one epoch.

    Raises:
        BadInputError: if the model does not accept the target.
    """

    def __init__(self, outputs: ModelOutputs, target: OptionalData) -> None:
        self.outputs = outputs
        self.target = target
        self._predict(1)  # fails before training starts if the data does not fit the model
        outputs.predicted.state.reset()

    def restart(self) -> None:
        """Resets the outputs on validation before a new pass over validation."""
        self.outputs.sketch.state.reset()

    def read(self, streams: Mapping[str, InputProfile], weights: str) -> dict[str, InputProfile]:
        """Runs the model on the target, and adds the outputs to two profiles.

        Returns the new profiles of `"validation"` and `"target"`; an empty dict if the target
        can no longer be read. Only outputs from the same weights are compared, which the text
        `weights` identifies.
        """
        outputs = {"validation": self.outputs.sketch.drain(weights)}
        self._predict(MAX_TARGET_SAMPLES)
        if self.target.lost:
            return {}
        outputs["target"] = self.outputs.predicted.drain(weights)
        return {name: replace(streams[name], outputs=each) for name, each in outputs.items()}

    def _predict(self, max_samples: int) -> None:
        if self.target.is_there:
            with self.target.reading():
                for x, _, _ in open_source(self.target.data).first_batches(max_samples):
                    self.outputs.predict(x)


def new_target_outputs(
    model: keras.Model, feature_layer: str | None, target: OptionalData
) -> TargetOutputs | None:
    """Returns the `TargetOutputs` of a fit.

    Returns None if there is no readable target. If the outputs of the model cannot be profiled,
    warns and returns None.

    Raises:
        BadInputError: if the model does not accept the target, or does not have `feature_layer`.
    """
    if not target.is_there:
        return None
    try:
        outputs = ModelOutputs(model, feature_layer)
    except BadInputError as error:
        if feature_layer is not None:
            raise
        warn(f"ShiftGuard compares the target's inputs only, not the outputs: {error}")
        return None
    target_outputs = TargetOutputs(outputs, target)
    return None if target.lost else target_outputs

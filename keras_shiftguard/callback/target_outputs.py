"""What the model says about the target, beside what it says in validation."""

from collections.abc import Mapping
from dataclasses import replace

import keras

from keras_shiftguard.callback.optional_data import Given
from keras_shiftguard.errors import BadInputError, warn
from keras_shiftguard.instrument.model_outputs import Answers
from keras_shiftguard.io.batches import first_batches
from keras_shiftguard.profiles import InputProfile

MOST_ASKED = 2048  # samples of the target that the model is asked about, each epoch


class TargetAnswers:
    """Outputs on validation and on the target, both with the weights of one epoch.

    Args:
        answers: Asks the model; the step adds what it says in validation.
        target: Unlabelled data of the target.

    Raises:
        BadInputError: if the model does not take the target.
    """

    def __init__(self, answers: Answers, target: Given) -> None:
        self.answers = answers
        self.target = target
        self._ask(1)  # what does not fit is said before any training
        answers.asked.state.reset()

    def restart(self) -> None:
        """Forgets what was said so far, for a new validation."""
        self.answers.sketch.state.reset()

    def read(self, streams: Mapping[str, InputProfile], weights: str) -> dict[str, InputProfile]:
        """Asks about the target; returns both streams with what the model said.

        Neither where the target can no longer be read.

        Args:
            streams: Profiles of `"validation"` and `"target"`.
            weights: The same words for the same weights: only then may outputs be
                compared.
        """
        said = {"validation": self.answers.drain(weights)}
        self._ask(MOST_ASKED)
        if self.target.lost:
            return {}
        said["target"] = self.answers.drain_asked(weights)
        return {name: replace(streams[name], outputs=outputs) for name, outputs in said.items()}

    def _ask(self, most: int) -> None:
        if self.target.is_there:
            with self.target.reading():
                for x, _, _ in first_batches(self.target.data, most):
                    self.answers.ask(x)


def target_answers(
    model: keras.Model, feature_layer: str | None, target: Given
) -> TargetAnswers | None:
    """Compares what the model says as well, if it can be asked.

    Raises:
        BadInputError: if the model does not take the target, or has no such layer.
    """
    if not target.is_there:
        return None
    try:
        answers = Answers(model, feature_layer)
    except BadInputError as error:
        if feature_layer is not None:
            raise
        warn(f"ShiftGuard compares the target's inputs only, not the outputs: {error}")
        return None
    asked = TargetAnswers(answers, target)
    return None if target.lost else asked

"""The model in question: its classes, what images it takes, and what is published of it."""

from dataclasses import dataclass
from typing import Any

import keras

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.model_inputs import image_data_format, input_shapes
from keras_shiftguard.instrument.model_outputs import is_classifier
from keras_shiftguard.preprocessing.expected.architectures import ARCHITECTURES, Architecture
from keras_shiftguard.preprocessing.expected.structure import expect_from_structure

IMAGENET_CLASSES = 1000


@dataclass(frozen=True)
class Subject:
    """What is known of a model before it is asked.

    Args:
        num_classes: Classes that it tells apart; 2 for a single unit.
        names: Names of its inputs.
        size: Height and width that it takes; None where any will do.
        native_size: Those that its architecture was published with.
        channels: Of its image, 3 where it does not say.
        channels_first: Whether the channels come first.
        architecture: The network of `keras.applications` that it is.
    """

    num_classes: int
    names: list[str]
    size: tuple[int, int] | None
    native_size: tuple[int, int] | None
    channels: int
    channels_first: bool
    architecture: Architecture | None

    @property
    def is_published(self) -> bool:
        """Whether an ImageNet accuracy is published for this network."""
        return (
            self.architecture is not None
            and self.architecture.top1 is not None
            and self.num_classes == IMAGENET_CLASSES
        )


def look_at(model: Any) -> Subject:
    """Reads what a model takes and gives.

    Raises:
        BadInputError: for what is no classifier.
    """
    if not isinstance(model, keras.Model):
        raise BadInputError(
            f"`model` must be a keras.Model. Received: {type(model).__name__}. Load a file with "
            "keras.models.load_model first."
        )
    shape = getattr(model, "output_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 2 or not isinstance(shape[1], int):
        raise BadInputError(
            "explain_gap is for a built classifier with one output of shape (batch, classes). "
            f"Received: output shape {shape}. A subclassed model tells its shape once it is "
            "wrapped: keras.Model(inputs, model(inputs))."
        )
    if not is_classifier(model):
        raise BadInputError(
            "explain_gap explains an accuracy, and this model is a regression: one linear unit "
            "or a regression loss."
        )
    shapes = input_shapes(model)
    first = image_data_format(model) == "channels_first"
    images = [s for s in shapes.values() if len(s) == 4]
    size, channels = None, 3
    if images:
        _, *rest = images[0]
        channels = rest.pop(0 if first else 2) or 3
        size = (rest[0], rest[1]) if rest[0] and rest[1] else None
    architecture = None
    for expectation in expect_from_structure(model):
        if expectation.architecture in ARCHITECTURES:
            architecture = ARCHITECTURES[expectation.architecture]
    native = None if architecture is None else (architecture.size, architecture.size)
    if native is not None and size not in (None, native):
        native = None  # built for another size: that is then its own
    return Subject(
        max(shape[1], 2), list(shapes), size, native or size, channels, first, architecture
    )

"""`ModelFacts`: the classes, input size and architecture of a model."""

from dataclasses import dataclass
from typing import Any

import keras

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.model_inputs import image_data_format, input_shapes
from keras_shiftguard.instrument.model_outputs import is_classifier
from keras_shiftguard.preprocessing.expected.architectures import ARCHITECTURES, Architecture
from keras_shiftguard.preprocessing.expected.structure import expect_from_structure

IMAGENET_CLASSES = 1000  # Given by ImageNet.


@dataclass(frozen=True)
class ModelFacts:
    """Facts about a classifier, known without any prediction."""

    num_classes: int  # 2 for a single output unit
    # Shapes of the inputs by name, with the batch dimension.
    shapes: dict[str, tuple[int | None, ...]]
    # Height and width of the first image input, or else those that the architecture was published
    # with; None if neither is known.
    native_size: tuple[int, int] | None
    # Number of channels of the first image input; 3 if the number is not fixed, or if there is no
    # image input.
    channels: int
    channels_first: bool
    # The recognized network of `keras.applications`; None if no network is recognized.
    architecture: Architecture | None

    @property
    def is_published(self) -> bool:
        """Whether an ImageNet accuracy is published for this network."""
        return (
            self.architecture is not None
            and self.architecture.top1 is not None
            and self.num_classes == IMAGENET_CLASSES
        )


def read_model_facts(model: Any) -> ModelFacts:
    """Reads the facts about a model from its structure.

    Raises:
        BadInputError: if `model` is no Keras model or no classifier.
    """
    if not isinstance(model, keras.Model):
        raise BadInputError(
            f"`model` must be a keras.Model. Received: {type(model).__name__}. Load a file with "
            "keras.models.load_model first."
        )
    shape = getattr(model, "output_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 2 or not isinstance(shape[1], int):
        raise BadInputError(
            "An accuracy needs a built classifier with one output of shape (batch, classes). "
            f"Received: output shape {shape}. A subclassed model tells its shape once it is "
            "wrapped: keras.Model(inputs, model(inputs))."
        )
    if not is_classifier(model):
        raise BadInputError(
            "An accuracy needs a classifier, and this model is a regression: one linear unit or a "
            "regression loss."
        )
    shapes = input_shapes(model)
    channels_first = image_data_format(model) == "channels_first"
    images = [s for s in shapes.values() if len(s) == 4]
    size, channels = None, 3
    if images:
        _, *rest = images[0]
        channels = rest.pop(0 if channels_first else 2) or 3
        size = (rest[0], rest[1]) if rest[0] and rest[1] else None
    architecture = None
    for expectation in expect_from_structure(model):
        if expectation.architecture in ARCHITECTURES:
            architecture = ARCHITECTURES[expectation.architecture]
    if size is None and architecture is not None:
        size = (architecture.size, architecture.size)
    return ModelFacts(max(shape[1], 2), shapes, size, channels, channels_first, architecture)

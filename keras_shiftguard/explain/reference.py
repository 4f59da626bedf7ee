"""`Reference`: the accuracy to compare with, from data, a profile, a number or a publication."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.explain.model_facts import IMAGENET_CLASSES, ModelFacts
from keras_shiftguard.explain.predictions import Predictions, predict
from keras_shiftguard.explain.samples import Samples, read_samples
from keras_shiftguard.instrument.measure import profile_of
from keras_shiftguard.instrument.model_outputs import fingerprint
from keras_shiftguard.profiles import InputProfile

PUBLISHED = "published"
IMAGENET_SAMPLES = 50_000  # images of the validation set, 50 of each class. Given by ImageNet.


@dataclass(frozen=True)
class Reference:
    """The reference accuracy, and facts about the data that it was measured on."""

    name: str  # description of the reference for the report
    # The accuracy; None if the user gave no reference and none is published.
    accuracy: float | None = None
    # Number of samples that the accuracy was measured on; 0 if the user gave a number, or if there
    # is no accuracy.
    num_samples: int = 0
    counts: np.ndarray | None = None  # number of samples of each class `(classes,)`, or None
    confidence: float | None = None  # mean confidence of the model
    # Function that returns the profile of the samples, or None.
    profile: Callable[[], InputProfile] | None = None
    samples: Samples | None = None
    predictions: Predictions | None = None

    @property
    def is_published(self) -> bool:
        """Whether the accuracy is published, so that the counts of its samples are exact."""
        return self.name.startswith(PUBLISHED)

    def has_labels(self, labels: np.ndarray) -> bool:
        """Whether the labels of the reference are `labels`, in the same order.

        The reference then most likely has the same samples in another form. Even if it has other
        samples, the interval of the gap from paired samples is valid.
        """
        other = None if self.samples is None else self.samples.labels
        return other is not None and np.array_equal(other, labels)

    def size(self, channels_first: bool) -> tuple[int, int] | None:
        """Returns the height and width of the images in `samples`; None without images."""
        if self.samples is None:
            return None
        shape = next(iter(self.samples.inputs.values())).shape
        if len(shape) != 4:
            return None
        return (shape[2], shape[3]) if channels_first else (shape[1], shape[2])


def resolve_reference(
    reference: Any, model: keras.Model, facts: ModelFacts, max_samples: int | None
) -> Reference:
    """Returns the `Reference` for the user's argument, see `explain_gap`.

    Raises:
        BadInputError: if an argument other than None gives no accuracy.
    """
    if reference is None:
        if facts.is_published:
            return _published(facts)
        return Reference("the same data with all removable causes removed")
    if isinstance(reference, str) and reference == PUBLISHED:
        return _published(facts)
    if isinstance(reference, (int, float, np.number)):
        accuracy = float(reference)
        if not 0 < accuracy <= 1 or isinstance(reference, bool):
            raise BadInputError(
                "`reference` as a number is an accuracy between 0 and 1, such as 0.76. "
                f"Received: reference={reference!r}"
            )
        return Reference("the given accuracy", accuracy)
    if isinstance(reference, (str, PathLike)) and not Path(reference).is_dir():
        if not Path(reference).is_file():
            raise BadInputError(
                "`reference` must be labelled data, a directory of class folders, an accuracy, "
                f"'published', or a profile. Received: {str(reference)!r}, which does not exist."
            )
        reference = InputProfile.load(reference)
    if isinstance(reference, InputProfile):
        return _of_profile(reference, model)
    return _of_data(reference, model, facts, max_samples)


def _published(facts: ModelFacts) -> Reference:
    network = facts.architecture
    if network is None or network.top1 is None:
        lacks = "This model is none of them"
        lacks = lacks if network is None else f"Nothing is published for {network.name}"
        raise BadInputError(
            "reference='published' is for the networks of keras.applications with their ImageNet "
            f"classes, recognised by structure. {lacks}. Pass the accuracy as a number."
        )
    if facts.num_classes != IMAGENET_CLASSES:
        raise BadInputError(
            f"reference='published' is the accuracy on the 1,000 classes of ImageNet. This model "
            f"has {facts.num_classes} classes: pass the accuracy that you expect as a number."
        )
    counts = np.full(IMAGENET_CLASSES, IMAGENET_SAMPLES // IMAGENET_CLASSES)
    return Reference(f"published for {network.name}", network.top1, IMAGENET_SAMPLES, counts)


def _of_profile(profile: InputProfile, model: keras.Model) -> Reference:
    outputs = profile.outputs
    accuracy = outputs.accuracy
    if not np.isfinite(accuracy):
        raise BadInputError(
            "A profile as `reference` must hold an accuracy: make it with the model and with "
            "labels, keras_shiftguard.profile((x, y), model=model)."
        )
    if outputs.weights != fingerprint(model):
        raise BadInputError(
            "The profile was made with other weights, so its accuracy is that of another model. "
            "Make it again: keras_shiftguard.profile((x, y), model=model)."
        )
    counts, features = outputs.labelled_by_class, outputs.features
    has_confidence = "confidence" in features.names and features.num_samples
    confidence = features.mean("confidence") if has_confidence else None
    name, number = "the reference profile", int(counts.sum())
    return Reference(name, accuracy, number, counts, confidence, lambda: profile)


def _of_data(
    reference: Any, model: keras.Model, facts: ModelFacts, max_samples: int | None
) -> Reference:
    samples = read_samples(reference, facts, None, max_samples)
    if samples.labels is None:
        raise BadInputError(
            "`reference` data must be labelled: without labels it has no accuracy. Pass (x, y), "
            "a pipeline that yields labels, or the accuracy as a number."
        )
    predictions = predict(model, (samples.packed(x) for _, x in samples.chunks()))
    labels = samples.labels

    @cache
    def profile() -> InputProfile:
        stream = ((x, labels[at]) for at, x in samples.chunks())
        return profile_of(stream).with_columns(samples.columns)

    return Reference(
        "the reference data",
        float(predictions.right(labels).mean()),
        len(samples),
        np.bincount(labels, minlength=facts.num_classes),
        float(predictions.confidence.mean()),
        profile,
        samples,
        predictions,
    )

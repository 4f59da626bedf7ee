"""The trial: whether a network sees better with a suspected fix than with its input as fed.

A network that is fed what it was trained on finds two views of one photo alike, and different
photos different. So for a fix, its features of two views are compared, on the images as fed and
on the images as fixed: for each image, the InfoNCE (log of the softmax over cosine similarities)
of its own second view among those of all images. The mean difference is told in standard errors
over the images.

It needs no labels, no batch norm and no training data, and it tests one suspect: as a search over
many it would be wrong too often.

Reference:
    van den Oord, Li, Vinyals (2018), Representation Learning with Contrastive Predictive Coding
    (InfoNCE).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_shiftguard.instrument.network_features import Features, features_of
from keras_shiftguard.preprocessing.expected.batch_norm import AS_FED, Transform
from keras_shiftguard.preprocessing.limits import (
    MAX_TRIAL_IMAGES,
    MIN_TOLD_APART,
    MIN_TRIAL_IMAGES,
    TRIAL_TEMPERATURE,
)
from keras_shiftguard.preprocessing.witnesses.views import second_view

BATCH_SIZE = 16


@dataclass(frozen=True)
class Preference:
    """How much better a network tells images apart with a fix than as fed.

    Args:
        sigmas: The mean difference of the InfoNCE in standard errors over the images; below 0
            if the network sees better without the fix. Of a network with a trained classifier,
            the smaller one of that of its features and that of its logits.
        told_apart: How well it tells the images apart, with or without the fix, whichever is
            better: 0 is chance, 1 is perfect.
        num_images: Number of distinct images.
    """

    sigmas: float
    told_apart: float
    num_images: int

    @property
    def can_tell(self) -> bool:
        """Whether there are enough images, and the network can tell them apart at all."""
        return self.num_images >= MIN_TRIAL_IMAGES and self.told_apart >= MIN_TOLD_APART

    def in_words(self) -> str:
        """Returns a sentence with the numbers."""
        if self.num_images < MIN_TRIAL_IMAGES:
            return (
                f"Trial: {self.num_images} different images are too few to try the fix "
                f"({MIN_TRIAL_IMAGES} are needed)."
            )
        if not self.can_tell:
            return (
                "Trial: the network hardly tells these images apart, with or without the fix, so "
                "it cannot say which it sees better."
            )
        how = "better" if self.sigmas > 0 else "worse"
        return (
            f"Trial: with the fix the network sees {how}: it finds two views of one image among "
            f"those of {self.num_images} {how}, by {abs(self.sigmas):.1f} standard errors."
        )


class Trial:
    """Tries fixes on some images, each at most once; nothing is run before the first.

    Args:
        model: A built model. It is not changed.
        inputs: Images as fed, by input name.
        name: Name of the image input to fix.
        axis: Its channel axis.
        with_head: Whether the classifier, if there is one, was trained on this input, and is
            asked as well: a head on a frozen backbone may have learnt an input that the backbone
            does not expect.
        limit: Largest number of distinct images to use.
    """

    def __init__(
        self,
        model: keras.Model,
        inputs: Mapping[str, np.ndarray],
        name: str,
        axis: int = -1,
        with_head: bool = True,
        limit: int = MAX_TRIAL_IMAGES,
    ) -> None:
        self._model, self._name, self._axis = model, name, axis
        self._with_head = with_head
        chosen = _distinct(np.asarray(inputs[name]), limit)
        self.num_images = len(chosen)
        self._others = {
            key: np.asarray(value)[chosen] for key, value in inputs.items() if key != name
        }
        self._images = np.asarray(inputs[name])[chosen]
        self._views: tuple[np.ndarray, np.ndarray] | None = None
        self._seen: dict[Transform, list[np.ndarray] | None] = {}

    def of(self, fix: Transform, than: Transform = AS_FED) -> Preference:
        """Returns how much better the network sees with `fix` than with another map.

        Args:
            fix: The map from the images as fed to the suspected convention.
            than: The map to compare it with; by default, the images as fed.

        Raises:
            Exception: whatever the user's own `call` raises.
        """
        n = self.num_images
        if n < MIN_TRIAL_IMAGES:
            return Preference(0.0, 0.0, n)
        before, after = (self._info_nce(transform) for transform in (than, fix))
        if before is None or after is None:
            return Preference(0.0, 0.0, n)
        sigmas = []
        for one, other in zip(before, after, strict=True):
            gain = other - one
            sigmas.append(float(gain.mean() / (gain.std(ddof=1) / np.sqrt(n) + 1e-9)))
        told_apart = 1 + max(before[0].mean(), after[0].mean()) / np.log(n)
        return Preference(min(sigmas), float(told_apart), n)

    def _info_nce(self, transform: Transform) -> list[np.ndarray] | None:
        """Returns the InfoNCE of each image, `(n,)`, by features and, with a head, by logits."""
        if transform not in self._seen:
            self._seen[transform] = self._measure(transform)
        return self._seen[transform]

    def _measure(self, transform: Transform) -> list[np.ndarray] | None:
        if self._views is None:
            x = np.moveaxis(self._images, self._axis, -1).astype("float32")
            self._views = x, second_view(x)
        first, second = (self._features(transform.apply(view)) for view in self._views)
        if first is None or second is None:
            return None
        found = [info_nce(first.penultimate, second.penultimate)]
        if self._with_head and first.logits is not None and second.logits is not None:
            found.append(info_nce(first.logits, second.logits))
        return found

    def _features(self, images: np.ndarray) -> Features | None:
        """Returns the features of images whose channels come last."""
        x = np.moveaxis(images, -1, self._axis)
        parts = []
        for start in range(0, len(x), BATCH_SIZE):
            end = start + BATCH_SIZE
            some: dict[str, Any] = {key: value[start:end] for key, value in self._others.items()}
            part = features_of(self._model, {**some, self._name: x[start:end]})
            if part is None or not np.isfinite(part.penultimate).all():
                return None
            parts.append(part)
        logits = [p.logits for p in parts if p.logits is not None]
        return Features(
            np.concatenate([p.penultimate for p in parts]),
            np.concatenate(logits) if len(logits) == len(parts) else None,
        )


def info_nce(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns how well each image's second view is found among those of all images.

    Args:
        first: Features of the first views, `(n, d)`.
        second: Features of the second views, `(n, d)`.

    Returns:
        `(n,)`: the log probability of the own second view; `-log(n)` is chance, 0 perfect.
    """
    a, b = (x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-12) for x in (first, second))
    similarity = a @ b.T / TRIAL_TEMPERATURE
    similarity -= similarity.max(axis=1, keepdims=True)
    return np.asarray(np.diag(similarity - np.log(np.exp(similarity).sum(axis=1, keepdims=True))))


def _distinct(images: np.ndarray, limit: int) -> np.ndarray:
    """Returns the indices of the first images that differ from all before them."""
    seen: dict[bytes, int] = {}
    for i, image in enumerate(images):
        seen.setdefault(np.ascontiguousarray(image).tobytes(), i)
        if len(seen) == limit:
            break
    return np.asarray(list(seen.values()), int)

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

import keras
import numpy as np

from keras_shiftguard.instrument.network_features import FeatureReader, Features
from keras_shiftguard.preprocessing.expected.batch_norm import AS_FED, Transform
from keras_shiftguard.preprocessing.limits import (
    CLEAR_SIGMAS,
    FIRST_IMAGES,
    MAX_TRIAL_IMAGES,
    MIN_ACQUITTAL_SIGMAS,
    MIN_TOLD_APART,
    MIN_TRIAL_IMAGES,
    TRIAL_TEMPERATURE,
)
from keras_shiftguard.preprocessing.witnesses.views import second_view

BATCH_SIZE = 16  # divides `FIRST_IMAGES`


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
        with_head: Whether a trained classifier was asked as well.
    """

    sigmas: float
    told_apart: float
    num_images: int
    with_head: bool = False

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
    """

    def __init__(
        self,
        model: keras.Model,
        inputs: Mapping[str, np.ndarray],
        name: str,
        axis: int = -1,
        with_head: bool = True,
    ) -> None:
        self._read = FeatureReader(model)
        self._name, self._axis = name, axis
        self._with_head = with_head
        chosen = _distinct(np.asarray(inputs[name]), MAX_TRIAL_IMAGES)
        self.num_images = len(chosen)
        self._others = {
            key: np.asarray(value)[chosen] for key, value in inputs.items() if key != name
        }
        self._images = np.asarray(inputs[name])[chosen]
        self._views: tuple[np.ndarray, np.ndarray] | None = None
        self._seen: dict[tuple[Transform, int, int], Features | None] = {}

    def of(self, fix: Transform, than: Transform = AS_FED) -> Preference:
        """Returns how much better the network sees with `fix` than with another map.

        The first half of the images is enough where the answer is clear.

        Args:
            fix: The map from the images as fed to the suspected convention.
            than: The map to compare it with; by default, the images as fed.

        Raises:
            Exception: whatever the user's own `call` raises.
        """
        if self.num_images < MIN_TRIAL_IMAGES:
            return Preference(0.0, 0.0, self.num_images)
        some = self._compare(fix, than, min(FIRST_IMAGES, self.num_images))
        if self.num_images <= FIRST_IMAGES or some.sigmas < -MIN_ACQUITTAL_SIGMAS:
            return some
        if some.sigmas > CLEAR_SIGMAS and some.can_tell:
            return some
        return self._compare(fix, than, self.num_images)

    def against(self, other: "Trial") -> Preference:
        """Returns how much better the network sees these images than those of another trial.

        Args:
            other: Of the same images, garbled in another way.
        """
        n = min(self.num_images, other.num_images)
        if n < MIN_TRIAL_IMAGES:
            return Preference(0.0, 0.0, n)
        return _preference(other._info_nce(AS_FED, n), self._info_nce(AS_FED, n), n)

    def _compare(self, fix: Transform, than: Transform, n: int) -> Preference:
        """Returns how much better the network sees the first `n` images with `fix`."""
        return _preference(self._info_nce(than, n), self._info_nce(fix, n), n)

    def _info_nce(self, transform: Transform, n: int) -> list[np.ndarray] | None:
        """Returns the InfoNCE of each image, `(n,)`, by features and, with a head, by logits."""
        first, second = (self._features(transform, view, n) for view in (0, 1))
        if first is None or second is None:
            return None
        found = [info_nce(first.penultimate, second.penultimate)]
        if self._with_head and first.logits is not None and second.logits is not None:
            found.append(info_nce(first.logits, second.logits))
        return found

    def _features(self, transform: Transform, view: int, n: int) -> Features | None:
        """Returns the features of one view of the first `n` images; None if they are not finite."""
        if self._views is None:
            x = np.moveaxis(self._images, self._axis, -1).astype("float32")
            self._views = x, second_view(x)
        parts = []
        for start in range(0, n, BATCH_SIZE):
            key = transform, view, start
            if key not in self._seen:
                images = transform.apply(self._views[view][start : start + BATCH_SIZE])
                others = {name: x[start : start + BATCH_SIZE] for name, x in self._others.items()}
                self._seen[key] = self._read(
                    {**others, self._name: np.moveaxis(images, -1, self._axis)}
                )
            part = self._seen[key]
            if part is None or not np.isfinite(part.penultimate).all():
                return None
            parts.append(part)
        logits = [part.logits for part in parts if part.logits is not None]
        return Features(
            np.concatenate([part.penultimate for part in parts]),
            np.concatenate(logits) if len(logits) == len(parts) else None,
        )


def _preference(
    before: list[np.ndarray] | None, after: list[np.ndarray] | None, n: int
) -> Preference:
    """Returns by how much the InfoNCE of each image grew, by features and by logits."""
    if before is None or after is None:
        return Preference(0.0, 0.0, n)
    sigmas = []
    for one, other in zip(before, after, strict=True):
        gain = other - one
        sigmas.append(float(gain.mean() / (gain.std(ddof=1) / np.sqrt(n) + 1e-9)))
    told_apart = 1 + max(before[0].mean(), after[0].mean()) / np.log(n)
    return Preference(min(sigmas), float(told_apart), n, with_head=len(before) > 1)


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

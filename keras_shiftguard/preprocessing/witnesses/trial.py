"""Trial of a fix: tests whether a network recognizes its images better with the fix.

If the input is right, a network gives similar features to two views of one photo, and different
features to different photos. So the trial computes the features of two views of each image, once as
fed and once with the fix. The score of an image is its InfoNCE: a softmax is applied to the cosine
similarities of its first view to the second views of all images, and the score is the log
probability of its own second view. The result is the mean difference of the scores, in standard
errors over the images. "Sees better" means that the network reaches a higher score.

The trial needs no labels, no batch norm and no training data. It tests one suspected fix; a search
over many fixes would be wrong too often. If the images have labels that the network has learned,
the score is whether it names an image as labelled: the fix must raise the accuracy.

Whether the classifier itself knows images is another question: on a frozen backbone it may have
learned from images that the backbone was not made for. It then tells more of such images: its
classes have more mutual information with them, see `information`.

References:
    van den Oord, Li, Vinyals (2018), Representation Learning with Contrastive Predictive Coding
    (InfoNCE).
    Krause, Perona, Gomes (2010), Discriminative Clustering by Regularized Information Maximization.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from keras_shiftguard.instrument.network_features import FeatureReader, Features
from keras_shiftguard.preprocessing.expected.batch_norm import AS_FED, Transform
from keras_shiftguard.preprocessing.limits import (
    FIRST_IMAGES,
    MAX_TRIAL_IMAGES,
    MIN_TRIAL_IMAGES,
)
from keras_shiftguard.preprocessing.witnesses.second_view import second_view
from keras_shiftguard.statistics.classes import host_class_ids

TEMPERATURE = 0.1  # of the softmax over cosine similarities. A convention.
# How well a network must tell the images apart, from 0 (chance) to 1 (perfect), for the trial to
# count. Tiles of one picture and untrained networks stay below. A convention.
MIN_TOLD_APART = 0.5
# What a difference means, in standard errors. A fix that helps is offered if the verdict is sure.
# With labels it is sure of itself. Without other evidence it must be strong: with a classifier that
# was trained on images in another convention, a wrong fix reached 3.2, and right fixes reached 8 or
# more. Conventions.
HELPS, LIKELY, SURE, STRONG = 1.0, 2.0, 3.0, 3.5


@dataclass(frozen=True)
class Preference:
    """Result of a trial: how much better a network sees with a fix than without.

    Args:
        sigmas: The mean difference of the scores in standard errors over the images; below 0 if the
            scores are higher without the fix. The score is the InfoNCE of the features. If the
            logits of a classifier are compared as well, `sigmas` is the smaller of the two
            differences. If the network has learned the labels, the score is whether it names them.
        told_apart: How well the network distinguishes the images, with or without the fix,
            whichever is better: 0 is chance, 1 is perfect.
        num_images: Number of distinct images.
        by_labels: Whether labels were compared: an image scores if the network names it right.
        of_features: The difference by the features alone; None if the logits are not compared.
        of_logits: The difference by the logits alone; None if the logits are not compared.
        head_tells: Whether the logits distinguish the images; True if the logits are not compared.
            The logits of a classifier with two classes do not distinguish images.
        of_classes: The difference by what the classes tell of the images, see `information`; None
            if the logits are not compared.
    """

    sigmas: float
    told_apart: float
    num_images: int
    by_labels: bool = False
    of_features: float | None = None
    of_logits: float | None = None
    head_tells: bool = True
    of_classes: float | None = None

    @property
    def agreed(self) -> float:
        """What the features and the logits agree on; 0 if they disagree."""
        if self.sigmas > 0 or self.of_features is None or self.of_logits is None:
            return self.sigmas
        return min(max(self.of_features, self.of_logits), 0.0)

    def without_head(self) -> "Preference":
        """Returns the preference by the features alone."""
        sigmas = self.sigmas if self.of_features is None else self.of_features
        return replace(self, sigmas=sigmas)

    @property
    def can_tell(self) -> bool:
        """Whether the trial can decide: enough images, and a network that distinguishes them."""
        enough = self.num_images >= MIN_TRIAL_IMAGES
        return enough and (self.by_labels or self.told_apart >= MIN_TOLD_APART)

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
                "the trial cannot decide."
            )
        how = "better" if self.sigmas > 0 else "worse"
        if self.by_labels:
            return (
                f"Trial: with the fix the network sees {how}: of {self.num_images} images it names "
                f"{'more' if self.sigmas > 0 else 'fewer'} as labelled, by {abs(self.sigmas):.1f} "
                "standard errors."
            )
        return (
            f"Trial: with the fix the network sees {how}: it finds two views of one image among "
            f"those of {self.num_images} {how}, by {abs(self.sigmas):.1f} standard errors."
        )


class Trial:
    """Trial of fixes on some images. The network does not run before a fix is tried.

    Features are cached, so that the network runs on each batch only once for each fix.

    Args:
        read: The reader of the network's features; trials of one network share it.
        inputs: Images as fed, by input name.
        name: Name of the image input to fix.
        axis: The channel axis of the image input.
        with_head: Whether the logits of the classifier, if there is one, are compared as well. The
            comparison is useful because a head on a frozen backbone may have been trained with an
            input that the backbone does not expect.
        labels: Labels of the images, if any, see `host_class_ids`. If the classifier has learned
            the labels, whether it names them is the score.
    """

    def __init__(
        self,
        read: FeatureReader,
        inputs: Mapping[str, np.ndarray],
        name: str,
        axis: int = -1,
        with_head: bool = True,
        labels: np.ndarray | None = None,
    ) -> None:
        self._read = read
        self._name, self._axis = name, axis
        self._with_head = with_head
        self.chosen = chosen = distinct_images(np.asarray(inputs[name]))  # indices of the images
        self.num_images = len(chosen)
        self._others = {
            key: np.asarray(value)[chosen] for key, value in inputs.items() if key != name
        }
        self._images = np.asarray(inputs[name])[chosen]
        ids = host_class_ids(labels[chosen]) if labels is not None else None
        self._labels = ids if ids is not None and len(ids) and ids.min() >= 0 else None
        self._views: tuple[np.ndarray, np.ndarray] | None = None
        self._seen: dict[tuple[Transform, int, int], Features | None] = {}

    @property
    def has_labels(self) -> bool:
        """Whether the images have class ids."""
        return self._labels is not None

    def of(
        self, fix: Transform, than: Transform = AS_FED, limit: int = MAX_TRIAL_IMAGES
    ) -> Preference:
        """Returns how much higher the network's scores are with `fix` than with another map.

        If the result of the first `FIRST_IMAGES` images is clear, no further images are used.

        Args:
            fix: The map from the images as fed to the suspected convention.
            than: The map to compare it with; by default, the images as fed.
            limit: Largest number of images to use.

        Raises:
            Exception: Any error that the user's own `call` raises.
        """
        n = min(self.num_images, limit)
        if n < MIN_TRIAL_IMAGES:
            return Preference(0.0, 0.0, n)
        some = self._compare(fix, than, min(FIRST_IMAGES, n))
        if n <= FIRST_IMAGES or some.sigmas < -LIKELY:
            return some
        if some.sigmas > STRONG and some.can_tell:
            return some
        return self._compare(fix, than, n)

    def against(self, other: "Trial") -> Preference:
        """Returns how much higher the scores of these images are than those of another trial.

        Args:
            other: A trial of the same images, before they were repaired. In both trials the images
                must be distinct: a trial drops duplicates, and the images of the two trials would
                then not correspond.

        Returns:
            The preference. If the features of the network are the images themselves, the preference
            has `can_tell=False`.
        """
        n = self.num_images
        if n < MIN_TRIAL_IMAGES or self._read.has_one_layer:
            return Preference(0.0, 0.0, n)
        return _preference(other._seen_in(AS_FED, n), self._seen_in(AS_FED, n), n)

    def _compare(self, fix: Transform, than: Transform, n: int) -> Preference:
        """Returns how much higher the first `n` images score with `fix` than with `than`."""
        return _preference(self._seen_in(than, n), self._seen_in(fix, n), n)

    def _seen_in(self, transform: Transform, n: int) -> "_Seen | None":
        """Returns the scores of the first `n` images; None without finite features."""
        first, second = (self._features(transform, view, n) for view in (0, 1))
        if first is None or second is None:
            return None
        found = _Seen(info_nce(first.penultimate, second.penultimate))
        if first.logits is None or second.logits is None:
            return found
        if self._with_head:
            found.by_logits = info_nce(first.logits, second.logits)
            if np.isfinite(first.logits).all():
                found.by_classes = information(first.logits)
        classes = first.logits.shape[1]
        if self._labels is not None and 1 < classes and self._labels[:n].max() < classes:
            is_first = first.logits.argmax(axis=1) == self._labels[:n]
            found.of_labels, found.chance = is_first.astype("float64"), 1 / classes
        return found

    def _features(self, transform: Transform, view: int, n: int) -> Features | None:
        """Returns the features of one view of the first `n` images; None if they are not finite."""
        if self._views is None:
            x = np.moveaxis(self._images, self._axis, -1).astype("float32")
            self._views = x, second_view(x)
        parts = []
        for start in range(0, n, FIRST_IMAGES):
            key = transform, view, start
            if key not in self._seen:
                images = transform.apply(self._views[view][start : start + FIRST_IMAGES])
                others = {name: x[start : start + FIRST_IMAGES] for name, x in self._others.items()}
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


@dataclass
class _Seen:
    """Scores of some images, `(n,)` each.

    Args:
        by_features: InfoNCE of the features.
        by_logits: InfoNCE of the logits; None if they are not compared.
        by_classes: What the classes tell of each image; None if the logits are not compared.
        of_labels: 1 where the label is the likeliest class, else 0; None without labels. Their
            probabilities would rise with any larger numbers, which make a network surer.
        chance: What chance gives, a single number.
    """

    by_features: np.ndarray
    by_logits: np.ndarray | None = None
    by_classes: np.ndarray | None = None
    of_labels: np.ndarray | None = None
    chance: float = 0.0

    def knows_labels(self) -> bool:
        """Whether the labels are surely the likeliest classes more often than by chance."""
        return self.of_labels is not None and _sigmas(self.of_labels - self.chance) > SURE


def _preference(before: _Seen | None, after: _Seen | None, n: int) -> Preference:
    """Returns how much better the scores `after` are than the scores `before`, over `n` images."""
    if before is None or after is None:
        return Preference(0.0, 0.0, n)
    told_apart = _told_apart(before.by_features, after.by_features)
    if before.of_labels is not None and after.of_labels is not None:
        if before.knows_labels() or after.knows_labels():
            sigmas = _sigmas(after.of_labels - before.of_labels)
            return Preference(sigmas, told_apart, n, by_labels=True)
    of_features = _sigmas(after.by_features - before.by_features)
    if before.by_logits is None or after.by_logits is None:
        return Preference(of_features, told_apart, n)
    of_logits = _sigmas(after.by_logits - before.by_logits)
    # With two classes, the cosine similarity of the logits of two images is mostly near 1 or -1. A
    # wrong match then lowers the score so much that equal logits for all images can score higher
    # than logits that distinguish the images.
    head_tells = _told_apart(before.by_logits, after.by_logits) >= MIN_TOLD_APART
    sigmas = min(of_features, of_logits)
    of_classes = None
    if before.by_classes is not None and after.by_classes is not None:
        of_classes = _sigmas(after.by_classes - before.by_classes)
    return Preference(sigmas, told_apart, n, False, of_features, of_logits, head_tells, of_classes)


def _told_apart(before: np.ndarray, after: np.ndarray) -> float:
    """Returns how well the scores distinguish the images, before or after, whichever is better."""
    best = max(before.mean(), after.mean())
    return float(1 + best / np.log(len(before)))


def _sigmas(gains: np.ndarray) -> float:
    """Returns the mean of `gains` in standard errors."""
    return float(gains.mean() / (gains.std(ddof=1) / np.sqrt(len(gains)) + 1e-9))


def info_nce(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns how well each image's second view is recognized among the second views of all images.

    Args:
        first: Features of the first views, `(n, d)`.
        second: Features of the second views, `(n, d)`.

    Returns:
        `(n,)`: the log probability of the image's own second view; `-log(n)` is chance, 0 is
        perfect.
    """
    a, b = (x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-12) for x in (first, second))
    similarity = a @ b.T / TEMPERATURE
    similarity -= similarity.max(axis=1, keepdims=True)
    return np.diag(similarity) - np.log(np.exp(similarity).sum(axis=1))


def information(logits: np.ndarray) -> np.ndarray:
    """Returns how much the class probabilities of each image tell of it.

    This is their divergence from the mean over all images, `KL(p || mean)`. Its mean over the
    images is the mutual information of images and classes.

    Args:
        logits: `(n, classes)`; a single column is that of the second of two classes.

    Returns:
        `(n,)`, in nats.
    """
    both = np.hstack([np.zeros_like(logits), logits]) if logits.shape[1] == 1 else logits
    p = np.exp(both - both.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    tiny = np.finfo(p.dtype).tiny
    return np.asarray((p * (np.log(p + tiny) - np.log(p.mean(axis=0) + tiny))).sum(axis=1))


def distinct_images(images: np.ndarray, limit: int = MAX_TRIAL_IMAGES) -> np.ndarray:
    """Returns the indices of the first `limit` images that differ from all before them."""
    seen: dict[bytes, int] = {}
    for i, image in enumerate(images):
        seen.setdefault(np.ascontiguousarray(image).tobytes(), i)
        if len(seen) == limit:
            break
    return np.asarray(list(seen.values()), int)

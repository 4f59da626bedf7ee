"""`Preference`: the result of a trial, and the scores of images that it compares.

If the input is right, a network gives similar features to two views of one photo, and different
features to different photos. The score of an image is its InfoNCE: a softmax is applied to the
cosine similarities of its first view to the second views of all images, and the score is the log
probability of its own second view. If the images have labels that the network has learned, the
score is whether it names an image as labelled.

Whether the classifier itself knows images is another question: on a frozen backbone it may have
learned from images that the backbone was not made for. It then tells more of such images: its
classes have more mutual information with them, see `information`.

References:
    van den Oord, Li, Vinyals (2018), Representation Learning with Contrastive Predictive Coding
    (InfoNCE).
    Krause, Perona, Gomes (2010), Discriminative Clustering by Regularized Information Maximization.
"""

from dataclasses import dataclass, replace

import numpy as np

from keras_shiftguard.preprocessing.limits import MIN_TRIAL_IMAGES

# How well a network must tell the images apart, from 0 (chance) to 1 (perfect), for the trial to
# count. Tiles of one picture and untrained networks stay below. A convention.
MIN_TOLD_APART = 0.5
# What a difference means, in standard errors. A fix that helps is offered if the verdict is sure.
# With labels it is sure of itself. Without other evidence it must be strong: with a classifier that
# was trained on images in another convention, a wrong fix reached 3.2, and right fixes reached 8 or
# more. Conventions.
HELPS, LIKELY, SURE, STRONG = 1.0, 2.0, 3.0, 3.5
TEMPERATURE = 0.1  # of the softmax over cosine similarities. A convention.


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


@dataclass
class Seen:
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


def preference(before: Seen | None, after: Seen | None, n: int) -> Preference:
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

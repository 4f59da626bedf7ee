"""`Preference`: the result of a trial, and what a difference in standard errors means."""

from dataclasses import dataclass, replace

from keras_shiftguard.preprocessing.limits import MIN_TRIAL_IMAGES

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

"""Recognition of augmentation as the reason why training differs from validation.

Augmentation spreads features: an attribute varies more among augmented images than among
plain ones, around nearly the same center. A shift moves the center. Some augmentations move
the center as well: rotation and zoom blur, because they resample; shifted images have new borders;
added noise raises the noise attributes. Such a move cannot be distinguished from a shift until it
is known that training is randomized, which the second epoch shows (`same_samples.randomised`).
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.profiles import NUM_BINS, FeatureTable, InputSummary, bin_values

# A feature is wider if the log ratio of its spreads, training to validation, is above
# log(MIN_SPREAD_RATIO) by more than SIGMAS standard errors.
MIN_SPREAD_RATIO, SIGMAS = 1.05, 4.0
MAX_CENTRE_MOVE = 0.25  # largest move of a wider feature's center, in spreads of validation
# Smallest number of wider features. They must also be at least twice as many as the narrower ones.
MIN_WIDER_FEATURES = 2
MIN_SAMPLES = 50  # samples of each stream in which a feature must have a value
# Attributes whose mean is moved by random rotation, zoom, shift, crop, noise or erasing.
MOVED_BY_AUGMENTATION = (
    *("contrast", "sharpness", "edge_density", "spectral_slope", "entropy"),
    *("band_1", "band_2", "band_3", "band_4", "noise", "noise_flat", "noise_kurtosis"),
    *("blockiness", "equal_neighbours", "equal_runs", "anisotropy", "coherence"),
    *("border_level", "border_spread", "background", "highlights", "shadows"),
    *("object_size", "object_x", "object_y"),
)
# Largest move of these means by augmentation, in standard deviations of the attribute in
# validation. A larger move has another cause as well.
MAX_MOVE = 2.0
MAX_ANY_MOVE = 0.5  # augmentation can explain a smaller move of any attribute
# RandAugment and jitter move the mean brightness less than this: on digits, whose brightness varies
# little, RandAugment moved it by 1.8 standard deviations.
MAX_BRIGHTNESS_MOVE = 4.0
# Lower end, center and upper end of a feature. The spread is the distance between the ends, so the
# tails do not influence it.
QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Augmentation:
    """Evidence of augmentation in training; its truth value is False if there is none.

    Args:
        features: Names of the features that are spread wider in training, around
            nearly the same center.
        moved: Names of the other features whose mean moved no farther than
            augmentation can move it; empty unless training is known to be randomized.
        wider: Largest ratio of the spread in training to that in validation, among
            `features`; 1 if there are none.
    """

    features: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    wider: float = 1.0

    def __bool__(self) -> bool:
        return bool(self.features or self.moved)

    @property
    def expected(self) -> tuple[str, ...]:
        """All features whose difference is intended."""
        return self.features + self.moved

    @property
    def sentence(self) -> str:
        """One sentence with the evidence; empty if there is none."""
        if not self:
            return ""
        if not self.features:
            return "Training images are randomised, as augmentation does, and validation's are not"
        listed = ", ".join(self.features[:3]) + (" and more" if len(self.features) > 3 else "")
        return (
            f"Training images vary up to {self.wider:.2g} times as much as validation images "
            f"around the same centre ({listed}), as random augmentation makes them"
        )


def looks_augmented(
    train: InputSummary, validation: InputSummary, *, certain: bool = False
) -> Augmentation:
    """Finds the features that differ between training and validation because of augmentation.

    Args:
        train: Summary of an input in training.
        validation: Summary of the same input in validation.
        certain: Whether training is known to be augmented, from its epochs
            (`same_samples.randomised`) or from mixed labels.

    Returns:
        The evidence. Differences of the features that it names are intended;
        differences of other features are not.
    """
    a, b = train.features, validation.features
    if not train.is_image or a.names != b.names or a.counts.shape[1] != NUM_BINS:
        return Augmentation()
    n, m = a.moments.count, b.moments.count
    (low_a, centre_a, high_a), (low_b, centre_b, high_b) = _quantiles(a), _quantiles(b)
    usable = (np.minimum(n, m) >= MIN_SAMPLES) & (high_a > low_a) & (high_b > low_b)
    spread_a = np.where(usable, high_a - low_a, 1.0)
    spread_b = np.where(usable, high_b - low_b, 1.0)
    # Standard error of the log ratio of the spreads. For a normal variable, the error of the
    # logarithm of one spread is 0.89 / sqrt(n), here rounded up to 1 / sqrt(n).
    error = np.sqrt(1 / np.maximum(n, 1) + 1 / np.maximum(m, 1))
    log_ratio = np.log(spread_a / spread_b)
    centre_move = np.abs(centre_a - centre_b) / spread_b
    wide = usable & (log_ratio > np.log(MIN_SPREAD_RATIO) + SIGMAS * error)
    wide &= centre_move < np.maximum(MAX_CENTRE_MOVE, error)
    narrow = usable & (log_ratio < -np.log(MIN_SPREAD_RATIO) - SIGMAS * error)
    if not certain and (wide.sum() < MIN_WIDER_FEATURES or wide.sum() < 2 * narrow.sum()):
        return Augmentation()
    moved = np.zeros(len(a.names), bool)
    if certain:
        std = np.maximum(b.moments.std, 1e-30)
        move = np.abs(a.moments.mean - b.moments.mean) / std
        moved = (move < MAX_MOVE) & ~wide & np.isin(a.names, MOVED_BY_AUGMENTATION)
    return Augmentation(
        features=_named(a, wide),
        moved=_named(a, moved),
        wider=float(np.exp(log_ratio[wide].max())) if wide.any() else 1.0,
    )


def may_be(finding: Finding, moves_light: bool = False) -> bool:
    """Whether augmentation of training can explain a finding on validation.

    There is no limit to the move of an attribute that augmentation moves: in small images, a crop
    moves some attributes by many standard deviations. The brightness moves less, and cameras and
    lamps move it too, so it counts only if `moves_light` is true.

    Args:
        finding: The finding.
        moves_light: Whether augmentation may have moved the brightness: training is known to be
            augmented, or its next epoch may show that it is not, or what is lost.
    """
    if finding.kind == "concept":  # classes whose images look different
        return finding.family == "concept"
    if finding.kind != "covariate":
        return False
    size = abs(finding.effect_size)
    is_whole = "/" not in finding.feature and finding.family == "other"
    name = finding.feature.rpartition("/")[2]
    moves = name in MOVED_BY_AUGMENTATION
    moves |= moves_light and name == "brightness" and size < MAX_BRIGHTNESS_MOVE
    return moves or size < (MAX_MOVE if is_whole else MAX_ANY_MOVE)


def is_small(finding: Finding) -> bool:
    """Whether a covariate shift is so small that no alarm is needed until its cost is known."""
    return finding.kind == "covariate" and abs(finding.effect_size) < MAX_MOVE


def _quantiles(table: FeatureTable) -> np.ndarray:
    """Returns the `QUANTILES` of each feature, `(len(QUANTILES), features)`."""
    cumulative = np.cumsum(table.counts, axis=1)
    ranks = np.multiply.outer(QUANTILES, np.maximum(cumulative[:, -1] - 1, 0))
    index = [
        [np.searchsorted(c, r, "right") for c, r in zip(cumulative, row, strict=True)]
        for row in ranks
    ]
    # The dtype is explicit, because it cannot be inferred if there are no features.
    return bin_values()[np.minimum(np.asarray(index, "int64"), NUM_BINS - 1)]


def _named(table: FeatureTable, which: np.ndarray) -> tuple[str, ...]:
    """Returns the names of the features where `which` is true."""
    return tuple(name for name, yes in zip(table.names, which, strict=True) if yes)

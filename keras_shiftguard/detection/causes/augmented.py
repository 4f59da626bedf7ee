"""Recognition of augmentation: differences of training from validation that are intended.

Augmentation spreads features: an attribute varies more among augmented images than among
plain ones, around nearly the same centre. A shift moves the centre. Some augmentations move
the centre as well: a rotation or zoom resamples and so blurs, shifted images have new borders,
noise adds noise. That cannot be distinguished from a shift until it is known that training is
randomised, which the second epoch shows (`same_samples.randomised`).
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.profiles import NUM_BINS, FeatureTable, InputSummary, bin_values

SIGMAS = 4.0  # standard errors by which a spread must differ
MIN_SPREAD_RATIO = 1.05  # ratio of the spreads from which a feature counts as wider
MAX_CENTRE_MOVE = 0.25  # how far the centre of a wider feature may move, in spreads
MIN_WIDER_FEATURES = 2  # number of features that must be wider
MIN_SAMPLES = 50  # of a feature in each stream
# Attributes that random rotation, zoom, shift, crop, noise or erasing moves in one direction,
# and by how many standard deviations at most. A larger move is not augmentation alone.
MOVED_BY_AUGMENTATION = (
    *("contrast", "sharpness", "edge_density", "spectral_slope", "entropy"),
    *("band_1", "band_2", "band_3", "band_4", "noise", "noise_flat", "noise_kurtosis"),
    *("blockiness", "equal_neighbours", "equal_runs", "anisotropy", "coherence"),
    *("border_level", "border_spread", "background", "object_size", "highlights", "shadows"),
)
MAX_MOVE = 2.0
QUANTILES = (0.1, 0.5, 0.9)  # the spread is that of the inner 80 %, robust to tails


@dataclass(frozen=True)
class Augmentation:
    """Evidence of augmentation in training; false if there is none.

    Args:
        features: Names of the features that are spread wider in training, around
            nearly the same centre.
        moved: Names of the features whose centre moved as augmentation moves it;
            empty unless training is known to be randomised.
        wider: Largest ratio of the spreads; 1 if no feature is wider.
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
        """One sentence with its number; empty if there is no evidence."""
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
    """Examines whether training images look like validation images after random augmentation.

    Args:
        train: Summary of an input in training.
        validation: Summary of the same input in validation.
        certain: Whether training is known to be augmented, because `randomised`
            is true of two of its epochs.

    Returns:
        The evidence. Differences of the features that it names are intended,
        those of others are not.
    """
    a, b = train.features, validation.features
    if not train.is_image or a.names != b.names or a.counts.shape[1] != NUM_BINS:
        return Augmentation()
    n, m = a.moments.count, b.moments.count
    (low, centre, high), (low_b, centre_b, high_b) = _quantiles(a), _quantiles(b)
    usable = (np.minimum(n, m) >= MIN_SAMPLES) & (high > low) & (high_b > low_b)
    spread, other = np.where(usable, high - low, 1.0), np.where(usable, high_b - low_b, 1.0)
    # Standard error of the log ratio of the spreads. For a normal variable, that of the
    # logarithm of one spread is 0.82 / sqrt(n).
    error = np.sqrt(1 / np.maximum(n, 1) + 1 / np.maximum(m, 1))
    ratio = np.log(spread / other)
    off = np.abs(centre - centre_b) / other
    wide = usable & (ratio > np.log(MIN_SPREAD_RATIO) + SIGMAS * error)
    wide &= off < np.maximum(MAX_CENTRE_MOVE, error)
    narrow = usable & (ratio < -np.log(MIN_SPREAD_RATIO) - SIGMAS * error)
    if not certain and (wide.sum() < MIN_WIDER_FEATURES or wide.sum() < 2 * narrow.sum()):
        return Augmentation()
    moved = np.zeros(len(a.names), bool)
    if certain:
        std = np.maximum(b.moments.std, 1e-30)
        d = np.abs(a.moments.mean - b.moments.mean) / std
        moved = (d < MAX_MOVE) & ~wide & np.isin(a.names, MOVED_BY_AUGMENTATION)
    return Augmentation(
        features=_named(a, wide),
        moved=_named(a, moved),
        wider=float(np.exp(ratio[wide].max())) if wide.any() else 1.0,
    )


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

"""Does training differ from validation as augmented images differ from plain ones?

Augmentation spreads: a number that varies among images varies more among
augmented ones, around nearly the same centre. A shift moves the centre. Some
augmentations move a centre by their nature, though: a rotation or zoom
resamples and so blurs, shifted images have new borders, noise adds noise. That
looks like a shift until it is known that training is randomised, which shows
in its second epoch (`repeats.randomised`).
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.profiles import NUM_BINS, FeatureTable, InputSummary, bin_values

SIGMAS = 4.0  # standard errors by which a spread must differ
WIDER = 1.05  # ratio of spreads from which a feature counts as spread
CENTRED = 0.25  # spreads by which its centre may be off
FEWEST = 2  # features that must be spread wider
MIN_SAMPLES = 50
# What random rotation, zoom, shift, crop, noise or erasing moves one way, and
# by how many standard deviations at most. Beyond, it is not augmentation alone.
MOVED_BY_NATURE = (
    *("contrast", "sharpness", "edge_density", "spectral_slope", "entropy"),
    *("band_1", "band_2", "band_3", "band_4", "noise", "noise_flat", "noise_kurtosis"),
    *("blockiness", "equal_neighbours", "equal_runs", "anisotropy", "coherence"),
    *("border_level", "border_spread", "background", "object_size", "highlights", "shadows"),
)
MOVED_AT_MOST = 2.0
OUTER = (0.1, 0.5, 0.9)  # quantiles: the spread of the inner 80 %, robust to tails


@dataclass(frozen=True)
class Augmentation:
    """What speaks for augmentation in training; false if nothing does.

    Args:
        features: Names of the features that are spread wider in training around
            nearly the same centre.
        moved: Features whose centre moved as augmentation moves it; only where
            training is known to be randomised.
        wider: Largest ratio of the spreads; 1 if none.
    """

    features: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    wider: float = 1.0

    def __bool__(self) -> bool:
        return bool(self.features or self.moved)

    @property
    def expected(self) -> tuple[str, ...]:
        """All features whose difference is meant to be."""
        return self.features + self.moved

    @property
    def sentence(self) -> str:
        """One sentence with its number; empty if nothing speaks for it."""
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
    """Tells whether training looks like validation after random augmentation.

    Args:
        train: Summary of an input in training.
        validation: Of the same input in validation.
        certain: Whether training is known to be augmented: `randomised` is true
            of two of its epochs.

    Returns:
        An `Augmentation`. Differences of the features that it names are meant
        to be, those of others are not.
    """
    a, b = train.features, validation.features
    if not train.is_image or a.names != b.names or a.counts.shape[1] != NUM_BINS:
        return Augmentation()
    n, m = a.moments.count, b.moments.count
    (low, centre, high), (low_b, centre_b, high_b) = _quantiles(a), _quantiles(b)
    usable = (np.minimum(n, m) >= MIN_SAMPLES) & (high > low) & (high_b > low_b)
    spread, other = np.where(usable, high - low, 1.0), np.where(usable, high_b - low_b, 1.0)
    # Of the logarithm of the spread: 0.82 / sqrt(n) for a normal variable.
    error = np.sqrt(1 / np.maximum(n, 1) + 1 / np.maximum(m, 1))
    ratio = np.log(spread / other)
    off = np.abs(centre - centre_b) / other
    wide = usable & (ratio > np.log(WIDER) + SIGMAS * error)
    wide &= off < np.maximum(CENTRED, error)
    narrow = usable & (ratio < -np.log(WIDER) - SIGMAS * error)
    if not certain and (wide.sum() < FEWEST or wide.sum() < 2 * narrow.sum()):
        return Augmentation()
    moved = np.zeros(len(a.names), bool)
    if certain:
        std = np.maximum(b.moments.std, 1e-30)
        d = np.abs(a.moments.mean - b.moments.mean) / std
        moved = (d < MOVED_AT_MOST) & ~wide & np.isin(a.names, MOVED_BY_NATURE)
    return Augmentation(
        features=_named(a, wide),
        moved=_named(a, moved),
        wider=float(np.exp(ratio[wide].max())) if wide.any() else 1.0,
    )


def _quantiles(table: FeatureTable) -> np.ndarray:
    """The `OUTER` quantiles of each feature, `(len(OUTER), features)`."""
    cumulative = np.cumsum(table.counts, axis=1)
    ranks = np.multiply.outer(OUTER, np.maximum(cumulative[:, -1] - 1, 0))
    index = [
        [np.searchsorted(c, r, "right") for c, r in zip(cumulative, row, strict=True)]
        for row in ranks
    ]
    # With a type of its own: of no features there is nothing to tell it from.
    return bin_values()[np.minimum(np.asarray(index, "int64"), NUM_BINS - 1)]


def _named(table: FeatureTable, which: np.ndarray) -> tuple[str, ...]:
    return tuple(name for name, yes in zip(table.names, which, strict=True) if yes)

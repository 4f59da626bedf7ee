"""A place that is covered in all images, for example by a logo or a mask, and what that costs.

There, the pixels hardly differ between the images, which image attributes hardly show.
"""

import numpy as np

from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost, cost_of, gap_between
from keras_shiftguard.detection.two_sample.tail_probabilities import BEYOND_CHANCE
from keras_shiftguard.detection.words.sentences import percent
from keras_shiftguard.experiments.labelled import Labelled, Predict

# A pixel is the same in all images if its standard deviation between them is at most this share of
# that of all pixels of training, and it is not if its deviation is at least the second share.
# Conventions.
SAME, DIFFERENT = 0.02, 0.25
MIN_SHARE = 0.005  # smallest covered place, as a share of the pixels. A convention.
MIN_DENSITY = 0.5  # smallest share of the rows and columns that name a place. A convention.


def covered(
    predict: Predict,
    current: Labelled,
    reference: Labelled | None,
    channels_first: bool,
    may_be_augmented: bool = True,
) -> tuple[str, Cost] | None:
    """Returns which place is covered in all images, and the cost; None if no cost is sure.

    The cost is measured on images of the reference, by covering the same place there. The model
    must surely be right more often on the reference: a place may also differ because augmentation
    moves the images of the reference. So if these may be augmented, a background that is the same
    in all images is left out, and so is a place that shows it through a hole in the objects: on a
    black background, black places are then not found.
    """
    if reference is None or min(len(current.labels), len(reference.labels)) < MIN_SAMPLES:
        return None
    if current.images.shape[1:] != reference.images.shape[1:]:
        return None
    before = predict(reference.images).argmax(axis=1) == reference.labels
    right = predict(current.images).argmax(axis=1) == current.labels
    gap = gap_between(before, right, reference.labels, current.labels)
    if may_be_augmented and not gap.is_sure:
        return None
    channels = 1 if channels_first else 3
    here, there = (each.images.astype("float32", copy=False) for each in (current, reference))
    scale = float(there.std())
    same, mean = _deviations(here, channels) <= SAME * scale, here.mean(axis=0)
    background = _reaching_border(same) & may_be_augmented
    if (same & ~background).mean() < MIN_SHARE:
        return None
    place = same & ~background & (_deviations(there, channels) >= DIFFERENT * scale)
    colors = np.moveaxis(mean, channels - 1, 2)
    if background.any():
        place[place] &= _are_others(colors[place], colors[background], SAME * scale)
    if place.mean() < MIN_SHARE:
        return None
    hidden = np.where(np.expand_dims(place, channels - 1), mean, reference.images).astype(
        reference.images.dtype
    )
    cost = cost_of(before, predict(hidden).argmax(axis=1) == reference.labels)
    return (_in_words(place), cost.at_most(gap)) if cost.sigmas >= BEYOND_CHANCE else None


def _deviations(images: np.ndarray, channels: int) -> np.ndarray:
    """Returns the largest standard deviation of the channels, `(height, width)`."""
    return images.std(axis=0).max(axis=channels - 1)


def _reaching_border(same: np.ndarray) -> np.ndarray:
    """Returns the parts of a mask, `(height, width)`, that reach the border."""
    outside = np.zeros_like(same)
    outside[[0, -1]], outside[:, [0, -1]] = same[[0, -1]], same[:, [0, -1]]
    size = -1
    while outside.sum() != size:  # spreads to all neighbors within the mask
        size = outside.sum()
        near = outside.copy()
        near[1:] |= outside[:-1]
        near[:-1] |= outside[1:]
        near[:, 1:] |= outside[:, :-1]
        near[:, :-1] |= outside[:, 1:]
        outside = near & same
    return outside


def _are_others(colors: np.ndarray, known: np.ndarray, tolerance: float) -> np.ndarray:
    """Whether each color, `(pixels, channels)`, differs from all known ones, `(pixels,)`."""
    steps = np.unique(np.round(known / max(tolerance, 1e-12)), axis=0) * tolerance
    distances = np.abs(colors[:, None] - steps[None]).max(axis=2)
    return (distances > 2 * tolerance).all(axis=1)


def _in_words(place: np.ndarray) -> str:
    """Describes a place: its first and last rows and columns, or its size if it has gaps."""
    rows, columns = np.nonzero(place)
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    if place[top : bottom + 1, left : right + 1].mean() < MIN_DENSITY:
        return f"all the same in {percent(float(place.mean()))} of their pixels"
    return f"all the same in their rows {top} to {bottom} and columns {left} to {right}, from 0"

"""A place that is covered in all images: a date, a logo, a mask or dead pixels, and what it costs.

There, the pixels hardly differ between the images. The image attributes hardly show this, and
augmentation of training hides the rest. But augmentation that moves images, or erases another part
of each image, does not make one place the same in all of them.
"""

import numpy as np

from keras_shiftguard.detection.cost import Cost, cost_of
from keras_shiftguard.explain.labelled import MIN_SAMPLES, Labelled, Predict

# A pixel is the same in all images if its standard deviation between them is at most this share of
# that of all pixels of training, and it is not if its deviation is at least the second share.
SAME, DIFFERENT = 0.02, 0.25
MIN_SHARE = 0.005  # smallest covered place, as a share of the pixels
MIN_SIGMAS = 4.0  # smallest cost in standard errors, as for misplaced images


def covered(
    predict: Predict, current: Labelled, reference: Labelled | None, channels_first: bool
) -> tuple[str, Cost] | None:
    """Returns which place is covered in all images, and the cost; None if no cost is sure.

    The cost is measured on images of the reference, by covering the same place there. A background
    that is the same in all images is left out, and so is a place that shows it through a hole in
    the objects: random crops of training may move or enlarge the objects. So on a black background,
    black places are not found.

    Args:
        predict: Runs the model in inference mode.
        current: Labelled images, 4D.
        reference: Labelled images of training; None if there are none.
        channels_first: Whether the channels are the second axis.
    """
    if reference is None or min(len(current.labels), len(reference.labels)) < MIN_SAMPLES:
        return None
    if current.images.shape[1:] != reference.images.shape[1:]:
        return None
    channels = 1 if channels_first else 3
    here, there = (each.images.astype("float32") for each in (current, reference))
    scale = float(there.std())
    deviations = [images.std(axis=0).max(axis=channels - 1) for images in (here, there)]
    same, mean = deviations[0] <= SAME * scale, here.mean(axis=0)
    background = _reaching_border(same)
    place = same & ~background & (deviations[1] >= DIFFERENT * scale)
    colors = np.moveaxis(mean, channels - 1, 2)
    place[place] &= _are_others(colors[place], colors[background], SAME * scale)
    if place.mean() < MIN_SHARE:
        return None
    mask = np.expand_dims(place, channels - 1)
    hidden = np.where(mask, mean, reference.images).astype(reference.images.dtype)
    right = predict([reference.images]) == reference.labels
    cost = cost_of(right, predict([hidden]) == reference.labels)
    return (_in_words(place), cost) if cost.sigmas >= MIN_SIGMAS else None


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
    """Describes a place by its first and last rows and columns, counted from 0."""
    (top, bottom), (left, right) = ((int(at.min()), int(at.max())) for at in np.nonzero(place))
    return f"all the same in rows {top} to {bottom}, columns {left} to {right}"

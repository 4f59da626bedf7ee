"""Test whether the samples of a stream without labels moved as a new class mix predicts.

Label shift leaves every class as it was. So the mean of all samples moves to the mean of the class
means of the reference, weighted by the new class mix. Shifted inputs can make a classifier predict
one class more often, as well, but their mean moves elsewhere.
"""

import numpy as np

from keras_shiftguard.profiles import LabelSummary, Moments

MIN_SAMPLES = 2  # smallest number of samples of a class in the reference
# A movement is ruled out if the mean of all samples differs from it by more than SIGMAS standard
# errors along the projection with the largest predicted movement, or by more than SIGMAS_OF_ANY
# along any projection. Along the others, chance may hide the movement.
SIGMAS, SIGMAS_OF_ANY = 3.0, 4.0


def moved_as_mix(
    current: Moments,
    reference: LabelSummary,
    frequencies: np.ndarray,
    errors: np.ndarray,
    shares: tuple[float, float] = (1.0, 1.0),
) -> bool | None:
    """Compares the mean of all samples with the mean that an estimated class mix predicts.

    Args:
        current: Moments of the random projections of all samples of the stream, `(directions,)`.
        reference: Labels of the stream it is compared with.
        frequencies: Estimated class mix, `(classes,)`.
        errors: Standard errors of the frequencies, `(classes,)`.
        shares: Shares of distinct samples, see `families.Shares`.

    Returns:
        Whether it is possible that the samples moved like this; None if that is not known: without
        moments by class, if several classes share their moments, if the reference has fewer than
        `MIN_SAMPLES` samples of a class, or if its samples are equal along a projection.
    """
    before, n = reference.by_class, float(np.max(current.count, initial=0.0)) * shares[0]
    m = before.count[:, :1] * shares[1]  # of each class, (classes, 1)
    if not n or not m.sum() or len(frequencies) > len(m) or reference.shares_moments:
        return None
    new, error = (np.pad(each, (0, len(m) - len(each)))[:, None] for each in (frequencies, errors))
    old = m / m.sum()
    middle = (old * before.mean).sum(axis=0)
    deviation = before.mean - middle
    together = (old * (before.std**2 + deviation**2)).sum(axis=0)
    if np.any((new > 0) & (m < MIN_SAMPLES)) or not np.all(together > 0):
        return None
    squares = (new * (before.std**2 + deviation**2)).sum(axis=0) / n
    squares += ((error * deviation * (m > 0)) ** 2).sum(axis=0)
    squares += (new**2 * before.std**2 / np.maximum(m, 1)).sum(axis=0)
    predicted = ((new - old) * before.mean).sum(axis=0)
    z = np.abs(current.mean - middle - predicted) / np.sqrt(np.maximum(squares, 1e-30))
    best = int(np.argmax(np.abs(predicted) / np.sqrt(together)))
    return bool(z[best] <= SIGMAS and z.max() <= SIGMAS_OF_ANY)

"""Test to distinguish label shift from relabeled samples: did the samples move with the mix?

Label shift leaves every class as it was. So the mean of all samples moves to the mean of the class
means of the reference, weighted by the new class mix. If samples only got other labels, the class
mix changes as well, but the mean of all samples stays.
"""

from typing import NamedTuple

import numpy as np

from keras_shiftguard.profiles import LabelSummary, Moments

MIN_SAMPLES = 2  # smallest number of samples of a class in the reference
# A movement is ruled out if the mean of all samples differs from it by more than SIGMAS standard
# errors along the projection with the largest predicted movement, or by more than SIGMAS_OF_ANY
# along any projection.
SIGMAS, SIGMAS_OF_ANY = 3.0, 4.0


class Movement(NamedTuple):
    """Result of the test: which movements of the mean of all samples are not ruled out.

    Args:
        as_mix: Whether it is possible that the samples moved as the class mix predicts.
        none: Whether it is possible that the samples did not move.
        tells: Whether the predicted movement is larger than chance, so that the test can decide.
    """

    as_mix: bool
    none: bool
    tells: bool


def movement(
    current: LabelSummary, reference: LabelSummary, shares: tuple[float, float]
) -> Movement | None:
    """Compares the mean of all samples with the mean that the new class mix predicts.

    Args:
        current: Labels of the stream that may differ.
        reference: Labels of the stream it is compared with.
        shares: Shares of distinct samples, see `families.Shares`.

    Returns:
        The result; None without moments by class, if several classes share their moments, if the
        reference has fewer than `MIN_SAMPLES` samples of a class of `current`, or if all samples
        of the reference are equal along a projection.
    """
    now, before = current.by_class, reference.by_class
    n, m = now.count[:, :1] * shares[0], before.count[:, :1] * shares[1]
    if not n.sum() or not m.sum() or current.shares_moments or reference.shares_moments:
        return None
    new, old = n / n.sum(), m / m.sum()  # the class mixes, (classes, 1)
    moved = (new * now.mean).sum(axis=0) - (old * before.mean).sum(axis=0)
    # `moved` minus the predicted movement is `new * (now.mean - before.mean)`, summed over the
    # classes. So only the class means contribute errors, not the class mixes.
    squares = new**2 * before.std**2 * (1 / np.maximum(n, 1) + 1 / np.maximum(m, 1))
    return _judged(moved, squares.sum(axis=0), before, new, m, float(n.sum()))


def movement_of_unlabelled(
    current: Moments,
    reference: LabelSummary,
    frequencies: np.ndarray,
    errors: np.ndarray,
    shares: tuple[float, float] = (1.0, 1.0),
) -> Movement | None:
    """Compares the means as `movement` does, for a stream without labels and an estimated mix.

    Args:
        current: Moments of the random projections of all samples of the stream, `(directions,)`.
        reference: Labels of the stream it is compared with.
        frequencies: Estimated class mix, `(classes,)`.
        errors: Standard errors of the frequencies, `(classes,)`.
        shares: Shares of distinct samples, see `families.Shares`.
    """
    before, n = reference.by_class, float(np.max(current.count, initial=0.0)) * shares[0]
    m = before.count[:, :1] * shares[1]
    if not n or not m.sum() or len(frequencies) > len(m) or reference.shares_moments:
        return None
    new, error = (np.pad(each, (0, len(m) - len(each)))[:, None] for each in (frequencies, errors))
    middle = (m / m.sum() * before.mean).sum(axis=0)
    deviation = before.mean - middle
    squares = (new * (before.std**2 + deviation**2)).sum(axis=0) / n
    squares += ((error * deviation * (m > 0)) ** 2).sum(axis=0)
    squares += (new**2 * before.std**2 / np.maximum(m, 1)).sum(axis=0)
    return _judged(current.mean - middle, squares, before, new, m, n)


def _judged(
    moved: np.ndarray,
    squares: np.ndarray,
    before: Moments,
    new: np.ndarray,
    m: np.ndarray,
    n: float,
) -> Movement | None:
    """Tests the movement, most strictly along the projection that should move most.

    Args:
        moved: Movement of the mean of all samples, `(directions,)`.
        squares: Squared standard error of `moved` minus the predicted movement.
        before: Moments of the projections in the reference, `(classes, directions)`.
        new: The new class mix, `(classes, 1)`.
        m: Number of samples of each class in the reference, `(classes, 1)`.
        n: Number of samples of the current stream.
    """
    if np.any((new > 0) & (m < MIN_SAMPLES)):
        return None
    old = m / m.sum()
    middle = (old * before.mean).sum(axis=0)
    together = (old * (before.std**2 + (before.mean - middle) ** 2)).sum(axis=0)
    if not np.all(together > 0):
        return None
    predicted = ((new - old) * before.mean).sum(axis=0)
    # The projection with the largest predicted movement in standard deviations. Along the others,
    # chance may hide the movement.
    best = int(np.argmax(np.abs(predicted) / np.sqrt(together)))

    def is_zero(movement: np.ndarray, squared_error: np.ndarray) -> bool:
        z = np.abs(movement) / np.sqrt(np.maximum(squared_error, 1e-30))
        return bool(z[best] <= SIGMAS and z.max() <= SIGMAS_OF_ANY)

    squares_of_none = together * (1 / n + 1 / m.sum())
    largest_error = float(np.sqrt(max(squares[best], squares_of_none[best])))
    return Movement(
        as_mix=is_zero(moved - predicted, squares),
        none=is_zero(moved, squares_of_none),
        tells=bool(abs(predicted[best]) > SIGMAS * largest_error),
    )

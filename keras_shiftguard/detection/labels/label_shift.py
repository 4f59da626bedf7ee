"""Label shift estimation: the class frequencies of a stream without labels.

This is black-box shift estimation. A classifier's confusion matrix is known from a labelled
stream. If nothing but the class frequencies changed, the predictions on another stream give
its frequencies: with `A[j, i]` the share of class `i` that is predicted as `j`, and `q` the
predicted shares of the target, its class frequencies `p` solve `A p = q`.

If the classifier confuses classes, this plain solution is noisy. The point estimate is
therefore shrunk towards the frequencies of the source, in proportion to the noise in `A` and
`q` (the variance of the change is estimated by maximum likelihood). The interval is that of the
plain solution, so that it is wide, not wrong, for a classifier that cannot separate the classes.

Reference: Lipton, Wang and Smola, "Detecting and Correcting for Label Shift
with Black Box Predictors", ICML 2018; Azizzadenesheli et al., "Regularized
Learning for Domain Adaptation under Label Shifts", ICLR 2019.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.profiles import OutputSummary

Z = 1.96  # for an interval of 95 %
# Count that is added to a class, spread over all cells: a confusion that did not occur in ten
# samples is not impossible.
PSEUDO_COUNT = 1.0
MAX_IDENTIFIED_ERROR = 0.25  # largest standard error of a frequency that counts as identified
# Standard deviations of the change among which maximum likelihood chooses.
CANDIDATE_DEVIATIONS = np.concatenate([[0.0], np.logspace(-4, 0, 33)])


@dataclass(frozen=True)
class LabelShift:
    """Estimated class frequencies of an unlabelled stream.

    Args:
        frequencies: Estimate, `(classes,)`; not negative, sums to 1.
        lower: Lower end of a 95 % interval of each, `(classes,)`.
        upper: Upper end. The interval is `[0, 1]` if a class is not identified.
        weights: `frequencies` divided by those of the labelled stream, `(classes,)`:
            importance weights for training. 0 for a class that the labelled stream
            lacks.
        condition_number: Condition number of the confusion matrix with classes in
            columns that sum to 1. Errors in the predicted shares are amplified by
            up to this factor.
        identified: Whether the classifier separates the classes well enough for
            the interval of every frequency to be informative.
    """

    frequencies: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    weights: np.ndarray
    condition_number: float
    identified: bool


def estimate(source: OutputSummary, target_predicted: ArrayLike) -> LabelShift:
    """Estimates class frequencies from what a classifier predicts.

    Args:
        source: Outputs on a labelled stream that was not trained on, of which
            `confusion` is used. On training data it would be too good.
        target_predicted: How often each class was predicted in the target,
            `(classes,)`, by the same model with the same weights.

    Returns:
        The estimate, with its interval.

    Raises:
        BadInputError: if there is no confusion matrix or no prediction, or if the
            numbers of classes differ.

    Example:

    >>> source = OutputSummary(num_classes=2, confusion=np.array([[80, 20], [10, 90]]))
    >>> estimate(source, [450, 550]).frequencies.round(2).tolist()
    [0.5, 0.5]
    """
    confusion = np.asarray(source.confusion, "float64")
    predicted = np.asarray(target_predicted, "float64")
    if not confusion.size or not confusion.sum():
        raise BadInputError(
            "Label shift is estimated from a confusion matrix, and there is none: profile "
            "labelled data with `model=` (up to 62 classes)."
        )
    if predicted.shape != confusion.shape[:1] or not predicted.sum():
        raise BadInputError(
            f"`target_predicted` must count predictions of {len(confusion)} classes. "
            f"Received: shape {predicted.shape}, {predicted.sum():g} predictions."
        )
    n, m = confusion.sum(axis=1), predicted.sum()
    there = n > 0
    start, q = n / n.sum(), predicted / m
    matrix = np.where(there, confusion.T / np.maximum(n, 1), 0.0)  # columns are classes
    plain, error = _plain(matrix, there, confusion, q, m)
    change = _towards(start, matrix, q, _noise(confusion, start, q, m))
    frequencies = onto_simplex(np.where(there, start + change, 0.0), there)
    lower = np.where(there, np.clip(plain - Z * error, 0, 1), 0.0)
    upper = np.where(there, np.clip(plain + Z * error, 0, 1), 1.0)
    return LabelShift(
        frequencies=frequencies,
        # The plain solution may lie outside of what frequencies can be.
        lower=np.minimum(lower, frequencies),
        upper=np.maximum(upper, frequencies),
        weights=np.where(there, frequencies / np.where(there, start, 1.0), 0.0),
        condition_number=float(np.linalg.cond(matrix[:, there])),
        identified=bool(error[there].max() <= MAX_IDENTIFIED_ERROR),
    )


def _plain(
    matrix: np.ndarray, there: np.ndarray, confusion: np.ndarray, q: np.ndarray, m: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the solution of `A p = q`, and its standard errors (delta method)."""
    u, s, vt = np.linalg.svd(matrix[:, there], full_matrices=False)
    # A direction with a singular value of nearly 0 is not estimated, and its error is huge.
    inverse = (vt.T / np.maximum(s, 1e-9)) @ u.T
    solved = np.zeros(len(q))
    solved[there] = (vt.T * np.where(s > 1e-6 * s[0], 1 / np.maximum(s, 1e-9), 0.0)) @ u.T @ q
    inside = onto_simplex(solved, there)
    noise = _noise(confusion, inside, q, m)
    error = np.full(len(q), np.inf)
    error[there] = np.sqrt(np.einsum("ij,jk,ik->i", inverse, noise, inverse))
    return solved, error


def _noise(confusion: np.ndarray, p: np.ndarray, q: np.ndarray, m: float) -> np.ndarray:
    """Returns the covariance of `q - A p`; both terms are shares of counts."""
    classes = len(q)
    q = (q * m + PSEUDO_COUNT / classes) / (m + PSEUDO_COUNT)
    total = (np.diag(q) - np.outer(q, q)) / m
    for row, share in zip(confusion, p, strict=True):
        n = row.sum()
        if n:
            column = (row + PSEUDO_COUNT / classes) / (n + PSEUDO_COUNT)
            total += share**2 * (np.diag(column) - np.outer(column, column)) / n
    return total


def _towards(start: np.ndarray, matrix: np.ndarray, q: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Returns the expected change of the frequencies, shrunk according to the noise."""
    values, vectors = np.linalg.eigh(noise)
    used = values > 1e-9 * values[-1]  # shares sum to 1, so one eigenvalue is 0
    whiten = vectors[:, used].T / np.sqrt(values[used])[:, None]
    seen, design = whiten @ (q - matrix @ start), whiten @ matrix
    u, s, vt = np.linalg.svd(design, full_matrices=False)
    along = u.T @ seen
    variance = 1 + np.multiply.outer(CANDIDATE_DEVIATIONS**2, s**2)
    likelihood = -0.5 * (np.log(variance) + along**2 / variance).sum(axis=1)
    tau = CANDIDATE_DEVIATIONS[int(likelihood.argmax())]
    return vt.T @ (tau**2 * s / (1 + tau**2 * s**2) * along)


def onto_simplex(p: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Returns the nearest frequencies that are not negative and sum to 1.

    Args:
        p: Frequencies, `(classes,)`.
        allowed: Whether a class may have a frequency above 0, `(classes,)`.
    """
    values = np.sort(p[allowed])[::-1]
    excess = (np.cumsum(values) - 1) / np.arange(1, len(values) + 1)
    cut = excess[np.flatnonzero(values > excess)[-1]]
    return np.where(allowed, np.maximum(p - cut, 0.0), 0.0)

"""How frequent are the classes in a stream without labels?

Black-box shift estimation: a classifier's errors are known from a labelled
stream, so the classes that it predicts elsewhere tell which ones are there, as
long as nothing but their frequencies changed. With `A[j, i]` the share of
class `i` that is predicted as `j`, and `q` the predicted shares of the target,
its class frequencies `p` solve `A p = q`.

Where the classifier mixes classes up, the plain solution is noise. The point
estimate is therefore drawn towards the source's frequencies, by as much as the
noise in `A` and `q` asks for (the variance of the change is estimated by
maximum likelihood); the interval is that of the plain solution, so that of a
blind classifier is wide instead of wrong.

Reference: Lipton, Wang and Smola, "Detecting and Correcting for Label Shift
with Black Box Predictors", ICML 2018; Azizzadenesheli et al., "Regularized
Learning for Domain Adaptation under Label Shifts", ICLR 2019.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.profiles import OutputSummary

Z = 1.96  # 95 %
# Counts added to what was never seen, over all cells of a class: a confusion
# that did not occur in ten samples is not impossible.
PSEUDO_COUNT = 1.0
IDENTIFIED = 0.25  # largest standard error of a frequency that still tells something
CHANGES = np.concatenate([[0.0], np.logspace(-4, 0, 33)])  # deviations of the change, tried


@dataclass(frozen=True)
class LabelShift:
    """Class frequencies of an unlabelled stream.

    Args:
        frequencies: Estimate, `(classes,)`; not negative, sums to 1.
        lower: Lower end of a 95 % interval of each, `(classes,)`.
        upper: Upper end. `[0, 1]` where a class is not identified.
        weights: `frequencies` over those of the labelled stream, `(classes,)`:
            importance weights for training. 0 for a class that it has not.
        condition_number: Of the confusion matrix, classes in columns that sum
            to 1. Errors in what is predicted grow by up to this factor.
        identified: Whether the classifier tells the classes apart well enough
            for every frequency to have an interval that means something.
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
        source: Outputs on a labelled stream that was not trained on: its
            `confusion` is what is used. Evaluated in training, it is too good.
        target_predicted: How often each class was predicted in the target,
            `(classes,)`, by the same model with the same weights.

    Returns:
        The estimate, with its interval.

    Raises:
        BadInputError: without a confusion matrix or predictions, or where they
            have other classes.

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
        identified=bool(error[there].max() <= IDENTIFIED),
    )


def _plain(
    matrix: np.ndarray, there: np.ndarray, confusion: np.ndarray, q: np.ndarray, m: float
) -> tuple[np.ndarray, np.ndarray]:
    """The solution of `A p = q` and its standard errors (delta method)."""
    u, s, vt = np.linalg.svd(matrix[:, there], full_matrices=False)
    # A direction that is not seen at all is left alone, and its error is beyond
    # any use.
    inverse = (vt.T / np.maximum(s, 1e-9)) @ u.T
    solved = np.zeros(len(q))
    solved[there] = (vt.T * np.where(s > 1e-6 * s[0], 1 / np.maximum(s, 1e-9), 0.0)) @ u.T @ q
    inside = onto_simplex(solved, there)
    noise = _noise(confusion, inside, q, m)
    error = np.full(len(q), np.inf)
    error[there] = np.sqrt(np.einsum("ij,jk,ik->i", inverse, noise, inverse))
    return solved, error


def _noise(confusion: np.ndarray, p: np.ndarray, q: np.ndarray, m: float) -> np.ndarray:
    """Covariance of `q - A p`: both are shares of counts."""
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
    """The expected change of the frequencies, given how much noise there is."""
    values, vectors = np.linalg.eigh(noise)
    keep = values > 1e-9 * values[-1]  # shares sum to 1: one direction is empty
    whiten = vectors[:, keep].T / np.sqrt(values[keep])[:, None]
    seen, design = whiten @ (q - matrix @ start), whiten @ matrix
    u, s, vt = np.linalg.svd(design, full_matrices=False)
    along = u.T @ seen
    variance = 1 + np.multiply.outer(CHANGES**2, s**2)
    likelihood = -0.5 * (np.log(variance) + along**2 / variance).sum(axis=1)
    tau = CHANGES[int(likelihood.argmax())]
    return vt.T @ (tau**2 * s / (1 + tau**2 * s**2) * along)


def onto_simplex(p: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """The nearest frequencies that are not negative and sum to 1."""
    values = np.sort(p[allowed])[::-1]
    excess = (np.cumsum(values) - 1) / np.arange(1, len(values) + 1)
    cut = excess[np.flatnonzero(values > excess)[-1]]
    return np.where(allowed, np.maximum(p - cut, 0.0), 0.0)

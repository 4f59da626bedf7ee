"""Label shift estimation: the class frequencies of a stream without labels.

This is black-box shift estimation. A classifier's confusion matrix is known from a labeled
stream. If nothing but the class frequencies changed, the predictions on another stream give
its frequencies: with `A[j, i]` the share of class `i` that is predicted as `j`, and `q` the
predicted shares of the target, its class frequencies `p` solve `A p = q`.

If the classifier confuses classes, this plain solution is noisy. The point estimate is therefore
shrunk towards the frequencies of the labeled stream (the source). It is shrunk more if the noise
in `A` and `q` is large relative to the variance of the frequencies' change from source to target.
Maximum likelihood estimates that variance. The interval is that of the plain solution. So it is
wide, but not wrong, for a classifier that cannot separate the classes.

Reference: Lipton, Wang and Smola, "Detecting and Correcting for Label Shift
with Black Box Predictors", ICML 2018; Azizzadenesheli et al., "Regularized
Learning for Domain Adaptation under Label Shifts", ICLR 2019.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.profiles import OutputSummary

Z = 1.96  # standard errors to each side, for an interval of 95 %
# Added to the number of samples of a class, spread evenly over all predictions, because a
# confusion that did not occur in ten samples is not impossible.
PSEUDO_COUNT = 1.0
# The class mix counts as identified if no frequency has a larger standard error.
MAX_IDENTIFIED_ERROR = 0.25
# Maximum likelihood chooses among these standard deviations of the change of a frequency.
CANDIDATE_DEVIATIONS = np.concatenate([[0.0], np.logspace(-4, 0, 33)])


@dataclass(frozen=True)
class LabelShift:
    """Estimated class frequencies of an unlabeled stream.

    Args:
        frequencies: Estimate, `(classes,)`; not negative, sums to 1.
        lower: Lower end of the 95 % interval of each frequency, `(classes,)`.
        upper: Upper end. The interval is `[0, 1]` for a class that the labeled stream lacks,
            or that the classifier cannot distinguish from others.
        identified: Whether the classifier separates the classes of the labeled stream well enough
            for their intervals to be informative. Classes that this stream lacks are ignored.
    """

    frequencies: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    identified: bool


def estimate(source: OutputSummary, target_predicted: ArrayLike) -> LabelShift:
    """Estimates class frequencies from the predictions of a classifier.

    Args:
        source: Outputs on a labeled stream, of which `confusion` is used. The model
            must not have been trained on this stream: it errs less on training data.
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
    labelled = n > 0  # classes that the source has
    before, q = n / n.sum(), predicted / m
    matrix = np.where(labelled, confusion.T / np.maximum(n, 1), 0.0)  # `A`; columns are classes
    plain, error = _plain(matrix, labelled, confusion, q, m)
    change = _shrunk_change(before, matrix, q, _noise(confusion, before, q, m))
    frequencies = onto_simplex(np.where(labelled, before + change, 0.0), labelled)
    lower = np.where(labelled, np.clip(plain - Z * error, 0, 1), 0.0)
    upper = np.where(labelled, np.clip(plain + Z * error, 0, 1), 1.0)
    return LabelShift(
        frequencies=frequencies,
        # The plain solution may be negative or above 1, the frequencies may not.
        lower=np.minimum(lower, frequencies),
        upper=np.maximum(upper, frequencies),
        identified=bool(error[labelled].max() <= MAX_IDENTIFIED_ERROR),
    )


def _plain(
    matrix: np.ndarray, labelled: np.ndarray, confusion: np.ndarray, q: np.ndarray, m: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the solution `p` of `A p = q`, and its standard errors (delta method).

    Args:
        matrix: `A`, `(classes, classes)`.
        labelled: Which classes the source has, `(classes,)`; the others get `p` = 0 with
            an infinite error.
        confusion: Counts of (label, prediction), `(classes, classes)`.
        q: Predicted shares in the target, `(classes,)`.
        m: Number of predictions in the target.
    """
    u, s, vt = np.linalg.svd(matrix[:, labelled], full_matrices=False)
    # A direction with a singular value of nearly 0 is not estimated, and its error is huge.
    inverse = (vt.T / np.maximum(s, 1e-9)) @ u.T
    solved = np.zeros(len(q))
    solved[labelled] = (vt.T * np.where(s > 1e-6 * s[0], 1 / np.maximum(s, 1e-9), 0.0)) @ u.T @ q
    noise = _noise(confusion, onto_simplex(solved, labelled), q, m)
    error = np.full(len(q), np.inf)
    error[labelled] = np.sqrt(np.einsum("ij,jk,ik->i", inverse, noise, inverse))
    return solved, error


def _noise(confusion: np.ndarray, p: np.ndarray, q: np.ndarray, m: float) -> np.ndarray:
    """Returns the covariance of `q - A p` that comes from counting samples, in `q` and in `A`.

    The arguments are those of `_plain`; `p` are the class frequencies, `(classes,)`.
    """
    classes = len(q)
    q = (q * m + PSEUDO_COUNT / classes) / (m + PSEUDO_COUNT)
    total = (np.diag(q) - np.outer(q, q)) / m
    for row, share in zip(confusion, p, strict=True):
        n = row.sum()
        if n:
            column = (row + PSEUDO_COUNT / classes) / (n + PSEUDO_COUNT)
            total += share**2 * (np.diag(column) - np.outer(column, column)) / n
    return total


def _shrunk_change(
    before: np.ndarray, matrix: np.ndarray, q: np.ndarray, noise: np.ndarray
) -> np.ndarray:
    """Returns the change of the frequencies, shrunk towards 0 in proportion to the noise.

    Args:
        before: Class frequencies of the source, `(classes,)`.
        matrix: `A`, `(classes, classes)`.
        q: Predicted shares in the target, `(classes,)`.
        noise: Covariance of `q - A p`, `(classes, classes)`.
    """
    values, vectors = np.linalg.eigh(noise)
    used = values > 1e-9 * values[-1]  # the shares sum to 1, so one eigenvalue is 0
    whiten = vectors[:, used].T / np.sqrt(values[used])[:, None]
    residual, design = whiten @ (q - matrix @ before), whiten @ matrix
    u, s, vt = np.linalg.svd(design, full_matrices=False)
    along = u.T @ residual
    variance = 1 + np.multiply.outer(CANDIDATE_DEVIATIONS**2, s**2)
    likelihood = -0.5 * (np.log(variance) + along**2 / variance).sum(axis=1)
    tau = CANDIDATE_DEVIATIONS[int(likelihood.argmax())]
    return vt.T @ (tau**2 * s / (1 + tau**2 * s**2) * along)


def onto_simplex(p: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Returns the nearest frequencies that are not negative and sum to 1.

    Args:
        p: Estimated frequencies, `(classes,)`; may be negative.
        allowed: Whether a class may have a frequency above 0, `(classes,)`.
    """
    values = np.sort(p[allowed])[::-1]
    excess = (np.cumsum(values) - 1) / np.arange(1, len(values) + 1)
    cut = excess[np.flatnonzero(values > excess)[-1]]
    return np.where(allowed, np.maximum(p - cut, 0.0), 0.0)

"""Class ids and class probabilities, from whatever form they come in. NumPy only."""

import numpy as np


def to_probabilities(outputs: np.ndarray) -> np.ndarray:
    """Outputs of a classifier, `(n, classes)`, as probabilities (float64).

    Outputs within [0, 1] that sum to 1 within 1e-3 are probabilities already;
    otherwise softmax is applied. One unit is that of the second of two classes:
    a probability if within [0, 1], else a logit.
    """
    x = np.asarray(outputs, "float64")
    x = x.reshape(len(x), -1)
    finite = x[np.isfinite(x).all(axis=1)]
    bounded = bool(((finite >= -1e-6) & (finite <= 1 + 1e-3)).all())
    if x.shape[1] == 1:
        p = x if bounded else 1 / (1 + np.exp(-np.clip(x, -700, 700)))
        return np.concatenate([1 - p, p], axis=1)
    if bounded and bool((np.abs(finite.sum(axis=1) - 1) <= 1e-3).all()):
        return x
    # Rows that are not finite stay so; they are left out later.
    with np.errstate(invalid="ignore"):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)


def class_ids(labels: np.ndarray) -> np.ndarray | None:
    """Labels as `(n,)` integers; None where they are no class labels."""
    y = np.asarray(labels)
    if y.dtype.kind not in "iufb" or y.ndim == 0 or y.ndim > 2:
        return None
    if y.ndim == 2 and y.shape[1] > 1:
        # One-hot, also smoothed or mixed.
        y = y.astype("float64")
        near_one = np.abs(y.sum(axis=1) - 1) <= 1e-2
        return y.argmax(axis=1) if (y >= 0).all() and near_one.all() else None
    y = y.reshape(-1)
    if not np.isfinite(y.astype("float64")).all() or (y != np.round(y)).any():
        return None
    return y.astype("int64")

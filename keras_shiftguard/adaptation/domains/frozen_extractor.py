"""The short cut for a frozen extractor: features of both domains, once.

An extractor that does not learn cannot make the domains alike. What can be
moved are the source's features: they are mapped so that their mean and
covariance are the target's, and the head learns on them. At inference nothing
is mapped, so the model keeps its architecture.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.domains.evidence import Evidence, proxy_a_distance
from keras_shiftguard.io.batches import batches, to_numpy

SHRINKAGE = 0.1  # of the covariances towards a multiple of the identity


def recoloured(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The source's features with the mean and covariance of the target's.

    Args:
        source: `(samples, features)`.
        target: `(other samples, features)`.

    Returns:
        `(samples, features)`, float32.

    Reference: Sun, Feng and Saenko, "Return of Frustratingly Easy Domain
    Adaptation", AAAI 2016, algorithm 1.
    """
    whiten = _power(_covariance(source), -0.5)
    colour = _power(_covariance(target), 0.5)
    moved = (source - source.mean(axis=0)) @ whiten @ colour + target.mean(axis=0)
    return moved.astype("float32")


def _covariance(x: np.ndarray) -> np.ndarray:
    centred = x.astype("float64") - x.mean(axis=0)
    cov = centred.T @ centred / len(x)
    size = max(np.trace(cov) / len(cov), 1e-12)
    return (1 - SHRINKAGE) * cov + SHRINKAGE * size * np.eye(len(cov))


def _power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T


def train_frozen(owner: Any, source: Any, target: Any, kwargs: dict[str, Any]) -> Any:
    """Trains the head of `owner` on features that are computed once.

    Args:
        owner: The `DomainAdaptationModel`; its extractor has no trainable
            weights.
        source: Anything that `fit` accepts, with labels.
        target: Anything that `fit` accepts.
        kwargs: What else was given to `fit`.

    Returns:
        The `History` of the head.
    """
    extractor, head = owner.split.extractor(), owner.split.head()
    steps = kwargs.pop("steps_per_epoch", None)
    features, labels, weights = _computed(extractor, source, steps)
    target_features = _computed(extractor, target, steps, inputs_only=True)[0]
    shape = features.shape[1:]
    flat = features.reshape(len(features), -1)
    flat_target = target_features.reshape(len(target_features), -1)
    moved = recoloured(flat, flat_target)
    owner.looks = [
        Evidence(0, proxy_a_distance(flat, flat_target)),
        Evidence(1, proxy_a_distance(moved, flat_target)),
    ]
    validation = kwargs.pop("validation_data", None)
    if validation is not None:
        x, y, w = _computed(extractor, validation, None)
        kwargs["validation_data"] = (x, y) if w is None else (x, y, w)
    head.compile_from_config(owner.get_compile_config())
    history = head.fit(moved.reshape(-1, *shape), labels, sample_weight=weights, **kwargs)
    if owner.verbose:
        print(owner.alignment)
    return history


def _computed(
    extractor: keras.Model, data: Any, steps: int | None, inputs_only: bool = False
) -> tuple[np.ndarray, Any, Any]:
    """Features, labels and weights of one pass, on the host."""
    features: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for count, (x, y, weight) in enumerate(batches(data, 128)):
        if steps is not None and count >= steps:
            break
        features.append(ops.convert_to_numpy(extractor(x, training=False)))
        if inputs_only:
            continue
        labels.append(to_numpy(y))
        if weight is not None:
            weights.append(to_numpy(weight))
    return (
        np.concatenate(features).astype("float32"),
        np.concatenate(labels) if labels else None,
        np.concatenate(weights) if weights else None,
    )

"""Training of the head alone, for a model whose feature extractor is frozen.

The features of both domains are computed once. A frozen extractor cannot make the
domains alike, so the source features are transformed instead: they get the mean
and the covariance of the target features. The head is trained on them, so it fits
target features as they are, and the model keeps its architecture.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.domains.evidence import Evidence, proxy_a_distance
from keras_shiftguard.adaptation.domains.protocol import AdaptationModel
from keras_shiftguard.io.batches import batches, to_numpy

# Share of a covariance that is replaced by a multiple of the identity, so that the covariance is
# invertible.
SHRINKAGE = 0.1


def match_moments(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Transforms source features so that they have the mean and covariance of the target's.

    Args:
        source: Features, `(samples, features)`.
        target: Features, `(other samples, features)`.

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
    """Returns the covariance with shrinkage, `(features, features)`, float64."""
    centred = x.astype("float64") - x.mean(axis=0)
    cov = centred.T @ centred / len(x)
    mean_variance = max(np.trace(cov) / len(cov), 1e-12)
    return (1 - SHRINKAGE) * cov + SHRINKAGE * mean_variance * np.eye(len(cov))


def _power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    """Returns a power of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T


def train_frozen(model: AdaptationModel, source: Any, target: Any, kwargs: dict[str, Any]) -> Any:
    """Trains the head of a model on features that are computed once.

    Args:
        model: The `DomainAdaptationModel`; its extractor has no trainable weights.
        source: The labelled source, in any form that `fit` accepts.
        target: The target, in any form that `fit` accepts.
        kwargs: The other arguments of `fit`; it is changed in place.

    Returns:
        The Keras `History` of the head.
    """
    extractor, head = model.split.extractor(), model.split.head()
    steps = kwargs.pop("steps_per_epoch", None)
    features, labels, weights = _compute_features(extractor, source, steps)
    target_features = _compute_features(extractor, target, steps, inputs_only=True)[0]
    shape = features.shape[1:]
    flat = features.reshape(len(features), -1)
    flat_target = target_features.reshape(len(target_features), -1)
    matched = match_moments(flat, flat_target)
    model.looks = [
        Evidence(0, proxy_a_distance(flat, flat_target)),
        Evidence(1, proxy_a_distance(matched, flat_target)),
    ]
    validation = kwargs.pop("validation_data", None)
    if validation is not None:
        x, y, w = _compute_features(extractor, validation, None)
        kwargs["validation_data"] = (x, y) if w is None else (x, y, w)
    head.compile_from_config(model.get_compile_config())
    history = head.fit(matched.reshape(-1, *shape), labels, sample_weight=weights, **kwargs)
    if model.verbose:
        print(model.alignment)
    return history


def _compute_features(
    extractor: keras.Model, data: Any, steps: int | None, inputs_only: bool = False
) -> tuple[np.ndarray, Any, Any]:
    """Returns features, labels and sample weights of one pass over the data, on the host.

    Args:
        extractor: The model from inputs to features.
        data: The data, in any form that `fit` accepts.
        steps: Largest number of batches; None for all.
        inputs_only: Whether labels and weights are left out; they are None then.
    """
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

"""Estimates the classes of target samples and their frequencies. NumPy only.

The target's features are modelled as a Gaussian mixture with one component for
each class, fitted by expectation-maximisation. The fit starts from the model's
predictions. The mean of a component is pulled towards the mean of the class in the
source, and its covariance is that within classes in the source, times a fitted
factor. The sizes of the components are fitted as well, so the class mix may differ
from the source's. The fit corrects wrong predictions, because the samples of a class
lie together: if a decision boundary of the model cuts through a component, the whole
component still becomes one class.

The result depends on the start, so there are two estimates. One starts from the
predictions as they are, the other from predictions that are weighted to the class
mix of the source. The returned probabilities are the mean of both.

If the target falls into separate groups, one for each class, no mixture is needed:
both estimates are then a linear rule that tells the groups apart.

Reference: Saerens, Latinne and Decaestecker, "Adjusting the Outputs of a
Classifier to New a Priori Probabilities", Neural Computation 14 (2002), for the
frequencies; Liang, Hu and Feng, "Do We Really Need to Access the Source Data?",
ICML 2020, section 3.2, for clusters that start from the model's predictions.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.adaptation.domains.target_groups import separate_groups

EM_ROUNDS = 20  # of expectation-maximisation, which converges in about ten
SOURCE_COUNT = 30.0  # number of target samples that the class mean of the source counts as
PSEUDO_COUNT = 2.0  # samples added to each class, so that no class is impossible
# Number of independent features for which the likelihood is computed. The features
# depend on each other; with their full number, all probabilities would be 0 or 1.
EFFECTIVE_FEATURES = 40.0
SOFTENING = 0.3  # exponent of the predicted probabilities where the second estimate starts
RIDGE = 0.1  # added to the variance of each feature, in units of the mean within-class variance
RULE_ROUNDS = 300  # steps of the logistic regression on groups
RULE_RIDGE = 1e-2  # weight of the penalty on its squared coefficients
MAX_FEATURES = 256  # more features are projected at random to this number
Z = 1.96  # half the width of a 95 % interval, in standard errors


@dataclass(frozen=True)
class TargetClasses:
    """The estimated classes in the target.

    Args:
        frequencies: Share of each class, `(classes,)`; they sum to 1.
        lower: Lower end of the interval of each share, `(classes,)`. It covers the
            95 % intervals of both estimates.
        upper: Upper end of this interval, `(classes,)`.
        probabilities: Class probabilities of each sample, `(samples, classes)`.
        agreement: Share of samples with the same class in both estimates.
        kernel: A linear rule for each estimate, `(2, features, classes)`.
        bias: Biases of the rules, `(2, classes)`. For a feature vector divided by its
            length, the log-probabilities are `features @ kernel + bias` plus a number
            that is the same for all classes.
        groups: Class ids from separate groups, `(samples,)`, with -1 for outliers;
            None if there are no such groups.
    """

    frequencies: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    probabilities: np.ndarray
    agreement: float
    kernel: np.ndarray
    bias: np.ndarray
    groups: np.ndarray | None = None


def find_classes(
    source: np.ndarray,
    labels: np.ndarray,
    target: np.ndarray,
    predicted: np.ndarray,
    groups: np.ndarray | None = None,
) -> TargetClasses:
    """Estimates the classes of target samples.

    Args:
        source: Features of the source, `(samples, features)`.
        labels: Class ids of the source, `(samples,)`.
        target: Features of the target, `(other samples, features)`.
        predicted: Class probabilities that the model predicts for the target,
            `(other samples, classes)`, from which the fit starts.
        groups: Class ids by groups that were found earlier in the same target
            samples, `(other samples,)`; None to search for groups.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> source = np.eye(3)[[0] * 40 + [1] * 40] + rng.normal(0, 0.1, (80, 3))
    >>> target = np.eye(3)[[0] * 90 + [1] * 10] + rng.normal(0, 0.1, (100, 3)) + 0.1
    >>> predicted = 0.5 + 0.2 * (target[:, :1] - target[:, 1:2]) * [[1, -1]]
    >>> found = find_classes(source, np.repeat([0, 1], 40), target, predicted)
    >>> found.frequencies.round(1).tolist()
    [0.9, 0.1]
    """
    classes, n = predicted.shape[1], len(target)
    x, z = _normalised(source), _normalised(target)
    counts = np.bincount(labels, minlength=classes)
    occurs = counts > 0
    means = np.zeros((classes, x.shape[1]))
    np.add.at(means, labels, x)
    means /= np.maximum(counts, 1)[:, None]
    basis = _whitening(x - means[labels])
    if groups is None:
        groups = separate_groups(z @ basis, predicted.argmax(axis=1), int(occurs.sum()))
    # Each estimate is `(class probabilities, kernel, bias)`.
    if groups is not None:
        fits = [_linear_rule(z @ basis, groups, classes)] * 2
    else:
        balanced = _weighted_to_mix(predicted, counts / counts.sum())
        fits = [
            _fit_mixture(z @ basis, means @ basis, occurs, start)
            for start in (predicted.astype("float64"), balanced)
        ]
    both = np.stack([fit[0] for fit in fits])  # `(2, samples, classes)`
    frequencies = both.mean(axis=1)
    half_width = Z * np.sqrt(np.maximum(frequencies * (1 - frequencies), 1 / n) / n)
    probabilities = both.mean(axis=0)
    return TargetClasses(
        frequencies=probabilities.mean(axis=0),
        lower=np.maximum(frequencies - half_width, 0).min(axis=0),
        upper=np.minimum(frequencies + half_width, 1).max(axis=0),
        probabilities=probabilities,
        agreement=float((both[0].argmax(axis=1) == both[1].argmax(axis=1)).mean()),
        kernel=np.stack([basis @ fit[1] for fit in fits]),
        bias=np.stack([fit[2] for fit in fits]),
        groups=groups,
    )


def _normalised(features: np.ndarray) -> np.ndarray:
    """Returns feature vectors of length 1, since the lengths may differ between the domains."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features.astype("float64") / np.maximum(lengths, 1e-9)


def _weighted_to_mix(predicted: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Returns softened class probabilities, weighted so that their means are `frequencies`.

    Args:
        predicted: Class probabilities, `(samples, classes)`.
        frequencies: The share that each class gets, `(classes,)`.
    """
    p = np.maximum(predicted.astype("float64"), 1e-6) ** SOFTENING
    for _ in range(EM_ROUNDS):
        p = p * (frequencies * len(p) / np.maximum(p.sum(axis=0), 1e-9))
        p = p / p.sum(axis=1, keepdims=True)
    return p


def _fit_mixture(
    z: np.ndarray, means: np.ndarray, occurs: np.ndarray, p: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fits the mixture by expectation-maximisation.

    Args:
        z: Whitened features of the target, `(samples, features)`.
        means: Class means of the source, `(classes, features)`.
        occurs: Whether each class occurs in the source, `(classes,)`.
        p: Class probabilities to start from, `(samples, classes)`.

    Returns:
        Class probabilities, `(samples, classes)`, kernel, `(features, classes)`, and bias,
        `(classes,)`.
    """
    squares = np.square(z).sum(axis=1)[:, None]
    kernel, bias = np.zeros(means.T.shape), np.zeros(len(means))
    for _ in range(EM_ROUNDS):
        counts, sums = p.sum(axis=0), p.T @ z
        # If all classes have moved alike, this is no evidence against any of them, so the
        # movement is added to the class means of the source.
        shift = (sums - counts[:, None] * means).sum(axis=0) / len(z)
        centres = (sums + SOURCE_COUNT * (means + shift)) / (counts + SOURCE_COUNT)[:, None]
        frequencies = np.where(occurs, counts + PSEUDO_COUNT, 1e-9)
        centre_squares = np.square(centres).sum(axis=1)
        squared_distances = squares - 2 * z @ centres.T + centre_squares
        # One over the variance of a component along each of its independent features.
        precision = EFFECTIVE_FEATURES / max((p * squared_distances).sum() / len(z), 1e-9)
        kernel = precision * centres.T
        bias = np.log(frequencies / frequencies.sum()) - 0.5 * precision * centre_squares
        p = _softmax(z @ kernel + bias)
    return p, kernel, bias


def _linear_rule(
    z: np.ndarray, groups: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fits a linear rule to the groups by logistic regression, without outliers.

    Newton's method is used with a constant upper bound in place of the Hessian, so that only
    one matrix needs to be inverted.

    Args:
        z: Whitened features of the target, `(samples, features)`.
        groups: Class ids, `(samples,)`; -1 for outliers.
        classes: Number of classes.

    Returns:
        Class probabilities, `(samples, classes)`, kernel, `(features, classes)`, and bias,
        `(classes,)`.

    Reference: Boehning, "Multinomial logistic regression algorithm", Annals of the
    Institute of Statistical Mathematics 44 (1992).
    """
    is_in_group = groups >= 0
    x = np.concatenate([z, np.ones((len(z), 1))], axis=1)
    fitted, one_hot = x[is_in_group], np.eye(classes)[groups[is_in_group]]
    hessian_bound = 0.5 * fitted.T @ fitted / len(fitted) + RULE_RIDGE * np.eye(x.shape[1])
    inverse = np.linalg.inv(hessian_bound)
    weights = np.zeros((x.shape[1], classes))
    for _ in range(RULE_ROUNDS):
        p = _softmax(fitted @ weights)
        gradient = fitted.T @ (p - one_hot) / len(fitted) + RULE_RIDGE * weights
        weights -= inverse @ gradient
    return _softmax(x @ weights), weights[:-1], weights[-1]


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _whitening(centred: np.ndarray) -> np.ndarray:
    """Returns a basis in which the covariance within source classes is about the identity.

    Args:
        centred: Features minus their class means, `(samples, features)`.

    Returns:
        A matrix that features are multiplied by, `(features, min(features, MAX_FEATURES))`.
    """
    width = centred.shape[1]
    basis = np.eye(width)
    if width > MAX_FEATURES:
        basis = np.random.default_rng(0).normal(0, MAX_FEATURES**-0.5, (width, MAX_FEATURES))
    centred = centred @ basis
    cov = centred.T @ centred / len(centred)
    mean_variance = max(np.trace(cov) / len(cov), 1e-12)
    values, vectors = np.linalg.eigh(cov + RIDGE * mean_variance * np.eye(len(cov)))
    return basis @ (vectors / np.sqrt(values))

"""Where the classes of the source lie in the target, and how frequent they are.

The target's features are seen as a mixture of one cloud for each class. A cloud
begins where the model's own answers put it, is drawn towards the mean of that
class in the source, and has the shape that the classes have in the source
(covariance within classes, shared). How many samples each holds is part of the
fit, so no class has to be as frequent as in the source. That the samples of a
class lie together corrects answers that are wrong: a boundary of the model that
runs through a cloud does not cut it in two.

The fit ends near where it begins, so there are two readings: one begins with the
answers as they are, the other with answers that make each class as frequent as
in the source. Where they differ, the probabilities lie between them.

Where the target falls into separate groups, one for each class, there is no need of
clouds: both readings are a linear rule that tells the groups apart.

NumPy only.

Reference: Saerens, Latinne and Decaestecker, "Adjusting the Outputs of a
Classifier to New a Priori Probabilities", Neural Computation 14 (2002), for the
frequencies; Liang, Hu and Feng, "Do We Really Need to Access the Source Data?",
ICML 2020, section 3.2, for clouds that begin with the model's answers.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.adaptation.domains.target_groups import separate_groups

ROUNDS = 20  # of expectation and maximisation; it has settled after ten
# How many samples of the target it takes to outweigh the place that a class
# has in the source.
SOURCE_COUNTS = 30.0
PSEUDO_COUNT = 2.0  # samples added to each class: none is impossible
# Features depend on each other: a cloud counts as this many independent ones,
# or probabilities would be 0 or 1 in any width.
DIMENSIONS = 40.0
SOFTENED = 0.3  # exponent of the answers of which the second reading begins
RIDGE = 0.1  # of the mean variance within classes
RULE_ROUNDS, RULE_RIDGE = 300, 1e-2  # of the logistic regression on groups
WIDEST = 256  # features beyond this are projected at random
Z = 1.96  # 95 %


@dataclass(frozen=True)
class TargetClasses:
    """The classes in the target.

    Args:
        frequencies: Share of each class, `(classes,)`; sums to 1.
        lower: Lower end of what both readings and chance allow, `(classes,)`.
        upper: Upper end.
        probabilities: Of each class, for each sample, `(samples, classes)`.
        agreement: Share of samples that both readings put in the same class.
        kernel: `(2, features, classes)`, one for each reading.
        bias: `(2, classes)`. The log-probabilities, up to a constant, of
            features divided by their length are `features @ kernel + bias`.
        groups: Class ids from separate groups, `(samples,)`, -1 for strays;
            None where there are none.
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
    answers: np.ndarray,
    groups: np.ndarray | None = None,
) -> TargetClasses:
    """Fits the mixture, by maximum a posteriori, in both readings.

    Args:
        source: Features, `(samples, features)`.
        labels: Class ids of the source, `(samples,)`.
        target: Features, `(other samples, features)`.
        answers: Class probabilities that the model gives to the target,
            `(other samples, classes)`: where the fit begins.
        groups: What an earlier look at the same samples found, if it did.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> places = np.eye(3)[[0] * 40 + [1] * 40] + rng.normal(0, 0.1, (80, 3))
    >>> moved = np.eye(3)[[0] * 90 + [1] * 10] + rng.normal(0, 0.1, (100, 3)) + 0.1
    >>> answers = 0.5 + 0.2 * (moved[:, :1] - moved[:, 1:2]) * [[1, -1]]
    >>> find_classes(places, np.repeat([0, 1], 40), moved, answers).frequencies.round(1).tolist()
    [0.9, 0.1]
    """
    classes, n = answers.shape[1], len(target)
    x, z = _normalised(source), _normalised(target)
    counts = np.bincount(labels, minlength=classes)
    there = counts > 0
    means = np.zeros((classes, x.shape[1]))
    np.add.at(means, labels, x)
    means /= np.maximum(counts, 1)[:, None]
    basis = _whitening(x - means[labels])
    if groups is None:
        groups = separate_groups(z @ basis, answers.argmax(axis=1), int(there.sum()))
    if groups is not None:
        fits = [_linear_rule(z @ basis, groups, classes)] * 2
    else:
        fits = [
            _fitted(z @ basis, means @ basis, there, start)
            for start in (answers.astype("float64"), _as_frequent(answers, counts / counts.sum()))
        ]
    shares = np.stack([fit[0] for fit in fits])
    each = shares.mean(axis=1)
    chance = Z * np.sqrt(np.maximum(each * (1 - each), 1 / n) / n)
    probabilities = shares.mean(axis=0)
    return TargetClasses(
        frequencies=probabilities.mean(axis=0),
        lower=np.maximum(each - chance, 0).min(axis=0),
        upper=np.minimum(each + chance, 1).max(axis=0),
        probabilities=probabilities,
        agreement=float((shares[0].argmax(axis=1) == shares[1].argmax(axis=1)).mean()),
        kernel=np.stack([basis @ fit[1] for fit in fits]),
        bias=np.stack([fit[2] for fit in fits]),
        groups=groups,
    )


def _normalised(features: np.ndarray) -> np.ndarray:
    """Features of length 1: lengths differ between domains for no good reason."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features.astype("float64") / np.maximum(lengths, 1e-9)


def _as_frequent(answers: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Softened answers, weighted until each class is as frequent as it is said to be."""
    share = np.maximum(answers.astype("float64"), 1e-6) ** SOFTENED
    for _ in range(ROUNDS):
        share = share * (frequencies * len(share) / np.maximum(share.sum(axis=0), 1e-9))
        share = share / share.sum(axis=1, keepdims=True)
    return share


def _fitted(
    z: np.ndarray, means: np.ndarray, there: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, kernel and bias, from the probabilities to begin with."""
    norms = np.square(z).sum(axis=1)[:, None]
    kernel, bias = np.zeros(means.T.shape), np.zeros(len(means))
    for _ in range(ROUNDS):
        counts, sums = share.sum(axis=0), share.T @ z
        # What moved all classes alike is no evidence against any of them.
        moved = (sums - counts[:, None] * means).sum(axis=0) / len(z)
        places = (sums + SOURCE_COUNTS * (means + moved)) / (counts + SOURCE_COUNTS)[:, None]
        frequencies = np.where(there, counts + PSEUDO_COUNT, 1e-9)
        lengths = np.square(places).sum(axis=1)
        squared = norms - 2 * z @ places.T + lengths
        sharpness = DIMENSIONS / max((share * squared).sum() / len(z), 1e-9)
        kernel = sharpness * places.T
        bias = np.log(frequencies / frequencies.sum()) - 0.5 * sharpness * lengths
        share = _softmax(z @ kernel + bias)
    return share, kernel, bias


def _linear_rule(
    z: np.ndarray, groups: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same from groups, by logistic regression: strays (-1) are not fitted.

    Steps with the fixed bound of the Hessian: Boehning, "Multinomial logistic
    regression algorithm", Annals of the Institute of Statistical Mathematics 44 (1992).
    """
    inside = groups >= 0
    x = np.concatenate([z, np.ones((len(z), 1))], axis=1)
    fitted, wanted = x[inside], np.eye(classes)[groups[inside]]
    hessian = 0.5 * fitted.T @ fitted / len(fitted) + RULE_RIDGE * np.eye(x.shape[1])
    step = np.linalg.inv(hessian)
    weights = np.zeros((x.shape[1], classes))
    for _ in range(RULE_ROUNDS):
        share = _softmax(fitted @ weights)
        gradient = fitted.T @ (share - wanted) / len(fitted) + RULE_RIDGE * weights
        weights -= step @ gradient
    return _softmax(x @ weights), weights[:-1], weights[-1]


def _softmax(logits: np.ndarray) -> np.ndarray:
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    return share / share.sum(axis=1, keepdims=True)


def _whitening(centred: np.ndarray) -> np.ndarray:
    """A basis in which the classes of the source are round, `(features, at most WIDEST)`."""
    width = centred.shape[1]
    basis = np.eye(width)
    if width > WIDEST:
        basis = np.random.default_rng(0).normal(0, WIDEST**-0.5, (width, WIDEST))
    centred = centred @ basis
    cov = centred.T @ centred / len(centred)
    size = max(np.trace(cov) / len(cov), 1e-12)
    values, vectors = np.linalg.eigh(cov + RIDGE * size * np.eye(len(cov)))
    return basis @ (vectors / np.sqrt(values))

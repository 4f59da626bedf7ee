"""Labels that do not fit their samples: what other labels would win back.

Two experiments on labelled samples and the predictions for them. Neither runs the model again.

*Renaming* is undone like any other operation. One half of the samples chooses which class each
label stands for, and the other half counts how many more predictions are then right. Training
samples are the control group.

*Some wrong labels*: a sample of class 0 that is labelled 1 looks like any sample of class 0, also
in the probability of class 1. A hard sample of class 1 that is taken for class 0 does not: class 1
is likelier for it than for samples of class 0. So each wrong prediction gets a rank: the share of
the samples rightly predicted as the same class for which the label is as likely or likelier. For
wrong labels, half of the ranks are above 1/2; for hard samples, hardly any. This is the confident
joint (Northcutt, Jiang, Chuang, "Confident Learning", JAIR 2021) with the samples of the predicted
class as threshold, which needs no samples that the model has not seen.
"""

from dataclasses import dataclass, replace

import numpy as np

from keras_shiftguard.detection.cost import MIN_SAMPLES, SIGMAS, Cost, cost_of
from keras_shiftguard.experiments.halving import halves
from keras_shiftguard.experiments.labels.class_mix import has_learnt
from keras_shiftguard.experiments.undo import beyond

# So large a share of the labels must be known from training: of a class that a model has never
# seen, it says nothing. A convention.
MIN_KNOWN = 0.5
# Of two classes, a wrong label looks like that of a hard sample, and a model that knows training by
# heart has none there. Of more, it is mostly of a class that nobody would take it for. A
# convention, checked in `examples/benchmarks/wrong_labels.py`.
MIN_CLASSES = 3
MIN_OF_CLASS = 5  # samples of a label, in a half, that say which class it stands for. A convention.
# Wrong labels must make this share of the wrong predictions. Of hard samples, up to .18 look like
# wrong labels (Fashion-MNIST, seed 0, epochs 1 to 24), with 5 % of wrong labels .27 or more. A
# convention, checked in `examples/benchmarks/wrong_labels.py`.
MIN_SHARE = 0.25
# The model must make as many mistakes on training as on the other samples of validation, times
# this. If it makes fewer, it knows training by heart, or validation is harder. A convention,
# checked in `examples/benchmarks/wrong_labels.py`.
MIN_MISTAKES = 0.7
# Labels are unrelated to the samples if the model is not surely better on them than on labels of
# other samples, and surely has less than this share of its skill on training. A convention, checked
# in `examples/benchmarks/wrong_labels.py`.
MAX_SHARE_OF_SKILL = 0.2
# Of the samples with one label that are predicted as one other class, this share must be wrong
# labels. A convention, checked in `examples/benchmarks/wrong_labels.py`.
MIN_SHARE_OF_PAIR = 0.6


@dataclass(frozen=True)
class Predicted:
    """Class probabilities of labelled samples."""

    probabilities: np.ndarray
    labels: np.ndarray

    @property
    def classes(self) -> np.ndarray:
        """The predicted classes, `(samples,)`."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def right(self) -> np.ndarray:
        """Whether each prediction is the label, `(samples,)`."""
        return np.asarray(self.classes == self.labels)

    @property
    def skill(self) -> np.ndarray:
        """How much likelier each label is for its sample than those of the others, `(samples,)`."""
        mix = np.bincount(self.labels, minlength=self.probabilities.shape[1]) / len(self.labels)
        own = self.probabilities[np.arange(len(self.labels)), self.labels]
        return np.asarray(own - self.probabilities @ mix)


@dataclass(frozen=True)
class WrongLabels:
    """Labels of validation that do not fit their samples."""

    cost: Cost  # the accuracy that right labels would win back
    # For each renamed label, the class that its samples look like; empty if labels are not renamed.
    names: tuple[tuple[int, int], ...] = ()
    # The label that is wrong most often, and the class of those samples; None if labels are wrong
    # at random.
    pair: tuple[int, int] | None = None
    is_exchange: bool = False  # whether samples of the pair are also labelled the other way round
    # Share of the labels that are wrong; with a pair, of the samples with this label.
    share: float = 0.0
    # With a pair, the share of the samples that look like its class whose label is wrong.
    share_of_class: float = 0.0
    # Whether labels and samples have nothing in common. This is also so if a model knows the
    # subjects of training, and none of validation.
    is_unrelated: bool = False
    # By how many standard errors more labels of validation than of training look wrong.
    sigmas: float = 0.0


def wrong_labels(
    current: Predicted,
    training: Predicted,
    is_same_mix: bool = True,
    seed: int = 0,
) -> WrongLabels | None:
    """Returns which labels are wrong, and what that costs; None if right labels are no better.

    If validation has not the class mix of training, hard classes may be more frequent, so labels
    that are wrong at random are not looked for. `seed` divides the samples into halves.
    """
    number = current.probabilities.shape[1]
    if min(len(current.labels), len(training.labels)) < MIN_SAMPLES:
        return None
    # A loss for ordered classes may have fewer outputs than there are classes.
    if max(current.labels.max(), training.labels.max()) >= number:
        return None
    if not has_learnt(training.right, training.labels):
        return None
    if np.isin(current.labels, training.labels).mean() < MIN_KNOWN:
        return None
    renamed = _renamed(current, training, seed)
    return renamed or _some_wrong(current, training, is_same_mix, seed)


def are_unrelated(of_training: np.ndarray, of_current: np.ndarray) -> bool:
    """Whether the skill on validation may be 0, and is surely a small share of that on training."""
    skill, error = float(of_current.mean()), float(of_current.std() / len(of_current) ** 0.5)
    most = MAX_SHARE_OF_SKILL * float(of_training.mean())
    return skill - SIGMAS * error <= 0 and skill + SIGMAS * error <= most


def _renamed(current: Predicted, training: Predicted, seed: int) -> WrongLabels | None:
    """Returns the labels that stand for other classes; None if renaming them wins nothing."""
    both = halves(len(current.labels), seed)
    maps = [_names(current, rows) for rows in both]
    after = current.right.copy()
    for names, rows in zip(maps, both[::-1], strict=True):
        after[rows] = current.classes[rows] == names[current.labels[rows]]
    agreed = {int(i): int(maps[0][i]) for i in np.flatnonzero(maps[0] == maps[1])}
    agreed = _closed(agreed, *(set(each.labels.tolist()) for each in (current, training)))
    if not agreed:
        return None
    of_training = [training.classes == names[training.labels] for names in maps]
    control = cost_of(np.mean(of_training, axis=0), training.right)
    cost = beyond(cost_of(after, current.right), control)
    if not cost.is_costly(0.0):
        return None
    return WrongLabels(cost, names=tuple(sorted(agreed.items())))


def _names(found: Predicted, rows: np.ndarray) -> np.ndarray:
    """Returns the class that each label stands for, by some samples, `(classes,)`.

    Each class is taken once: the label and the class that go together most often first.
    """
    number = found.probabilities.shape[1]
    keys = found.labels[rows] * number + found.classes[rows]
    keys, counts = np.unique(keys, return_counts=True)
    sizes = np.bincount(found.labels[rows], minlength=number)
    names, is_free = np.full(number, -1), np.ones(number, bool)
    for i in np.argsort(-counts / sizes[keys // number], kind="stable"):
        label, predicted = keys[i] // number, keys[i] % number
        if sizes[label] >= MIN_OF_CLASS and names[label] < 0 and is_free[predicted]:
            names[label], is_free[predicted] = predicted, False
    return np.where(names < 0, np.arange(number), names)


def _closed(names: dict[int, int], labels: set[int], known: set[int]) -> dict[int, int]:
    """Returns the labels that change places among themselves: none gets a name that stays.

    Where classes are counted from another number, the first one is no label of validation, and the
    last one no label of training, which `labels` and `known` are.
    """
    names = {label: name for label, name in names.items() if label != name}
    number = len(names) + 1
    while len(names) < number:
        number, given = len(names), set(names.values())
        names = {
            label: name
            for label, name in names.items()
            if (label in given or label not in known) and (name in names or name not in labels)
        }
    return names


def _some_wrong(
    current: Predicted, training: Predicted, is_same_mix: bool, seed: int
) -> WrongLabels | None:
    """Returns how many labels are wrong; None if that does not explain the wrong predictions."""
    # Half of the wrong labels have a rank above 1/2.
    suspects = ~current.right & (_ranks(current, current, training) > 0.5)
    usual = ~training.right & (_ranks(training, current, training) > 0.5)
    cost = _cost(suspects, usual)
    if are_unrelated(training.skill, current.skill):
        return WrongLabels(cost, share=min(max(cost.value, 0.0), 1.0), is_unrelated=True)
    if current.probabilities.shape[1] < MIN_CLASSES:
        return None
    both = halves(len(current.labels), seed)
    first, second = (_pair(current, suspects, rows) for rows in both)
    if first and second and set(first) == set(second):
        found = _of_pair(current, training, suspects, usual, first)
        if found is None and first != second:
            found = _of_pair(current, training, suspects, usual, second)
        if found is not None:
            return replace(found, sigmas=cost.sigmas)
    of_mistakes, of_training = float((~current.right).mean()), float((~training.right).mean())
    if not is_same_mix or cost.interval[0] <= 0 or cost.value < MIN_SHARE * of_mistakes:
        return None
    if of_training < MIN_MISTAKES * (of_mistakes - cost.value):
        return None
    # Of the samples with wrong labels, the model is right on as large a share as of the others.
    factor = min(float(current.right.mean()) / max(1 - cost.value, 1e-12), 1.0)
    low, high = cost.interval
    won = replace(cost, value=factor * cost.value, interval=(factor * low, factor * high))
    return WrongLabels(won, share=min(cost.value, 1.0), sigmas=cost.sigmas)


def _of_pair(
    current: Predicted,
    training: Predicted,
    suspects: np.ndarray,
    usual: np.ndarray,
    pair: tuple[int, int],
) -> WrongLabels | None:
    """Returns the wrong labels of one pair; None if its samples are only hard."""
    label, other = pair

    def is_in(found: Predicted, label: int, other: int) -> np.ndarray:
        return np.asarray((found.labels == label) & (found.classes == other))

    mistakes, known = is_in(current, label, other), is_in(training, label, other)
    cost = _cost(suspects & mistakes, usual & known)
    if cost.interval[0] <= 0 or cost.value < MIN_SHARE_OF_PAIR * mistakes.mean():
        return None
    back, known_back = is_in(current, other, label), is_in(training, other, label)
    reverse = _cost(suspects & back, usual & known_back)
    is_exchange = bool(reverse.interval[0] > 0 and reverse.value >= MIN_SHARE_OF_PAIR * back.mean())
    if is_exchange:
        cost = _cost(suspects & (mistakes | back), usual & (known | known_back))
    wrong = cost.value / (2 if is_exchange else 1)
    share, of_class = (
        min(wrong / max(float(rows.mean()), 1e-12), 1.0)
        for rows in (current.labels == label, current.classes == other)
    )
    return WrongLabels(cost, (), pair, is_exchange, share, of_class)


def _cost(suspects: np.ndarray, usual: np.ndarray) -> Cost:
    """Returns twice the share of suspects beyond the usual one, with its interval."""
    rates = [(float(each.mean()), len(each)) for each in (suspects, usual)]
    error = sum(max(rate * (1 - rate), 1 / size) / size for rate, size in rates) ** 0.5
    value, margin = 2 * (rates[0][0] - rates[1][0]), 2 * SIGMAS * error
    return Cost(value, (value - margin, value + margin), len(suspects))


def _ranks(found: Predicted, reference: Predicted, fallback: Predicted) -> np.ndarray:
    """Returns the rank of the label of each sample among samples of its predicted class.

    The rank is the share of the samples of `reference` rightly predicted as the same class for
    which this label is as likely or likelier; equal ones count half. Classes that hardly any of
    them has are compared with `fallback`. It is 0 if there are too few of them.
    """
    ranks, classes = np.zeros(len(found.labels)), found.classes
    for predicted in np.unique(classes):
        known = reference.probabilities[reference.right & (reference.classes == predicted)]
        if len(known) < MIN_OF_CLASS:
            known = fallback.probabilities[fallback.right & (fallback.classes == predicted)]
        if len(known) < MIN_OF_CLASS:
            continue
        rows = np.flatnonzero(classes == predicted)
        for label in np.unique(found.labels[rows]):
            these = rows[found.labels[rows] == label]
            others = np.sort(known[:, label])
            value = found.probabilities[these, label]
            below = np.searchsorted(others, value, "left") + np.searchsorted(others, value, "right")
            ranks[these] = 1 - 0.5 * below / len(others)
    return ranks


def _pair(found: Predicted, suspects: np.ndarray, rows: np.ndarray) -> tuple[int, int] | None:
    """Returns the label and the class that most suspects of some samples have; None without any."""
    number = found.probabilities.shape[1]
    chosen = rows[suspects[rows]]
    keys, counts = np.unique(
        found.labels[chosen] * number + found.classes[chosen], return_counts=True
    )
    if not len(keys):
        return None
    label, other = divmod(int(keys[counts.argmax()]), number)
    return label, other

"""Numbers to predict that do not fit their samples: in another unit, or of other samples.

What the unit of training wins back is tried on numbers of another size. The logarithm is taken, or
the numbers are standardised, in one of two pipelines only. No sample judges the map that it chose.
What is drawn from other numbers, as years later, is not far enough from training for that.
"""

from collections.abc import Callable

import numpy as np

from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost, cost_of
from keras_shiftguard.experiments.fix_lines import scaled
from keras_shiftguard.experiments.halving import agreed
from keras_shiftguard.experiments.judge import Judge
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.experiments.labels.class_mix import MIN_LEARNT, column_of
from keras_shiftguard.experiments.labels.wrong_labels import are_unrelated
from keras_shiftguard.experiments.targets import are_inputs
from keras_shiftguard.statistics.rows import Rows

# Means that are so many deviations apart, or deviations of this ratio, are those of other units. A
# convention: what drifts, such as prices over the years, is nearer.
FAR = 3.0
MUCH_BETTER = 5.0  # times the loss that is left: other units leave more. A convention.
# Nobody predicts the exponential of a larger number. A convention.
MOST_EXPONENT = 50.0

# What the numbers look like, the line that makes them those of training, and its function.
Map = tuple[str, str, Callable[[np.ndarray], np.ndarray]]


def label_unit(
    predict: Predict, current: Labelled, training: Labelled, judge: Judge, seed: int = 0
) -> tuple[str, str, Cost] | None:
    """Returns how numbers to predict differ, the line that undoes it, and the cost.

    Returns None if labels are no single numbers, are of about the same size, or fit as they are.
    """
    here, there = column_of(current.labels), column_of(training.labels)
    if here is None or there is None or min(len(here), len(there)) < MIN_SAMPLES:
        return None
    maps = _maps(here.astype("float64"), there.astype("float64"))
    if not maps:
        return None
    # A copy, because the losses of samples as they are are remembered, whatever their labels.
    outputs = predict(current.images[:])
    labels = [current.labels, *(_mapped(current.labels, run) for _, _, run in maps)]
    worths = [judge.worth(outputs, each) for each in labels]
    found = agreed(worths, seed)
    if not found:
        return None
    # A scale that is fitted to the numbers must surely beat a map that people know.
    if found == 1:
        unit = judge.unit(worths[1])
        for i, worth in enumerate(worths[2:], 2):
            if cost_of(worths[1], worth, unit).value < MUCH_BETTER:
                found = i
    how, line, _ = maps[found - 1]
    return how, line, cost_of(worths[found], worths[0], judge.unit(worths[0]), judge.metric)


def _maps(here: np.ndarray, there: np.ndarray) -> list[Map]:
    """Returns what may make numbers those of training; nothing if they are about as large."""
    spread, other = float(there.std()), float(here.std())
    if not min(spread, other) > 0:
        return []
    is_far = abs(here.mean() - there.mean()) > FAR * spread
    if not is_far and 1 / FAR < other / spread < FAR:
        return []
    factor = spread / other
    offset = float(there.mean() - factor * here.mean())
    sizes = f"mean {here.mean():.3g} against {there.mean():.3g}"
    line = scaled("y", factor, offset)
    found: list[Map] = [(f"on another scale ({sizes})", line, lambda y: y * factor + offset)]
    if here.min() >= 0:  # with zeros, people take log(1 + y)
        plus, log = ("1p", np.log1p) if here.min() == 0 else ("", np.log)
        found.append((f"no logarithms ({sizes})", f"y = np.log{plus}(y)", log))
    if here.max() < MOST_EXPONENT:
        minus, exp = ("m1", np.expm1) if there.min() == 0 else ("", np.exp)
        found.append((f"logarithms ({sizes})", f"y = np.exp{minus}(y)", exp))
    return found


def _mapped(labels: Rows, run: Callable[[np.ndarray], np.ndarray]) -> Rows:
    return Rows(run(np.asarray(labels.tree).astype("float64")).astype("float32"))


def numbers_are_unrelated(
    predict: Predict, current: Labelled, training: Labelled, judge: Judge, seed: int = 0
) -> bool:
    """Whether what validation has to predict has nothing in common with its samples.

    The loss is compared with that on labels of other samples, which `seed` mixes and which is about
    as large then. On training it must be smaller by far.
    """
    if are_inputs(current.images, current.labels):
        return False
    column = column_of(current.labels)
    is_one = column is not None and not np.ptp(column)  # then any order of the labels is right
    if min(len(current.labels), len(training.labels)) < MIN_SAMPLES or is_one:
        return False
    rng = np.random.default_rng(seed)
    skills = []
    for each in (training, current):
        others = each.labels[rng.permutation(len(each.labels))]
        own = judge.worth(predict(each.images), each.labels)
        # A copy, because the losses of samples as they are are remembered, whatever their labels.
        mixed = judge.worth(predict(each.images[:]), others)
        skills.append((own - mixed) / max(-float(mixed.mean()), 1e-12))
    return float(skills[0].mean()) >= MIN_LEARNT and are_unrelated(*skills)

"""Numbers to predict that validation has in another unit: what the unit of training wins back.

The logarithm is taken, or the numbers are standardised, in one of two pipelines only. No sample
judges the map that it chose. What is drawn from other numbers, as years later, is not far enough
from training for that.
"""

from collections.abc import Callable

import numpy as np

from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost
from keras_shiftguard.experiments.class_mix import column_of
from keras_shiftguard.experiments.fix_lines import scaled
from keras_shiftguard.experiments.halves import halves
from keras_shiftguard.experiments.judge import Judge
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.experiments.promise import promised
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

    Args:
        predict: Runs the model in inference mode.
        current: Samples of validation.
        training: Samples of training.
        judge: How predictions are judged.
        seed: Divides the samples into halves.
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
    both = halves(len(here), seed)
    first, second = (int(np.argmax([worth[half].mean() for worth in worths])) for half in both)
    if first != second or first == 0:
        return None
    before, found = worths[0], first
    # A scale that is fitted to the numbers must surely beat a map that people know.
    for i, worth in enumerate(worths[2:], 2) if first == 1 else ():
        unit = judge.unit(worths[first])
        if promised(worth, worths[first], unit, judge.metric, ()).gain < MUCH_BETTER:
            found = i
    promise = promised(before, worths[found], judge.unit(before), judge.metric, ())
    how, line, _ = maps[found - 1]
    return how, line, Cost(promise.gain, promise.interval, len(here), metric=promise.metric)


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
    found: list[Map] = [
        (
            f"on another scale ({sizes})",
            scaled("y", factor, offset),
            lambda y: y * factor + offset,
        )
    ]
    # With zeros, people take log(1 + y).
    plus = "1p" if here.min() == 0 else ""
    if here.min() >= 0:
        log = np.log1p if plus else np.log
        found.append((f"no logarithms ({sizes})", f"y = np.log{plus}(y)", log))
    if here.max() < MOST_EXPONENT:
        minus = "m1" if there.min() == 0 else ""
        exp = np.expm1 if minus else np.exp
        found.append((f"logarithms ({sizes})", f"y = np.exp{minus}(y)", exp))
    return found


def _mapped(labels: Rows, run: Callable[[np.ndarray], np.ndarray]) -> Rows:
    y = np.asarray(labels.tree)
    return Rows(run(y.astype("float64")).astype("float32"))

"""What the difference of validation from training costs: undo first, then push.

Undoing is the first experiment, because its promise is made on the very samples that differ. Where
it promises nothing, and the model is surely right more often on training, information may be lost:
a place may be covered, or images may be noisy. Then training samples are changed in the same way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from keras_shiftguard.detection.code_lines import quoted
from keras_shiftguard.detection.cost import (
    MIN_SAMPLES,
    SIGMAS,
    Cost,
    cost_of_too_few,
    gap_between,
)
from keras_shiftguard.experiments.candidates import Candidate, image_candidates, nearing
from keras_shiftguard.experiments.covered import covered
from keras_shiftguard.experiments.fix_lines import PREVENTED, fix_line
from keras_shiftguard.experiments.halving import num_predictions
from keras_shiftguard.experiments.judge import Accuracy, Judge
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.experiments.lossy_rows import lossy_series, lossy_texts
from keras_shiftguard.experiments.masks import ALIGNMENT, with_masks
from keras_shiftguard.experiments.promise import Promise
from keras_shiftguard.experiments.push import push
from keras_shiftguard.experiments.table_candidates import table_candidates, text_candidates
from keras_shiftguard.experiments.undo import applied, moved, undo
from keras_shiftguard.experiments.words import all_seem, seems_after
from keras_shiftguard.instrument.compiled_metric import MetricOf
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.statistics.attributes import attributes
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.chunks import in_chunks
from keras_shiftguard.statistics.rows import Rows

CANDIDATES = 90  # about as many as there are for images
# The families of operations that lose information, so that training is changed instead.
LOSING = ("detail", "overflow")
# If undoing wins back less than this share of what the model is worse by, information may be lost.
MIN_SHARE_OF_GAP = 0.8
ACCURACY = Accuracy()
MIN_EXPLAINED = 0.7  # share of the difference of the attributes that an operation must make


@dataclass(frozen=True)
class Difference:
    """What a difference costs, and the operation that tells it.

    Args:
        cost: The cost.
        how: What validation samples look like, such as `"mirrored left to right"`; "" if unknown.
        family: Family of the operation; "" without one.
        fix: A line of Python that undoes it in a batch `x` of validation; "" without one.
    """

    cost: Cost
    how: str = ""
    family: str = ""
    fix: str = ""


# Two faults may hide each other, as in moved images that are scaled twice. If the model is worse on
# validation by this much and one operation explains nothing, two are tried. A convention.
FAR = 0.2


def predictions_for(num_samples: int) -> int:
    """Returns about how many predictions `cost_of_difference` makes, at most.

    Args:
        num_samples: Number of samples of validation, and of training.
    """
    # Each half chooses; both streams are predicted as they are, and with what each half chose. A
    # metric beside the cost is computed on samples as they are, and repaired.
    return 2 * num_predictions(CANDIDATES, num_samples // 2) + 7 * num_samples


def cost_of_difference(
    predict: Predict,
    current: Labelled,
    training: Labelled | None,
    spec: InputSpec,
    tolerance: float,
    seed: int = 0,
    may_be_augmented: bool = True,
    judge: Judge = ACCURACY,
    least: int = MIN_SAMPLES,
    enough: float = MIN_SHARE_OF_GAP,
    beside: tuple[str, MetricOf] | None = None,
) -> Difference:
    """Returns what it costs that validation differs from training.

    Args:
        predict: Runs the model in inference mode; from samples to what the judge takes.
        current: Labelled samples of validation.
        training: Labelled samples of training; None if there are none.
        spec: Specification of the input that may differ.
        tolerance: The share of accuracy that a difference may cost.
        seed: Divides the samples into halves.
        may_be_augmented: Whether images of training may be augmented. A model that was trained on
            random crops is right more often on enlarged images (Touvron et al., "Fixing the
            train-test resolution discrepancy", 2019), so images are not enlarged then.
        judge: How predictions are judged.
        least: With fewer samples of either set, no experiment is made.
        enough: If undoing wins back this share of what the model is worse by, lost information is
            not looked for.
        beside: Name and function of a metric that is told beside a cost.
    """
    if len(current.labels) < least:
        return Difference(cost_of_too_few(len(current.labels), judge.metric))
    candidates = _candidates(current, training, spec, may_be_augmented)
    x, labels = current.images, current.labels
    if isinstance(x, Rows):
        candidates = [candidate.of_input(spec.name) for candidate in candidates]
    # One operation says more than a map for each column, which is tried if it wins too little.
    several = [candidate for candidate in candidates if candidate.choice.name == "units"]
    candidates = [candidate for candidate in candidates if candidate not in several]
    if candidates:
        promise = undo(predict, x, labels, candidates, judge, seed=seed, control=training)
        found = _told(promise, candidates, spec, current, training)
        if beside is not None and found.cost.is_costly(tolerance):
            chain = [c for c in candidates if c.choice in promise.choices[0]]
            found = replace(found, cost=_with_metric(found.cost, beside, current, chain))
    else:
        none = Cost(0.0, (0.0, 0.0), len(labels), is_untried=True, metric=judge.metric)
        found = Difference(none)
    is_costly = found.cost.is_costly(tolerance)
    if training is None:
        return found
    if not is_costly and _are_texts(spec, current.input(spec.name)):
        # Most that happens to texts cannot be tried.
        none = Cost(0.0, (0.0, 0.0), len(labels), is_untried=True, metric=judge.metric)
        found = Difference(none)
    gap = _gap(predict, current, training, judge, least)
    is_enough = is_costly and gap is not None and found.cost.value >= enough * gap.value
    is_far = gap is not None and gap.is_sure and (is_costly or gap.value > FAR)
    if candidates and is_far and not is_enough:
        two = undo(predict, x, labels, candidates, judge, most=2, seed=seed, control=training)
        if two.gain > max(found.cost.value, 0.0) + tolerance and two.is_alarm(tolerance):
            found, is_costly = _told(two, candidates, spec, current, training), True
    if several and not is_enough:
        promise = undo(predict, x, labels, several, judge, seed=seed, control=training)
        if promise.gain > max(found.cost.value, 0.0) and promise.is_alarm(tolerance):
            found, is_costly = _told(promise, several, spec, current, training), True
            is_enough = gap is not None and found.cost.value >= enough * gap.value
    if gap is None or is_enough or (is_costly and not gap.is_sure):
        return found
    # Augmented training may be harder than validation: then training loses what validation never
    # had.
    if gap.is_sure or not may_be_augmented:
        lost = _lost(predict, current, training, spec, gap, may_be_augmented, judge)
        if lost is not None and lost.cost.is_costly(tolerance):
            if not is_costly or lost.cost.value > found.cost.value:
                return lost
    rest = gap.value - (found.cost.value if is_costly else 0.0)
    return replace(found, cost=replace(found.cost, unexplained=rest if gap.is_sure else 0.0))


def _with_metric(
    cost: Cost, beside: tuple[str, MetricOf], current: Labelled, chain: Sequence[Candidate]
) -> Cost:
    """Returns a cost with the value of a metric as samples are, and repaired."""
    name, metric = beside
    try:
        now = metric(current.images, current.labels)
        repaired = metric(applied(chain, current.images), moved(chain, current.labels))
    except Exception:  # the user's own metric may raise anything
        return cost
    return replace(cost, beside=(name, now, repaired))


def _candidates(
    current: Labelled, training: Labelled | None, spec: InputSpec, may_be_augmented: bool
) -> list[Candidate]:
    x = current.input(spec.name)
    if spec.layout == "features":
        if training is None or not len(training.labels):
            return []
        rows = training.input(spec.name)
        return text_candidates(rows) if _are_texts(spec, x) else table_candidates(x, rows)
    left_out = ("zoom_in",) if may_be_augmented else ()
    found = image_candidates(scale_of(current, training, spec))
    if training is not None and len(training.labels):
        found = nearing(found, x, training.input(spec.name))
    found = with_masks(found, x, current.labels, spec.layout == "channels_first")
    return [candidate for candidate in found if candidate.choice.name not in left_out]


def _are_texts(spec: InputSpec, x: np.ndarray) -> bool:
    is_text = spec.tokens or (spec.tokens is None and x.dtype.name in ("int32", "int64"))
    return spec.layout == "features" and bool(is_text)


def scale_of(current: Labelled, training: Labelled | None, spec: InputSpec) -> Scale:
    """Returns black and white of the images that the model is trained on."""
    known = current if training is None or not len(training.labels) else training
    return Scale.of(known.input(spec.name), spec.layout == "channels_first")


def _told(
    promise: Promise,
    candidates: Sequence[Candidate],
    spec: InputSpec,
    current: Labelled,
    training: Labelled | None,
) -> Difference:
    """Returns a promise as the cost of a difference."""
    cost = Cost(promise.gain, promise.interval, promise.num_samples, metric=promise.metric)
    if not promise.family:  # the halves do not agree, so it is no more than chance
        return Difference(replace(cost, interval=(min(cost.interval[0], 0.0), cost.interval[1])))
    chain = promise.choices[0]
    repair: dict[str, Any] = {"operations": [[c.name, c.strength] for c in chain]}
    if spec.layout != "features":
        scale = scale_of(current, training, spec)
        repair |= {
            "low": float(scale.low[0]),
            "high": float(scale.high[0]),
            "channels_first": scale.channels_first,
        }
    # A layer cannot move the masks as well, and moving the images alone would make it worse; and it
    # would make floats of token ids.
    moves_masks = any(c.moves is not None and c.choice in chain for c in candidates)
    if not (moves_masks or _are_texts(spec, current.input(spec.name))):
        cost = replace(cost, repair=repair)
    shape = current.input(spec.name).shape
    sides = shape[2:4] if spec.layout == "channels_first" else shape[1:3]
    how = all_seem(chain, sides, spec.columns)
    if promise.family == ALIGNMENT:
        how += " against their masks"
    is_one = spec.layout == "features" and shape[1:] in ((), (1,))
    axes, is_first = 1 if is_one else len(shape), spec.layout == "channels_first"
    entry = spec.name if spec.is_entry else None
    lines = [fix_line(choice, axes, is_first, spec.columns, entry) for choice in chain]
    fix = "; ".join(lines) if all(lines) else ""
    if not fix and cost.repair is not None and (spec.is_entry or spec.columns):
        data = "x" if entry is None else f"x[{quoted(entry)}]"
        fix = f"{data} = finding.repair({data}{'.to_numpy()' if spec.columns else ''})"
    return Difference(cost, how, promise.family, fix)


def _gap(
    predict: Predict, current: Labelled, training: Labelled, judge: Judge, least: int
) -> Cost | None:
    """Returns how much better the model is on training; None with too few samples."""
    if len(training.labels) < max(least, 1):
        return None
    there, here = (judge.worth(predict(each.images), each.labels) for each in (training, current))
    if judge.metric == ACCURACY.metric:
        if np.isin(current.labels, training.labels).sum() < max(least, 1):
            return None
        return gap_between(there > 0, here > 0, training.labels, current.labels)
    unit = judge.unit(here)
    value = float(there.mean() - here.mean()) / unit
    error = float(np.hypot(there.std() / len(there) ** 0.5, here.std() / len(here) ** 0.5)) / unit
    interval = value - SIGMAS * error, value + SIGMAS * error
    return Cost(value, interval, min(len(there), len(here)), metric=judge.metric)


def _lost(
    predict: Predict,
    current: Labelled,
    training: Labelled,
    spec: InputSpec,
    gap: Cost,
    may_be_augmented: bool,
    judge: Judge,
) -> Difference | None:
    """Returns the cost of information that validation lacks; None if none is found."""
    is_one = not isinstance(current.images, Rows)
    if is_one and spec.layout != "features" and judge.metric == ACCURACY.metric:
        channels_first = spec.layout == "channels_first"
        found = covered(predict, current, training, channels_first, may_be_augmented)
        if found is not None:
            return Difference(found[1], found[0], "cover")
    if current.input(spec.name).shape[1:] != training.input(spec.name).shape[1:]:
        return None
    candidates, measure = _losing(current, training, spec)
    if not candidates:
        return None
    if not is_one:
        candidates = [candidate.of_input(spec.name) for candidate in candidates]
    x, labels, others = training.images, training.labels, current.images

    def measured(samples: Any) -> np.ndarray:
        return measure(samples if is_one else samples.tree[spec.name])

    pushed = push(predict, x, labels, others, candidates, judge, measured)
    if pushed is None or pushed.explained < MIN_EXPLAINED:
        return None
    promise = pushed.promise
    cost = Cost(promise.gain, promise.interval, promise.num_samples, metric=promise.metric)
    choice = promise.choices[0][0]
    return Difference(
        cost.at_most(gap), seems_after(choice), promise.family, PREVENTED.get(choice.name, "")
    )


def _losing(
    current: Labelled, training: Labelled, spec: InputSpec
) -> tuple[Sequence[Candidate], Callable[[np.ndarray], np.ndarray]]:
    """Returns the operations that lose information, and the measure that chooses one of them."""
    x, others = training.input(spec.name), current.input(spec.name)
    if spec.layout != "features":
        scale = scale_of(current, training, spec)
        candidates = [c for c in image_candidates(scale) if c.choice.family in LOSING]
        return candidates, _measure(spec)
    if _are_texts(spec, others):
        return lossy_texts(x, others)
    return lossy_series(x, others) if x.ndim == 3 else ([], np.asarray)


def _measure(spec: InputSpec) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a function from images to their attributes."""

    def measure(images: np.ndarray) -> np.ndarray:
        return in_chunks(lambda part: attributes(keras.ops.convert_to_tensor(part), spec), images)

    return measure

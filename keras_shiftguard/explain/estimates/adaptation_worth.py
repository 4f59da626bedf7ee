"""Statements on whether an adaptation helps: one line before the fit, and one line after it.

Neither line needs target labels. The line before the fit is based on the comparison of the two
domains, which shows how much they differ. The line after the fit is based on `estimate_accuracy`,
and claims a difference only if the intervals of two estimates do not overlap.
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_shiftguard.detection.finding import LARGE, MODEL_FEATURES, Finding
from keras_shiftguard.detection.words.plain_words import plain_difference
from keras_shiftguard.errors import BadInputError, warn
from keras_shiftguard.explain.estimates.corrupted_copies import CORRUPTIONS, STRENGTHS
from keras_shiftguard.explain.estimates.estimate import (
    METHODS_DISAGREE,
    AccuracyEstimate,
    estimate_accuracy,
)
from keras_shiftguard.instrument.steps.processes import has_several_processes
from keras_shiftguard.instrument.undisturbed import undisturbed
from keras_shiftguard.io.batches import named_inputs
from keras_shiftguard.statistics.spread import spread

# With fewer target samples, the line before the fit never says "likely". If no difference was
# found, it says that the answer is not known, instead of "unlikely". A convention.
MIN_TARGET = 64
MAX_SAMPLES = 256  # target samples, and labelled source samples, for one estimate. A convention.
# An estimate runs the model on the target, the labelled source and its corrupted copies. Given by
# `corrupted_copies`.
PREDICTIONS = 2 + len(CORRUPTIONS) * len(STRENGTHS)
# No estimate is made if these runs would take longer than both limits: seconds, and a share of the
# training time. Conventions.
MAX_SECONDS, MAX_SHARE = 30.0, 0.1
CAUTION = (
    "Training on the target makes a model too sure of itself there, so this may be too high: check "
    "it with some labelled samples."
)


def expected_worth(
    findings: Sequence[Finding],
    num_target: int,
    num_source: int,
    name: str = "target",
    has_means: bool = True,
) -> str:
    """Returns one line that says whether adaptation is likely to help.

    The line says "likely" only if images differ much, because features of tables may move in ways
    that adaptation cannot correct.

    Args:
        findings: The findings of the comparison of the target with training.
        num_target: Number of target samples that were compared.
        num_source: Number of training samples that were compared.
        name: Name of the target; `"validation"` if validation is used in place of a target.
        has_means: Whether the adaptation can reduce the difference.
    """
    real = [f for f in findings if not (f.negligible or f.acknowledged or f.expected)]
    inputs = [f for f in real if f.feature.split("/")[0].split(" ")[0] not in MODEL_FEATURES]
    moved = [f for f in inputs if f.kind in ("covariate", "preprocessing")]
    if not moved:
        if num_target < MIN_TARGET:
            return f"Whether adaptation can help is not known: {num_target} samples are too few."
        data = "the target" if name == "target" else name
        return (
            f"Adaptation is unlikely to help: no difference was found between {data} and "
            f"training ({num_target:,} and {num_source:,} samples)."
        )
    worst = max(moved, key=lambda finding: abs(finding.effect_size))
    difference = plain_difference(worst)
    difference = difference[:1].lower() + difference[1:]
    if worst.kind == "preprocessing":
        return (
            f"Check the input pipeline before adapting: {difference}. A mistake there is "
            "repaired there, not by adaptation."
        )
    if not has_means:
        return (
            f"Adaptation is unlikely to help: {difference}, but no augmentation was found that "
            f"closes this gap ({num_target:,} samples)."
        )
    likely = (
        " images " in difference and abs(worst.effect_size) >= LARGE and num_target >= MIN_TARGET
    )
    says = "is likely to" if likely else "may"
    return f"Adaptation {says} help: {difference} ({num_target:,} samples)."


class Worth(NamedTuple):
    """Answer to the question whether an adaptation helped."""

    line: str  # the answer in one line; "" without an estimate
    # `"yes"`, `"no"` if it did harm, `"same"` if the estimates do not differ, or `"unknown"`.
    answer: str = "unknown"
    # The estimated accuracy on the target, and its interval; None if not known.
    now: tuple[float, float, float] | None = None
    earlier: tuple[float, float, float] | None = None  # the same for an earlier state of the model
    source: float | None = None  # the accuracy on labelled source data; None if not known
    # Whether the model was trained on target samples, so that the estimates may be too high.
    saw_target: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields for the log, with the line as `"after"`."""
        fields = self._asdict()
        return {"after": fields.pop("line"), **fields}


def measured_worth(
    now: AccuracyEstimate,
    before: AccuracyEstimate | None = None,
    when: str = "before adaptation",
    saw_target: bool = False,
) -> Worth:
    """Returns whether an adaptation helped, as far as the estimates tell.

    Args:
        now: Estimate of the accuracy of the adapted model on the target.
        before: Estimate for an earlier state of the model; None if there is none.
        when: Phrase that names this earlier state.
        saw_target: Whether the model was trained on target samples. Such training makes the model
            confident in its predictions on the target, right or wrong, and the estimate is based on
            this confidence. So the answer is then `"unknown"`.

    Example:

    >>> now = AccuracyEstimate(0.84, (0.8, 0.88), 0.95, num_samples=200)
    >>> worth = measured_worth(now, AccuracyEstimate(0.61, (0.55, 0.67), 0.95), "before")
    >>> worth.line.replace("accuracy on target data is ", "")
    'It helped: estimated at 84 % (80 to 88 %); before, it was 61 % (55 to 67 %).'
    >>> worth.answer
    'yes'
    """
    line, answer = _line(now, before, when, saw_target)
    earlier = None if before is None else _figures(before)
    return Worth(line, answer, _figures(now), earlier, now.reference_accuracy, saw_target)


def _line(
    now: AccuracyEstimate, before: AccuracyEstimate | None, when: str, saw_target: bool
) -> tuple[str, str]:
    """Returns `line` and `answer` of `Worth`."""
    if now.value is None:
        if now.reason != METHODS_DISAGREE:
            return "", "unknown"
        return "Whether it helped is not known: the estimation methods disagree.", "unknown"
    accuracy = f"accuracy on target data is estimated at {_percent(now)}"
    if before is None or (before.value is None and before.reason != METHODS_DISAGREE):
        both = (
            f"{accuracy}, and is {100 * now.reference_accuracy:.0f} % on labelled validation "
            "data; no model without adaptation is there to compare with"
        )
        return f"A{both[1:]}.{f' {CAUTION}' if saw_target else ''}", "unknown"
    if before.value is None:
        both = f"{accuracy}; {when}, there was no estimate, because its methods disagreed"
        return f"Whether it helped is not known: {both}.", "unknown"
    both = f"{accuracy}; {when}, it was {_percent(before)}"
    if saw_target:
        return f"A{both[1:]}. {CAUTION}", "unknown"
    (low, high), (low_before, high_before) = _ends(now), _ends(before)
    if low > high_before:
        return f"It helped: {both}.", "yes"
    if high < low_before:
        return f"It did harm: {both}.", "no"
    return f"Whether it helped cannot be told: {both}.", "same"


def _ends(estimate: AccuracyEstimate) -> tuple[float, float]:
    return estimate.interval or (0.0, 1.0)  # an estimate with a value has one


def _figures(estimate: AccuracyEstimate) -> tuple[float, float, float] | None:
    """Returns the value of an estimate and its interval; None if it is not known."""
    return None if estimate.value is None else (estimate.value, *_ends(estimate))


def _percent(estimate: AccuracyEstimate) -> str:
    low, high = _ends(estimate)
    return f"{100 * (estimate.value or 0.0):.0f} % ({100 * low:.0f} to {100 * high:.0f} %)"


def bounded_estimate(
    model: keras.Model, target: Any, reference: tuple[Any, Any], seconds: float = 0.0
) -> AccuracyEstimate | None:
    """Returns an estimate from a few hundred samples; None if it cannot be made or costs too much.

    A failure causes at most a warning, because the function runs within a fit.
    """
    x, y = reference
    if y is None or has_several_processes():
        return None
    images = any(np.ndim(part) == 4 for part in named_inputs(x).values())
    if images and keras.backend.backend() == "jax":
        return None  # JAX compiles the corruptions of images for minutes
    try:
        target, x, y = keras.tree.map_structure(_few, (target, x, y))
        with undisturbed(model):
            model.predict(x, verbose=0)  # compiles, which is not timed
            start = time.perf_counter()
            model.predict(x, verbose=0)
            cost = PREDICTIONS * (time.perf_counter() - start)
            if cost > max(MAX_SECONDS, MAX_SHARE * seconds):
                return None
            return estimate_accuracy(model, target, (x, y))
    except BadInputError:  # for example, the model is not a classifier
        return None
    except Exception as error:
        failure = error
    warn(f"Whether the adaptation helped could not be estimated ({failure!r}).")
    return None


def _few(array: Any) -> Any:
    """Returns at most `MAX_SAMPLES` samples, evenly spread."""
    return array[spread(len(array), MAX_SAMPLES)]

"""`compare`: compares two streams of data, without training."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from keras_shiftguard.detection.finding import by_severity
from keras_shiftguard.detection.gap_row import GapRow
from keras_shiftguard.detection.look import compare_profiles
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.detection.two_sample.tail_probabilities import SIGMAS
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.measure import CHUNK, named_batches, profile_of
from keras_shiftguard.io.batches import Shape
from keras_shiftguard.io.source import open_source
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.profiles.attached import is_model

WHOLE_COST = (
    "the cost is the whole difference of the two accuracies, for all findings together; if the "
    "model was trained on the reference, a part of it is overfitting"
)


def compare(
    reference: Any, current: Any, alpha: float = 0.05, tolerance: float | None = 0.01
) -> ShiftReport:
    """Checks whether and how `current` differs from `reference`.

    Args:
        reference: An `InputProfile`, the path of a saved one or of a saved model that holds
            one, or data in any form that `fit` accepts (labels included, if there are any).
        current: The stream to compare with it, in the same forms.
        alpha: Probability of a false alarm, over all tests together, if nothing differs.
        tolerance: The share of accuracy that a shift may cost before it is an alarm; 0.01 is one
            point. This needs the accuracies, so both must be profiles made with labels and the
            same `model=`. Otherwise, or with None, every difference beyond chance that is not
            small is an alarm.

    Returns:
        A `ShiftReport`, with `.shifted`, `.kinds` and `.findings`; `str()` is the verdict.

    Raises:
        BadInputError: If there is nothing to compare, a file holds no profile, or
            `alpha` or `tolerance` is out of range.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> morning, evening = rng.normal(0, 1, (500, 3)), rng.normal(0.5, 1, (500, 3))
    >>> compare(morning, evening).shifted
    True
    """
    check_alpha(alpha)
    check_tolerance(tolerance)
    before, after = as_profile(reference, "reference"), as_profile(current, "current")
    if not before.inputs.keys() & after.inputs.keys():
        raise BadInputError(
            "There is nothing to compare: no input is in both. `reference` has "
            f"{sorted(before.inputs)}, `current` has {sorted(after.inputs)}."
        )
    comparison = compare_profiles(before, after, stream="current", against="reference", level=alpha)
    row = None if tolerance is None else _whole_gap(before, after)
    found, notes = comparison.findings, comparison.notes
    if row is not None and tolerance is not None:
        costly = ("covariate", "label")
        most = row.interval[1]
        found = [f.with_row(row, most, tolerance) if f.kind in costly else f for f in found]
        if any(f.cost is not None for f in found):
            notes = [*notes, WHOLE_COST]
    if found and (told := _without_labels(before, after)):
        notes = [*notes, told]
    return ShiftReport(
        findings=by_severity(list(found)),
        notes=tuple(notes),
        alpha=alpha,
        num_samples={"reference": before.num_samples, "current": after.num_samples},
    )


def as_profile(value: Any, name: str, shapes: Mapping[str, Shape] | None = None) -> InputProfile:
    """Returns an argument as a profile: unchanged, loaded from its path, or measured.

    Args:
        value: An `InputProfile`, the path of a saved one or of a saved model that holds one, or
            data.
        name: Name of the argument, for error messages.
        shapes: Shapes of the inputs of the model that the data is for, as for `named_inputs`.

    Raises:
        BadInputError: If the profile is empty, the path is not that of a profile, or the data
            cannot be measured.
    """
    if isinstance(value, InputProfile):
        if not value.inputs:
            raise BadInputError(f"`{name}` is an empty profile: there is nothing to compare.")
        return value
    if isinstance(value, (str, PathLike)):
        if not Path(value).is_file() and not is_model(value):
            raise BadInputError(
                f"`{name}` must be an InputProfile, the path of a saved one, or data. "
                f"Received: {name}={str(value)!r}, which is not a file, nor a saved model. Read a "
                "folder of images with keras.utils.image_dataset_from_directory."
            )
        return InputProfile.load(value)
    source = open_source(value, name, shapes)
    measured = profile_of(named_batches(source.all_batches(CHUNK), shapes))
    return measured.with_columns(source.columns)


def check_alpha(alpha: float) -> None:
    """Raises `BadInputError` unless `alpha` is a number between 0 and 1."""
    if not isinstance(alpha, (int, float)) or not 0 < alpha < 1:
        raise BadInputError(
            "`alpha` is the rate of false alarms: a number above 0 and below 1. "
            f"Received: alpha={alpha!r}"
        )


def check_tolerance(tolerance: float | None) -> None:
    """Raises `BadInputError` unless `tolerance` is None or a number from 0 to below 1."""
    if tolerance is None:
        return
    is_number = isinstance(tolerance, (int, float)) and not isinstance(tolerance, bool)
    if not is_number or not 0 <= tolerance < 1:
        raise BadInputError(
            "`tolerance` is the share of accuracy that a shift may cost: a number from 0 to below "
            f"1 (0.01 is one point), or None. Received: tolerance={tolerance!r}"
        )


def _without_labels(before: InputProfile, after: InputProfile) -> str:
    """Returns a sentence on the accuracy of `after`, if only `before` has labels; else ""."""
    one, other = before.outputs, after.outputs
    names = one.features.names, other.features.names
    if not one.weights or one.weights != other.weights or np.isfinite(other.accuracy):
        return ""
    if not np.isfinite(one.accuracy) or not all("confidence" in each for each in names):
        return ""
    moved = other.features.mean("confidence") - one.features.mean("confidence")
    about = 100 * min(max(one.accuracy + moved, 0.0), 1.0)
    return (
        "current has no labels, so the cost is unknown. By the mean confidence (DoC), the accuracy "
        f"is about {about:.1f} % there, against {100 * one.accuracy:.1f} % on the reference; this "
        "may be far off. estimate_accuracy, with labelled data as reference, also gives an interval"
    )


def _whole_gap(before: InputProfile, after: InputProfile) -> GapRow | None:
    """Returns the loss of accuracy; None unless both profiles measured it with the same weights."""
    one, other = before.outputs, after.outputs
    if not one.weights or one.weights != other.weights:
        return None
    sizes = [float(each.labelled_by_class.sum()) for each in (one, other)]
    if not all(sizes):
        return None
    variances = [
        max(a * (1 - a), 1 / n) / n
        for a, n in zip((one.accuracy, other.accuracy), sizes, strict=True)
    ]
    share = min(before.distinct_share, after.distinct_share)
    value = one.accuracy - other.accuracy
    error = SIGMAS * float(sum(variances) / share) ** 0.5
    return GapRow("input", "the data differ", value, (value - error, value + error), value > error)

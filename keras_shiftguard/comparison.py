"""`compare`: compares two streams of data, without training."""

from os import PathLike
from pathlib import Path
from typing import Any

from keras_shiftguard.detection.finding import by_severity
from keras_shiftguard.detection.look import compare_profiles
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.measure import profile
from keras_shiftguard.profiles import InputProfile


def compare(reference: Any, current: Any, alpha: float = 0.05) -> ShiftReport:
    """Checks whether and how `current` differs from `reference`.

    Args:
        reference: An `InputProfile`, the path of a saved one, or data in any
            form that `fit` accepts (labels included, if there are any).
        current: The stream to compare with it, in the same forms.
        alpha: Probability of a false alarm, over all tests together, if nothing differs.

    Returns:
        A `ShiftReport`, with `.shifted`, `.kinds` and `.findings`; `str()` is the verdict.

    Raises:
        BadInputError: If there is nothing to compare, a file is not a profile, or
            `alpha` is not between 0 and 1.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> morning, evening = rng.normal(0, 1, (500, 3)), rng.normal(0.5, 1, (500, 3))
    >>> compare(morning, evening).shifted
    True
    """
    check_alpha(alpha)
    before, after = as_profile(reference, "reference"), as_profile(current, "current")
    if not before.inputs.keys() & after.inputs.keys():
        raise BadInputError(
            "There is nothing to compare: no input is in both. `reference` has "
            f"{sorted(before.inputs)}, `current` has {sorted(after.inputs)}."
        )
    comparison = compare_profiles(before, after, stream="current", against="reference", level=alpha)
    return ShiftReport(
        findings=by_severity(list(comparison.findings)),
        notes=tuple(comparison.notes),
        alpha=alpha,
        num_samples={"reference": before.num_samples, "current": after.num_samples},
    )


def as_profile(value: Any, name: str) -> InputProfile:
    """Returns the profile that an argument is or names, or that is measured from it.

    Args:
        value: An `InputProfile`, the path of a saved one, or data.
        name: Name of the argument, for error messages.

    Raises:
        BadInputError: If the profile is empty, the path is not a profile file, or the data
            cannot be measured.
    """
    if isinstance(value, InputProfile):
        if not value.inputs:
            raise BadInputError(f"`{name}` is an empty profile: there is nothing to compare.")
        return value
    if isinstance(value, (str, PathLike)):
        if not Path(value).is_file():
            raise BadInputError(
                f"`{name}` must be an InputProfile, the path of a saved one, or data. "
                f"Received: {name}={str(value)!r}, which is not a file."
            )
        return InputProfile.load(value)
    return profile(value)


def check_alpha(alpha: float) -> None:
    """Raises `BadInputError` unless `alpha` is a number between 0 and 1."""
    if not isinstance(alpha, (int, float)) or not 0 < alpha < 1:
        raise BadInputError(
            "`alpha` is the rate of false alarms: a number above 0 and below 1. "
            f"Received: alpha={alpha!r}"
        )

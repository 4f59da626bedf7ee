"""Checks of the arguments and the data of `DomainAdaptationModel`, before training starts."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.explain.estimates.adaptation_worth import MIN_TARGET
from keras_shiftguard.io.batches import named_inputs, to_numpy
from keras_shiftguard.statistics.classes import host_class_ids

MIN_TARGET_SAMPLES = 8  # with fewer samples, `fit` raises an error. A convention.
# If the largest values of the images of two domains differ by more than this factor, and the
# smaller one is at most 4, one domain is assumed to have the range 0..1 or -1..1, and the other
# 0..255. A convention.
MIN_RANGE_RATIO = 32.0


def check_streams(source: Any, target: Any, labels: Any, num_classes: int) -> list[str]:
    """Raises a BadInputError if two streams of data cannot be aligned.

    `source` and `target` are the first samples, as the model gets them, and `labels` those of all
    samples of the source that are at hand, or None.

    Returns:
        Remarks for the user about problems that do not prevent the training.
    """
    source_inputs, target_inputs = named_inputs(source), named_inputs(target)
    same_structure = isinstance(source, Mapping) == isinstance(target, Mapping)
    # The order of a dict does not matter.
    if source_inputs.keys() != target_inputs.keys() or not same_structure:
        raise BadInputError(
            "`target_data` must hold the same inputs as the source, both in a dict or both not. "
            f"Received: {list(target_inputs)}, expected: {list(source_inputs)}"
        )
    for name, value in source_inputs.items():
        _check_input(name, to_numpy(value), to_numpy(target_inputs[name]))
    size = len(to_numpy(next(iter(target_inputs.values()))))
    if size < MIN_TARGET_SAMPLES:
        raise BadInputError(
            f"`target_data` has {size} samples: too few to describe the target. "
            f"Give at least {MIN_TARGET_SAMPLES}, better some hundreds."
        )
    if labels is None:
        raise BadInputError(
            "The source has no labels: pass `fit(x, y, target_data=...)`, or batches of (x, y)."
        )
    if num_classes:
        check_labels(to_numpy(labels), num_classes)
    remark = f"`target_data` has only {size} samples: they describe the target only roughly."
    return [remark] if size < MIN_TARGET else []


def is_multi_label(labels: Any, num_classes: int) -> bool:
    """Whether each sample may have several classes: rows of 0 and 1 that are not all one-hot."""
    y = None if labels is None else to_numpy(labels)
    if y is None or y.ndim != 2 or y.shape[1] != num_classes or y.dtype.kind not in "biuf":
        return False
    return bool(np.isin(y, (0, 1)).all()) and host_class_ids(y) is None


def check_labels(labels: np.ndarray, num_classes: int) -> None:
    """Raises a BadInputError if labels are not classes of the model, or all of one class."""
    ids = host_class_ids(labels)
    if ids is None or ids.min() < 0 or ids.max() >= num_classes:
        is_number = labels.dtype.kind in "biuf"
        seen = f"run from {labels.min()} to {labels.max()}" if is_number else f"are {labels[:2]}"
        raise BadInputError(
            f"The labels {seen}, and the model has {num_classes} classes: they must be whole "
            f"numbers from 0 to {num_classes - 1}, or one-hot."
        )
    if len(np.unique(ids)) < 2:
        raise BadInputError(
            f"The source has a single class ({ids[0]}), so the model cannot learn its task. If the "
            "source is sorted by class, shuffle it."
        )


def _check_input(name: str, source: np.ndarray, target: np.ndarray) -> None:
    """Raises a BadInputError if a target input is not finite, or not like that of the source."""
    if source.shape[1:] != target.shape[1:]:
        fix = ""
        if source.ndim == 4 == target.ndim:
            fix = f" Resize it: keras.ops.image.resize(target, {source.shape[1:3]})."
            if source.shape[-1] != target.shape[-1]:
                fix = " Bring both to the same size and number of channels."
        raise BadInputError(
            f"`target_data` has samples of shape {target.shape[1:]} in the input {name!r}, and "
            f"the source has samples of shape {source.shape[1:]}.{fix}"
        )
    is_numeric = [np.issubdtype(a.dtype, np.number) or a.dtype == bool for a in (source, target)]
    # All integer dtypes and bool count as one kind.
    kinds = {a.dtype.kind if a.dtype.kind not in "iub" else "i" for a in (source, target)}
    if not all(is_numeric) or len(kinds) > 1:
        raise BadInputError(
            f"`target_data` has the dtype {target.dtype} in the input {name!r}, and the source has "
            f"{source.dtype}. Convert both to one, e.g. with `astype({str(source.dtype)!r})`, and "
            "check that the range of values is the same."
        )
    if not np.isfinite(target.astype("float64")).all():
        raise BadInputError(f"`target_data` has values that are not finite in the input {name!r}.")
    if source.ndim < 4:
        return
    # The largest absolute values, without the most extreme 0.1 %.
    largest = [float(np.percentile(np.abs(a.astype("float64")), 99.9)) for a in (source, target)]
    low, high = sorted(max(value, 1e-9) for value in largest)
    if low <= 4 and high / low > MIN_RANGE_RATIO:  # standardized images rarely exceed 4
        bigger = "the source" if largest[0] > largest[1] else "`target_data`"
        factor = "/ 255" if largest[1] > largest[0] else "* 255"
        raise BadInputError(
            f"The images differ in range: up to {largest[0]:.3g} in the source and "
            f"{largest[1]:.3g} in `target_data`; {bigger} looks like 0..255. Feed both in one "
            f"convention, e.g. `target {factor}`; keras_shiftguard.diagnose(model, images) tells "
            "which one the model expects."
        )


def check_options(
    names: tuple[str, ...], strength: Any, entropy: bool, units: Any, augmentation: Any
) -> None:
    """Raises a BadInputError if an option is invalid, or does not fit the methods `names`."""
    if not isinstance(units, (list, tuple)) or not all(isinstance(n, int) and n > 0 for n in units):
        raise BadInputError(
            f"`units` must be a tuple of positive integers, such as (100,). Received: {units!r}"
        )
    if tuple(units) != (100,) and not {"dann", "cdan"} & set(names):
        raise BadInputError(
            "`units` is an option of 'dann' and 'cdan', which have a domain head. "
            f"Received: units={units!r}, method={names!r}"
        )
    if augmentation is not None and not isinstance(augmentation, keras.layers.Layer):
        raise BadInputError(
            f"`augmentation` must be a Keras layer, or None. Received: {augmentation!r}"
        )
    if not isinstance(strength, int | float | np.number) or not 0 <= strength < float("inf"):
        raise BadInputError(
            f"`strength` must be a finite number, at least 0. Received: strength={strength!r}"
        )
    if entropy and "cdan" not in names:
        raise BadInputError(
            f"`entropy` is an option of 'cdan'. Received: entropy={entropy!r}, method={names!r}"
        )

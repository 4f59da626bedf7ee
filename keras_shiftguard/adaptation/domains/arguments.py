"""Whether it can be done at all: arguments and streams, before training starts."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_shiftguard.adaptation.domains.alignment import METHODS
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.io.batches import named_inputs, to_numpy
from keras_shiftguard.statistics.classes import host_class_ids

FEWEST = 8  # target samples
# Images in 0..1 or -1..1 beside images in 0..255.
RANGE_RATIO = 32.0


def check_streams(source: Any, target: Any, labels: Any, num_classes: int) -> list[str]:
    """Raises for a pair of streams that cannot be aligned.

    Args:
        source: The first samples of the source's inputs, as fed.
        target: Those of the target.
        labels: Labels of the source's samples, or None.
        num_classes: That the model tells apart; 0 for regression.

    Returns:
        Remarks that are worth a word but no error.

    Raises:
        BadInputError: with the fix, where there is one.
    """
    ours, theirs = named_inputs(source), named_inputs(target)
    same_structure = isinstance(source, Mapping) == isinstance(target, Mapping)
    if list(ours) != list(theirs) or not same_structure:
        raise BadInputError(
            "`target_data` must hold the same inputs as the source. Received: "
            f"{list(theirs)}, expected: {list(ours)}"
        )
    for name, value in ours.items():
        _check_input(name, to_numpy(value), to_numpy(theirs[name]))
    size = len(to_numpy(next(iter(theirs.values()))))
    if size < FEWEST:
        raise BadInputError(
            f"`target_data` has {size} samples: too few to tell what the target looks like. "
            f"Give at least {FEWEST}, better some hundreds."
        )
    if labels is None:
        raise BadInputError(
            "The source has no labels: pass `fit(x, y, target_data=...)`, or batches of (x, y)."
        )
    if num_classes:
        check_labels(to_numpy(labels), num_classes)
    few = f"`target_data` has only {size} samples: what is aligned with is a rough picture."
    return [few] if size < 64 else []


def check_labels(labels: np.ndarray, num_classes: int) -> None:
    """Raises for labels of a single class, or that the model does not have."""
    ids = host_class_ids(labels)
    if ids is None or ids.min() < 0 or ids.max() >= num_classes:
        raise BadInputError(
            f"The labels run from {labels.min()} to {labels.max()}, and the model has "
            f"{num_classes} classes: they must be 0 to {num_classes - 1}, or one-hot."
        )
    if len(np.unique(ids)) < 2:
        raise BadInputError(
            f"The source has a single class ({ids[0]}): there is nothing to tell apart, and "
            "alignment would only make the domains look the same. Is the source sorted by class? "
            "Then shuffle it."
        )


def _check_input(name: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    if ours.shape[1:] != theirs.shape[1:]:
        fix = ""
        if ours.ndim == 4 == theirs.ndim:
            fix = f" Resize it: keras.ops.image.resize(target, {ours.shape[1:3]})."
            if ours.shape[-1] != theirs.shape[-1]:
                fix = " Bring both to the same size and number of channels."
        raise BadInputError(
            f"`target_data` has samples of shape {theirs.shape[1:]} as {name!r}, the source "
            f"of shape {ours.shape[1:]}.{fix}"
        )
    numeric = [np.issubdtype(a.dtype, np.number) or a.dtype == bool for a in (ours, theirs)]
    kinds = [a.dtype.kind if a.dtype.kind not in "iub" else "i" for a in (ours, theirs)]
    if not all(numeric) or kinds[0] != kinds[1]:
        raise BadInputError(
            f"`target_data` has the dtype {theirs.dtype} as {name!r}, the source {ours.dtype}: "
            f"bring both to one, e.g. with `astype({str(ours.dtype)!r})`, and check that the range "
            "of values is the same."
        )
    if not np.isfinite(theirs.astype("float64")).all():
        raise BadInputError(f"`target_data` has values that are not finite as {name!r}.")
    if ours.ndim < 4:
        return
    spans = [float(np.percentile(np.abs(a.astype("float64")), 99.9)) for a in (ours, theirs)]
    low, high = sorted(max(span, 1e-9) for span in spans)
    if low <= 4 and high / low > RANGE_RATIO:
        bigger = "the source" if spans[0] > spans[1] else "`target_data`"
        factor = "/ 255" if spans[1] > spans[0] else "* 255"
        raise BadInputError(
            f"The images differ in range: up to {spans[0]:.3g} in the source and {spans[1]:.3g} in "
            f"`target_data`; {bigger} looks like 0..255. Feed both in one convention, e.g. "
            f"`target {factor}`; keras_shiftguard.diagnose(model, images) tells which one the "
            "model expects."
        )


def has_labels(data: Any) -> bool:
    """Whether the target comes with labels, which are left out."""
    if isinstance(data, tuple):
        return len(data) > 1 and data[1] is not None
    spec = getattr(data, "element_spec", None)
    return isinstance(spec, tuple) and len(spec) > 1


def rows(value: Any) -> int:
    """Number of samples in a structure of arrays."""
    return len(keras.tree.flatten(value)[0])


def check_arguments(
    method: str, strength: float, source_first: float, warmup: float, mixing: float
) -> None:
    """Refuses what `DomainAdaptationModel` cannot be made with."""
    if method not in METHODS:
        raise BadInputError(f"`method` must be one of {METHODS}. Received: method={method!r}")
    if not 0 <= strength < float("inf"):
        raise BadInputError(
            f"`strength` must be a finite number, at least 0. Received: strength={strength!r}"
        )
    for name, share in (("source_first", source_first), ("warmup", warmup)):
        if not 0 <= share <= 1:
            raise BadInputError(
                f"`{name}` is a share of the training, from 0 to 1. Received: {name}={share!r}"
            )
    if not 0 <= mixing <= 0.5:
        raise BadInputError(
            "`mixing` is the largest share of the target in a source image, from 0 to 0.5: beyond, "
            f"the label would be that of the smaller part. Received: mixing={mixing!r}"
        )

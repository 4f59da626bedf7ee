"""`look` tells that some samples of validation are broken: each of them has one value throughout.

A loader that fails, a file that is cut short, or a mask in place of an image gives such images,
recordings and rows. Comparisons of means show them only as a change of everything: "darker".
"""

from dataclasses import replace
from typing import Any

import numpy as np

from keras_shiftguard.callback.checks.check import MAX_P, MIN_SHARE, Epoch, Told
from keras_shiftguard.detection.finding import Finding, source_of
from keras_shiftguard.detection.two_sample.hypergeometric import hypergeometric_two_sided
from keras_shiftguard.detection.two_sample.tail_probabilities import SIGMAS, SMALLEST_P
from keras_shiftguard.detection.words.said import Said
from keras_shiftguard.detection.words.sentences import percent
from keras_shiftguard.statistics.kept_samples import KeptSamples

# Black frames are part of some data. So samples are called broken only if training has at most half
# as large a share of them, and the difference is beyond chance. A convention.
MAX_SHARE_IN_TRAINING = 0.5
MIN_COLUMNS = 8  # in rows with fewer columns, all values may well be the same. A convention.


def look(state: list[dict[str, Any]] | None, epoch: Epoch) -> tuple[list[dict[str, Any]], Told]:
    """Looks for broken samples of validation; what was found is told again in each epoch.

    The state: the findings of the epoch before, as dicts.
    """
    found = [Finding.from_dict(fields) for fields in state or ()]
    if {"train", "validation"} <= epoch.passes.keys():
        since = {finding.feature: finding.since for finding in found}
        validation, training = epoch.streams["validation"], epoch.streams["train"]
        found = []
        others = training.kept_together()
        for name, kept in validation.kept_together().items():
            other = others.get(name)
            finding = None if other is None else _broken(name, kept, other, epoch.number)
            if finding is not None:
                earlier = since.get(finding.feature)
                found.append(finding if earlier is None else replace(finding, since=earlier))
    return [finding.to_dict() for finding in found], Told(findings=tuple(found))


def _broken(name: str, here: KeptSamples, there: KeptSamples, epoch: int | None) -> Finding | None:
    """Returns the finding on the samples of an input; None without one."""
    flat, others = (_flat(kept) for kept in (here, there))
    if not len(flat) or not len(others):
        return None
    share, in_training = float(flat.mean()), float(others.mean())
    if share < MIN_SHARE or in_training > MAX_SHARE_IN_TRAINING * share or share == 1:
        return None  # if all samples are flat, the comparison of the streams says so
    number = flat.sum() + others.sum()
    p_value = float(
        hypergeometric_two_sided(flat.sum(), len(flat), number, len(flat) + len(others))[0]
    )
    if p_value > MAX_P:
        return None
    pooled = number / (len(flat) + len(others))
    effect = (share - in_training) / float(np.sqrt(pooled * (1 - pooled)))
    nouns = ("samples", "values") if here.spec.layout == "features" else ("images", "pixels")
    error = SIGMAS * float(np.sqrt(1 / len(flat) + 1 / len(others)))
    return Finding(
        feature=f"{source_of(name)}/flat",
        kind="preprocessing",
        family="other",
        effect_size=effect,
        interval=(effect - error, effect + error),
        p_value=max(p_value, SMALLEST_P),
        stream="validation",
        against="train",
        since=epoch,
        said=Said(
            f"{percent(share)} of the validation {nouns[0]} are flat",
            f"within each, all {nouns[1]} have the same value, against {percent(in_training)} in "
            "training",
            cause=f"A failing loader or broken files give such {nouns[0]}",
        ),
    )


def _flat(kept: KeptSamples) -> np.ndarray:
    """Returns whether each kept sample has one value in each channel throughout, `(samples,)`."""
    x = kept.read()[0]
    if kept.spec.layout == "features" and x.ndim == 2 and x.shape[1] < MIN_COLUMNS:
        return np.zeros(0, bool)
    if not len(x):
        return np.zeros(0, bool)
    is_last = x.ndim > 2 and kept.spec.layout != "channels_first"
    rows = x.reshape(len(x), -1, x.shape[-1]) if is_last else x.reshape(len(x), -1, 1)
    if x.ndim == 4 and not is_last:
        rows = x.reshape(len(x), x.shape[1], -1).swapaxes(1, 2)
    return np.asarray((rows == rows[:, :1]).all(axis=(1, 2)))

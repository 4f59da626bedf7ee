"""Covariate shift as a cause: the accuracy that two kinds of repairs bring back.

Covariate shift cannot be removed exactly, since the samples without the shift are not known.

- The mean and deviation of each channel are set to those of the reference, which needs no labels.
- The experiments that decide inside a fit undo an operation on the data, or, if the data have lost
  information, apply it to the reference, see `experiments.difference`.

The accuracy that this regains is an estimate of the cost of the shift; a small one is no evidence
against it.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import keras
import numpy as np

from keras_shiftguard.detection.causes.explanation import affine
from keras_shiftguard.experiments.difference import cost_of_difference
from keras_shiftguard.experiments.labelled import Labelled, remembering
from keras_shiftguard.experiments.told import Difference
from keras_shiftguard.explain.causes.views import Inputs, Views
from keras_shiftguard.explain.reference import Reference
from keras_shiftguard.instrument.inference import InferenceCall, class_probabilities
from keras_shiftguard.instrument.model_inputs import input_shapes, specs_of
from keras_shiftguard.operations.table import OPERATIONS
from keras_shiftguard.profiles import InputSummary
from keras_shiftguard.statistics.rows import Rows
from keras_shiftguard.statistics.spread import spread

# Samples of the data, and of the reference: the experiments then make about 13,000 predictions. A
# convention.
MAX_SAMPLES = 512


class LevelRepair(NamedTuple):
    """A repair that sets the levels of the data to those of the reference."""

    apply: Callable[[np.ndarray], np.ndarray]  # repairs a batch
    detail: str  # description for the report
    line: str  # of Python, that repairs the input


def level_repair(now: InputSummary, reference: InputSummary) -> LevelRepair | None:
    """Returns the repair that gives each channel the mean and deviation of the reference.

    Returns None if the number of channels differs from that of the reference, or if the input
    holds ids of tokens, which have no levels.
    """
    if len(reference.tokens) or now.num_channels != reference.num_channels:
        return None
    mean, std = (np.asarray(v, "float64") for v in (now.mean, now.std))
    scale = np.where(std > 1e-12, reference.std / np.maximum(std, 1e-12), 1.0)
    offset = reference.mean - mean * scale
    channels_first = reference.layout == "channels_first"
    shape = (-1, 1, 1) if channels_first else (-1,)
    by, plus, low, high = (
        v.reshape(shape) for v in (scale, offset, reference.minimum, reference.maximum)
    )
    brightness = "darker" if mean.mean() < reference.mean.mean() else "brighter"
    contrast = "lower" if std.mean() < reference.std.mean() else "higher"
    detail = f"{brightness}, contrast {contrast}: the reference's levels restored"
    if not reference.is_image:
        detail = "mean and deviation of each column set to those of the reference"
    line = f"x = {affine('x', scale, offset, channels_first)}"
    return LevelRepair(lambda x: np.clip(x * by + plus, low, high).astype("float32"), detail, line)


def cost_of_shift(model: keras.Model, views: Views, reference: Reference) -> Difference | None:
    """Returns the largest cost of a difference of the data that an experiment finds, if any.

    All exact causes are removed from the samples, which must be labelled. The labelled samples of
    the reference are used, if known.
    """
    labels = views.samples.labels
    if labels is None:
        return None
    current = _labelled(views.chunks(), labels)
    known, training = reference.samples, None
    if known is not None and known.labels is not None:
        training = _labelled((x for _, x in known.chunks()), known.labels)
    names = list(views.samples.inputs)
    call = InferenceCall(model)
    predict = remembering(
        lambda x: class_probabilities(call, names[0], [x]),
        [each.images for each in (current, training) if each is not None],
    )
    both = current, training
    found = [
        cost_of_difference(predict, *both, spec, 0.0, may_be_augmented=False, least=0, enough=1.0)
        for spec in specs_of(input_shapes(model), model)
        if spec.name in names
    ]
    costly = [each for each in found if each.cost.is_costly(0.0)]
    return max(costly, key=lambda each: each.cost.value, default=None)


def in_words(found: Difference) -> str:
    """Returns what an experiment did and gained, for the report."""
    points = f"{100 * found.cost.value:.1f}"
    if found.cost.repair is None and found.how:
        return f"the data are {found.how}: the reference loses {points} if it is changed likewise"
    if found.how:
        return f"the data are {found.how}: undoing it brings back {points}"
    names = [name for name, _ in (found.cost.repair or {}).get("operations", ())]
    verbs = [OPERATIONS[name].words for name in names if name in OPERATIONS]
    return f"what {' and '.join(verbs) or 'changes'} the data brings back {points}"


def _labelled(chunks: Iterable[Inputs], labels: np.ndarray) -> Labelled:
    """Returns some of the samples, in random order, since experiments try the first ones first."""
    chosen = spread(len(labels), MAX_SAMPLES)
    is_chosen, start, parts = np.isin(np.arange(len(labels)), chosen), 0, []
    for inputs in chunks:
        number = len(next(iter(inputs.values())))
        here = is_chosen[start : start + number]
        parts.append({name: x[here] for name, x in inputs.items()})
        start += number
    order = np.random.default_rng(0).permutation(len(chosen))
    some = {name: np.concatenate([each[name] for each in parts])[order] for name in parts[0]}
    images = Rows(some) if len(some) > 1 else next(iter(some.values()))
    return Labelled(images, labels[chosen][order])

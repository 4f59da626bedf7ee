"""The cost of a covariate shift, by the experiments that decide inside a fit.

An operation is undone on the data, or, if the data have lost information, applied to the reference,
see `experiments.difference`.
"""

from collections.abc import Iterable

import keras
import numpy as np

from keras_shiftguard.experiments.difference import cost_of_difference
from keras_shiftguard.experiments.labelled import Labelled, remembering
from keras_shiftguard.experiments.told import Difference
from keras_shiftguard.explain.reference import Reference
from keras_shiftguard.explain.removal import Views
from keras_shiftguard.instrument.inference import InferenceCall, class_probabilities
from keras_shiftguard.instrument.model_inputs import input_shapes, specs_of
from keras_shiftguard.operations.table import OPERATIONS
from keras_shiftguard.statistics.rows import Rows
from keras_shiftguard.statistics.spread import spread

# Samples of the data, and of the reference: the experiments then make about 13,000 predictions. A
# convention.
MAX_SAMPLES = 512


def cost_of_shift(model: keras.Model, views: Views, reference: Reference) -> Difference | None:
    """Returns the largest cost of a difference of the data that an experiment finds, if any.

    Args:
        model: The classifier.
        views: The labelled samples; all exact causes are removed from them.
        reference: What the accuracy is compared with; its labelled samples are used, if known.
    """
    labels = views.samples.labels
    if labels is None:
        return None
    parts = zip(views.samples.chunks(), views.chunks(views.all_removed), strict=True)
    current = _labelled(((part, inputs) for (part, _), inputs in parts), labels)
    known, training = reference.samples, None
    if known is not None and known.labels is not None:
        training = _labelled(known.chunks(), known.labels)
    names = list(views.samples.inputs)
    call = InferenceCall(model)
    predict = remembering(
        lambda x: class_probabilities(call, names[0], [x]),
        [each.images for each in (current, training) if each is not None],
    )
    found = [
        cost_of_difference(
            predict,
            current,
            training,
            spec,
            tolerance=0.0,
            may_be_augmented=False,
            least=0,
            enough=1.0,
        )
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


def _labelled(
    chunks: Iterable[tuple[slice, dict[str, np.ndarray]]], labels: np.ndarray
) -> Labelled:
    """Returns some of the samples, in random order, since experiments try the first ones first."""
    chosen = spread(len(labels), MAX_SAMPLES)
    is_chosen = np.isin(np.arange(len(labels)), chosen)
    parts = [{name: x[is_chosen[part]] for name, x in inputs.items()} for part, inputs in chunks]
    order = np.random.default_rng(0).permutation(len(chosen))
    some = {name: np.concatenate([each[name] for each in parts])[order] for name in parts[0]}
    images = Rows(some) if len(some) > 1 else next(iter(some.values()))
    return Labelled(images, labels[chosen][order])

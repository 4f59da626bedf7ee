"""`Difference`: what a difference costs, with the words and the line that an experiment found."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.words.code_lines import quoted
from keras_shiftguard.experiments.candidates.candidates import Candidate
from keras_shiftguard.experiments.fix_lines import PREVENTED, Batch, fix_line
from keras_shiftguard.experiments.labelled import Labelled
from keras_shiftguard.experiments.targets import ALIGNMENT, are_inputs, with_own_targets
from keras_shiftguard.experiments.undo import Promise, applied, moved
from keras_shiftguard.experiments.words import all_seem
from keras_shiftguard.instrument.compiled_metric import MetricOf
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.statistics.batch import InputSpec


@dataclass(frozen=True)
class Difference:
    """What a difference costs, and the operation that tells it."""

    cost: Cost
    # What validation samples look like, such as `"mirrored left to right"`; "" if unknown.
    how: str = ""
    family: str = ""  # family of the operation; "" without one
    fix: str = ""  # a line of Python that undoes it in a batch `x` of validation; "" without one

    @property
    def is_crude(self) -> bool:
        """Whether columns are taken out, or all mapped, which may help whatever the cause is."""
        operations = (self.cost.repair or {}).get("operations", [])
        return any(name in ("blank", "units") for name, _ in operations)


def told_as(
    promise: Promise,
    candidates: Sequence[Candidate],
    spec: InputSpec,
    current: Labelled,
    training: Labelled | None,
) -> Difference:
    """Returns a promise as the cost of a difference."""
    cost, x = promise.cost, current.input(spec.name)
    if not promise.family:  # the halves do not agree, so it is no more than chance
        return Difference(replace(cost, interval=(min(cost.interval[0], 0.0), cost.interval[1])))
    chain, is_first = promise.choices[0], spec.layout == "channels_first"
    repair: dict[str, Any] = {"operations": [[c.name, c.strength] for c in chain]}
    ends = None
    if spec.layout != "features":
        scale = scale_of(current, training, spec)
        ends = float(scale.low[0]), float(scale.high[0])
        repair |= {"low": ends[0], "high": ends[1], "channels_first": scale.channels_first}
    # A layer for one input cannot exchange it with another one. It cannot move the masks as well,
    # and moving the images alone would make it worse; and it would make floats of token ids.
    takes_another = promise.family == "inputs"
    moves_masks = any(c.moves is not None and c.choice in chain for c in candidates)
    if not (takes_another or moves_masks or are_texts(spec, x)):
        cost = replace(cost, repair=repair)
    how = all_seem(chain, x.shape[2:4] if is_first else x.shape[1:3], spec.columns)
    if promise.family == ALIGNMENT:
        how += " against their masks"
    is_one = spec.layout == "features" and x.shape[1:] in ((), (1,))
    entry = spec.name if spec.is_entry else None
    batch = Batch(1 if is_one else x.ndim, is_first, spec.columns, entry, ends)
    lines = [fix_line(choice, batch) for choice in chain]
    fix = "; ".join(lines) if all(lines) else PREVENTED.get(chain[0].name, "")
    if not fix and cost.repair is not None and (spec.is_entry or spec.columns):
        data = "x" if entry is None else f"x[{quoted(entry)}]"
        fix = f"{data} = finding.repair({data}{'.to_numpy()' if spec.columns else ''})"
    if are_inputs(current.images, current.labels):
        fix = with_own_targets(fix)
    return Difference(cost, how, promise.family, fix)


def with_metric(
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


def scale_of(current: Labelled, training: Labelled | None, spec: InputSpec) -> Scale:
    """Returns black and white of the images that the model is trained on."""
    known = current if training is None or not len(training.labels) else training
    return Scale.of(known.input(spec.name), spec.layout == "channels_first")


def are_texts(spec: InputSpec, x: np.ndarray) -> bool:
    """Whether samples of an input are rows of token ids."""
    is_text = spec.tokens or (spec.tokens is None and x.dtype.name in ("int32", "int64"))
    return spec.layout == "features" and bool(is_text)

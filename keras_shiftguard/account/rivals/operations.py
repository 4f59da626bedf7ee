"""Inputs changed by an operation of the table: light, detail, place, order, columns, tokens."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_shiftguard.account.candidates.candidates import Candidate, Choice
from keras_shiftguard.account.candidates.grouped import grouped_candidates
from keras_shiftguard.account.candidates.kinds import are_texts, scale_of
from keras_shiftguard.account.candidates.targets import ALIGNMENT, are_inputs, with_own_targets
from keras_shiftguard.account.fix_lines import PREVENTED, Batch, fix_line, scaled
from keras_shiftguard.account.labelled import Labelled
from keras_shiftguard.account.rival import Rival, Undoing
from keras_shiftguard.account.samples import Case, Half
from keras_shiftguard.account.words import seems
from keras_shiftguard.io.code_lines import quoted
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.rows import Rows

MAPS = ("factor", "own moments")  # linear maps of the values themselves, channel by channel
# How samples look that an operation repairs which has no phrase of its own, by family and by name.
UNKNOWN = {
    "light": "in another light",
    "colour": "of other colours",
    "detail": "of another sharpness",
    "geometry": "placed otherwise",
}
WORDS = {
    "darker": "brighter",
    "brighter": "darker",
    "less_contrast": "higher in contrast",
    "more_contrast": "lower in contrast",
    "gamma_up": "brighter in their midtones",
    "gamma_down": "darker in their midtones",
    "stretch": "not stretched to the full range",
    "sharpen": "blurred",
    "blur": "noisier or sharper",
    "median": "noisier",
    "coarsen": "finer or noisier",
    "to_symmetric": "in [0, 1] where training is in [-1, 1]",
    "from_symmetric": "in [-1, 1] where training is in [0, 1]",
}


def rivals(case: Case) -> list[Rival]:
    """Returns a rival for each candidate that suits the inputs that may differ."""
    found = []
    here = Labelled(case.here.x, case.here.y)
    there = None if case.there is None else Labelled(case.there.x, case.there.y)
    for spec in case.specs:
        if case.differ is not None and spec.name not in case.differ:
            continue
        if here.input(spec.name).ndim > 4:
            continue
        rest, several, guesses = grouped_candidates(here, there, spec, case.may_be_augmented)
        exchanged = [each for each in guesses if each.choice.name != "blank"]
        found += [as_rival(case, spec, each) for each in (*rest, *exchanged, *several)]
    return found


def of_case(case: Case, spec: InputSpec, candidate: Candidate) -> Rival:
    """Returns a rival that a candidate for one input undoes, also if there are several inputs."""
    is_one = not isinstance(case.here.x, Rows)
    return as_rival(case, spec, candidate if is_one else candidate.of_input(spec.name))


def as_rival(case: Case, spec: InputSpec, candidate: Candidate) -> Rival:
    """Returns a rival that a candidate undoes."""
    choice = candidate.choice
    told: list[Undoing] = []

    def apply(half: Half) -> Half:
        x = candidate.apply(half.x)
        y = half.y if candidate.moves is None else candidate.moves(half.y)
        return Half(half.predict, x, y, None, half.spread)

    def fit(half: Half) -> Undoing:
        if not told:
            told.append(_told(case, spec, candidate, apply))
        return told[0]

    name = f"{choice.name} {choice.strength}"
    return Rival("input", name, choice.family, fit, spec.name)


def _told(case: Case, spec: InputSpec, candidate: Candidate, apply: Any) -> Undoing:
    choice, x = candidate.choice, case.input(case.here, spec.name)
    is_first, is_image = spec.layout == "channels_first", spec.layout != "features"
    ends = None
    if is_image and choice.name not in MAPS:
        scale = scale_of(x, None if case.there is None else case.input(case.there, spec.name), spec)
        ends = float(scale.low[0]), float(scale.high[0])
    noun = "images" if is_image else "samples"
    noun += f" of input {spec.name!r}" if len(case.specs) > 1 else ""
    how = describe(choice.name, choice.family, choice.strength, x, spec)
    if choice.family == ALIGNMENT:
        how += " against their masks"
    is_one = not is_image and x.shape[1:] in ((), (1,))
    batch = Batch(
        1 if is_one else x.ndim, is_first, spec.columns, spec.name if spec.is_entry else None, ends
    )
    step = (
        _map_line(choice, batch)
        or fix_line(choice, batch)
        or PREVENTED.get(choice.name, "")
        or None
    )
    if step and are_inputs(case.here.x, case.here.y):
        step = with_own_targets(step)
    repaired_by = _repaired_by(candidate, spec, x, ends)
    operation = (choice.name, choice.strength)
    return Undoing(
        apply, choice.strength, operation, f"{{data}} {noun} are {how}", step, repaired_by
    )


def _repaired_by(
    candidate: Candidate, spec: InputSpec, x: np.ndarray, ends: tuple[float, float] | None
) -> dict[str, Any] | None:
    """Returns the arguments of `Repair`; None where no layer for one input can do it."""
    choice = candidate.choice
    strength: Any = choice.strength
    if choice.name in MAPS:
        factors, offsets = strength
        if spec.layout == "features":
            return {"operations": [["units", [factors, offsets]]]}
        channels = spec.channels
        strength = [np.broadcast_to(each, channels).tolist() for each in (factors, offsets)]
        first = spec.layout == "channels_first"
        return {
            "operations": [["units", strength]],
            "low": 0.0,
            "high": 1.0,
            "channels_first": first,
        }
    if choice.family in ("inputs", ALIGNMENT) or candidate.moves is not None or are_texts(spec, x):
        return None
    repair: dict[str, Any] = {"operations": [[choice.name, choice.strength]]}
    if ends is not None:
        first = spec.layout == "channels_first"
        repair |= {"low": ends[0], "high": ends[1], "channels_first": first}
    return repair


def _map_line(choice: Choice, batch: Batch) -> str:
    """Returns the line of a linear map of all values; "" for other operations."""
    if choice.name != "factor":
        return ""
    strength: Any = choice.strength
    one = "x" if batch.entry is None else f"x[{quoted(batch.entry)}]"
    return scaled(one, strength[0][0], strength[1][0])


def describe(name: str, family: str, strength: Any, x: np.ndarray, spec: InputSpec) -> str:
    """Returns how samples look that an operation repairs, to follow "validation images are"."""
    if name == "own moments":
        return "standardised otherwise (with other means and deviations)"
    if name == "factor":
        factor, offset = strength[0][0], strength[1][0]
        size = f"{1 / factor:.4g} times as large"
        return size + (f" and moved by {-offset / factor:+.4g}" if offset else "")
    sides: Sequence[int] = x.shape[2:4] if spec.layout == "channels_first" else x.shape[1:3]
    phrase = seems(Choice(name, family, strength), sides, spec.columns)
    if not phrase and name == "gain":
        return f"{'darker' if strength > 1 else 'brighter'}: {1 / strength:.2g} times as bright"
    if not phrase and name == "scale":
        return f"{1 / strength:.4g} times as large"
    return phrase or WORDS.get(name) or UNKNOWN.get(family, "changed")

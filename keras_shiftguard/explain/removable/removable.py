"""Finds the causes that can be removed exactly: preprocessing, resolution, order of columns."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np

from keras_shiftguard.detection.causes.explanation import affine
from keras_shiftguard.detection.causes.pipeline_change import explain as explain_difference
from keras_shiftguard.explain.model_facts import ModelFacts
from keras_shiftguard.explain.predictions import predict
from keras_shiftguard.explain.reference import Reference
from keras_shiftguard.explain.removable.resolution import find_resolution
from keras_shiftguard.explain.removable.views import (
    CHANNEL_ORDER,
    COLUMN_ORDER,
    PREPROCESSING,
    Inputs,
    Removable,
    Views,
)
from keras_shiftguard.explain.samples import Samples
from keras_shiftguard.instrument.measure import profile_of
from keras_shiftguard.io.tables import are_reordered
from keras_shiftguard.preprocessing.correction.advice import advice_line
from keras_shiftguard.preprocessing.correction.convention import layer_between
from keras_shiftguard.preprocessing.correction.convention_words import in_words
from keras_shiftguard.preprocessing.correction.layer import InputCorrection
from keras_shiftguard.preprocessing.diagnose import diagnose
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.preprocessing.expected.hypothesis_names import as_observed, same_numbers
from keras_shiftguard.preprocessing.hints.remarks import MAX_IMAGES
from keras_shiftguard.preprocessing.limits import MIN_MISMATCH
from keras_shiftguard.preprocessing.observed.observe import observe
from keras_shiftguard.statistics.spread import spread

# Hints of the diagnosis that become notes of the report. Only the first such hint is shown.
REPORTED_HINTS = ("labels_shifted", "labels_other_order", "transposed")


class Corrections(NamedTuple):
    """Corrections of preprocessing and channel order, by input name."""

    fixes: dict[str, InputCorrection]
    words: str = ""  # what is fed and what should be
    repair: str = ""  # the correction as a line of Python


NONE = Corrections({})


def find_removable(
    model: keras.Model, samples: Samples, facts: ModelFacts, reference: Reference
) -> Views:
    """Finds the causes that can be removed exactly; returns the `Views` that remove them."""
    which = spread(len(samples), MAX_IMAGES)
    some = {name: value[which] for name, value in samples.inputs.items()}
    reordered = _column_order(samples, reference)
    if reordered is not None and reordered.undo is not None:
        some = reordered.undo(some, slice(None))
    labels = None if samples.labels is None else samples.labels[which]
    diagnosis = diagnose(model, (samples.packed(some), labels), max_samples=MAX_IMAGES)
    corrections, notes = _of_diagnosis(diagnosis, some), []
    if not corrections.fixes and diagnosis.status == "mismatch":
        if labels is not None:
            corrections = _by_labels(model, diagnosis, samples, some, labels)
        if not corrections.fixes:
            notes.append(str(diagnosis).partition("\n")[0])
    elif not corrections.fixes and diagnosis.status != "ok" and len(some) == 1:
        corrections = _of_reference(some, reference)
    notes += [h.sentence for h in diagnosis.hints if h.name in REPORTED_HINTS][:1]
    causes = [] if reordered is None else [reordered]
    if samples.folder is not None:
        resolution = find_resolution(samples, facts, reference, diagnosis.observed)
        if isinstance(resolution, str):
            notes.append(resolution)
        elif resolution is not None:  # files are read before anything else is removed
            causes.insert(0, resolution)
    return Views(samples, (*causes, *_removable(corrections)), tuple(notes))


def _column_order(samples: Samples, reference: Reference) -> Removable | None:
    """Returns another order of columns than that of the reference as a cause, if it differs."""
    if not samples.columns or reference.profile is None:
        return None
    before = reference.profile().inputs
    orders = {}
    for name, columns in samples.columns.items():
        there = before[name].columns if name in before else ()
        if are_reordered(columns, there) and len(set(columns)) == len(columns):
            orders[name] = np.array([columns.index(each) for each in there])
    if not orders:
        return None

    def in_order(inputs: Inputs, part: slice) -> Inputs:
        return {name: x[..., orders[name]] if name in orders else x for name, x in inputs.items()}

    order = next(iter(orders.values()))
    moved = int((order != np.arange(len(order))).sum())
    words = f"{moved} of {len(order)} columns are elsewhere than in the reference"
    return Removable(COLUMN_ORDER, words, "data = data[list(reference.columns)]", in_order)


def _removable(corrections: Corrections) -> list[Removable]:
    """Returns the causes that corrections remove: preprocessing, channel order, or both."""
    parts = {name: _in_two_parts(fix) for name, fix in corrections.fixes.items()}
    values, orders = ({name: pair[i] for name, pair in parts.items()} for i in (0, 1))
    found, repair = [], corrections.repair
    if any(values.values()):
        found.append(Removable(PREPROCESSING, corrections.words, repair, _undo_with(values)))
    if any(orders.values()):
        words = "red and blue are swapped"
        found.append(Removable(CHANNEL_ORDER, words, repair, _undo_with(orders)))
    return found


def _in_two_parts(fix: InputCorrection) -> tuple[InputCorrection | None, InputCorrection | None]:
    """Returns the correction of the values and that of the order of channels, in this order.

    Each is None if it changes nothing. Together they do what `fix` does, but each colour gets its
    own scale and offset even if the order of the channels is not corrected.
    """
    scale, offset = np.atleast_1d(fix.scale), np.atleast_1d(fix.offset)
    values = order = None
    if fix.permutation is not None:
        order = InputCorrection(1.0, 0.0, fix.permutation, fix.data_format)
        # Scale and offset of a correction belong to the channels after the permutation.
        back = np.argsort(fix.permutation)
        scale, offset = (np.broadcast_to(v, len(back))[back] for v in (scale, offset))
    if not (np.allclose(scale, 1, atol=1e-6) and np.allclose(offset, 0, atol=1e-6)):
        values = InputCorrection(tuple(scale), tuple(offset), None, fix.data_format)
    return values, order


def _undo_with(fixes: dict[str, InputCorrection | None]) -> Callable[[Inputs, slice], Inputs]:
    """Returns a function that corrects the inputs that have a correction, by name."""

    def undo(inputs: Inputs, part: slice) -> Inputs:
        corrected = {}
        for name, x in inputs.items():
            fix = fixes.get(name)
            corrected[name] = x if fix is None else np.asarray(fix(x.astype("float32")))
        return corrected

    return undo


def _of_diagnosis(diagnosis: Diagnosis, some: Inputs) -> Corrections:
    """Returns the corrections that the model itself shows to be necessary."""
    by_input = diagnosis.by_input or {next(iter(some)): diagnosis}
    fixes = {name: d.fix for name, d in by_input.items() if d.fix is not None}
    if not fixes:
        return NONE
    fixed = by_input[next(iter(fixes))]
    words = f"fed {in_words(fixed.observed)}, expects {in_words(fixed.expected)}"
    return Corrections(fixes, words, diagnosis.advice)


def _by_labels(
    model: keras.Model, diagnosis: Diagnosis, samples: Samples, some: Inputs, labels: np.ndarray
) -> Corrections:
    """Returns the correction of a sure scale, in the order of red and blue that labels favour.

    A diagnosis has no fix if the order of the channels is not sure. Labels may tell. What makes no
    more of them right than the images as fed is no correction.
    """
    expected, fed = diagnosis.expected, diagnosis.observed
    if len(some) != 1 or diagnosis.garbled or not (expected.is_known and fed.is_known):
        return NONE

    def share_right(inputs: Inputs) -> float:
        return float(predict(model, [samples.packed(inputs)]).right(labels).mean())

    name, x = next(iter(some.items()))
    summary = profile_of([(some, None)], details=False).inputs[name]
    tried = []
    for swap in (False, True) if summary.num_channels == 3 else (False,):
        as_fed = as_observed(fed, expected, swap)
        fix = layer_between(as_fed, expected, summary.layout, summary.num_channels)
        fixed = {name: np.asarray(keras.ops.convert_to_numpy(fix(x)))}
        line = advice_line(expected, as_fed, diagnosis.architecture, summary.layout)
        words = f"fed {in_words(as_fed)}, expects {in_words(expected)}"
        tried.append((share_right(fixed), Corrections({name: fix}, words, line)))
    share, corrections = max(tried, key=lambda each: each[0])
    return corrections if share > share_right(some) else NONE


def _of_reference(some: Inputs, reference: Reference) -> Corrections:
    """Returns a correction that gives samples of one input the preprocessing of the reference.

    It is used if the model does not show which preprocessing it expects.
    """
    name, x = next(iter(some.items()))
    now = profile_of([(some, None)]).inputs.get(name)
    known = {} if reference.profile is None else reference.profile().inputs
    before = next(iter(known.values()), None)
    if before is None or now is None:
        return NONE
    layout = now.layout if now.is_image else "channels_last"
    step = explain_difference(before, now)
    if step is not None:
        # `step` is `data = reference * scale + offset`. The correction is its inverse, for the
        # channels in the order of the reference.
        ordered = slice(None, None, -1 if step.swapped else 1)
        scale, offset = (1 / step.scale)[ordered], (-step.offset / step.scale)[ordered]
        order = tuple(range(len(scale)))[::-1] if step.swapped else None
        fix = InputCorrection(tuple(scale), tuple(offset), order, layout)
        return Corrections({name: fix}, step.name, step.fix)
    # The grid of 8-bit values, or their range, shows the scale even if the images have changed.
    here, there = (observe(each) for each in (now, before))
    is_known = all(each.certainty >= MIN_MISMATCH and not each.is_fitted for each in (here, there))
    if not is_known or same_numbers(here.convention, there.convention):
        return NONE
    fix = layer_between(here.convention, there.convention, layout, now.num_channels)
    words = f"fed {in_words(here.convention)}, the reference is {in_words(there.convention)}"
    scale, offset = np.asarray(fix.scale), np.asarray(fix.offset)
    line = f"x = {affine('x', scale, offset, layout == 'channels_first')}"
    return Corrections({name: fix}, words, line)

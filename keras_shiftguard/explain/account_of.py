"""`account_of`: the account of a gap against a reference that the user names."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_shiftguard.account.account import Logged, account
from keras_shiftguard.account.likelihoods import Classes
from keras_shiftguard.account.report import GapReport
from keras_shiftguard.account.rival import Rival, Undoing
from keras_shiftguard.account.samples import Case, Half
from keras_shiftguard.explain.model_facts import ModelFacts
from keras_shiftguard.explain.predictions import predict
from keras_shiftguard.explain.reference import Reference
from keras_shiftguard.explain.removable.removable import find_removable
from keras_shiftguard.explain.removable.views import SIZE, Removable
from keras_shiftguard.explain.samples import Samples
from keras_shiftguard.instrument.measure import profile_of
from keras_shiftguard.instrument.model_inputs import specs_of
from keras_shiftguard.statistics.rows import Rows

# The entry of the inputs that holds the position of each sample, for causes that need the file.
POSITION = "position of the sample"
# Of accuracy: what costs less is no cause. A convention, that of `ShiftGuard`.
TOLERANCE = 0.01


def account_of(
    model: keras.Model,
    samples: Samples,
    facts: ModelFacts,
    reference: Reference,
    share: float | None,
) -> GapReport:
    """Returns the account of labelled samples against a reference, see `explain_gap`.

    `share` is the number of independent samples divided by their number; None if it is not known.
    """
    views = find_removable(model, samples, facts, reference)
    assert samples.labels is not None
    order = np.random.default_rng(0).permutation(len(samples))
    is_plain = len(samples.inputs) == 1 and not any(c.cause == SIZE for c in views.causes)

    def run(x: Any, y: Any = None) -> np.ndarray:
        inputs = dict(x.tree) if isinstance(x, Rows) else {next(iter(samples.inputs)): x}
        inputs.pop(POSITION, None)
        return np.asarray(predict(model, [samples.packed(inputs)]).probabilities, "float64")

    def half(of: Samples, which: np.ndarray, known: np.ndarray | None) -> Half:
        inputs = {name: x[which] for name, x in of.inputs.items()}
        x: Any = next(iter(inputs.values())) if is_plain else Rows({**inputs, POSITION: which})
        labels = of.labels
        assert labels is not None
        return Half(run, x, labels[which], known)

    fed = predict(model, (samples.packed(x) for _, x in samples.chunks()))
    here = half(samples, order, fed.probabilities[order].astype("float64"))
    there = None
    if reference.samples is not None and reference.predictions is not None:
        which = np.random.default_rng(1).permutation(len(reference.samples))
        known = reference.predictions.probabilities[which].astype("float64")
        if reference.samples.inputs.keys() == samples.inputs.keys():
            there = half(reference.samples, which, known)
    summary = profile_of([({k: v[:32] for k, v in samples.inputs.items()}, None)], details=False)
    shapes = {name: (None, *x.shape[1:]) for name, x in samples.inputs.items()}
    specs = [
        replace(spec, columns=samples.columns.get(spec.name, ()))
        for spec in specs_of(shapes, model)
        if spec.name in summary.inputs
    ]
    measured = float(fed.right(samples.labels).mean())
    case = Case(
        Classes(reference.counts),
        here,
        there,
        specs,
        share=1.0 if share is None else share,
        tolerance=TOLERANCE,
        more=[_rival(cause, next(iter(samples.inputs))) for cause in views.causes],
    )
    accuracy = reference.accuracy
    if accuracy is None:
        removed = frozenset(cause.cause for cause in views.causes)
        accuracy = float(predict(model, views.packed(removed)).right(samples.labels).mean())
    logged = Logged(
        accuracy, measured, reference.num_samples, len(samples), reference.name, "the data"
    )
    report = account(case, logged)
    notes = [*report.notes, *views.notes]
    if share is not None:
        notes.append(f"The intervals are those of {round(share * len(samples)):,} groups.")
    if samples.total > len(samples):
        notes.append(f"{len(samples):,} of {samples.total:,} samples were evaluated.")
    return replace(report, notes=tuple(notes))


WORDS = {
    "preprocessing": "{{data}} has wrong preprocessing ({detail})",
    "channel order": "{{data}} has red and blue swapped",
    "column order": "{{data}} has its columns in another order ({detail})",
    SIZE: "{{data}} has another resolution or crop ({detail})",
}


def _rival(cause: Removable, name: str) -> Rival:
    """Returns a cause that a model or raw files show as a rival."""
    undo = cause.undo
    assert undo is not None

    def apply(half: Half) -> Half:
        if isinstance(half.x, Rows):
            inputs = dict(half.x.tree)
            which = inputs.pop(POSITION, None)
            return half.with_x(Rows({**undo(inputs, which), **_kept(which)}))
        return half.with_x(undo({name: half.x}, slice(None))[name])

    words = WORDS.get(cause.cause, "{{data}}: " + cause.cause).format(detail=cause.detail)
    undoing = Undoing(apply, cause.cause, (cause.cause, None), words, cause.repair or None)
    return Rival("input", cause.cause, cause.cause, lambda _: undoing)


def _kept(which: Any) -> dict[str, Any]:
    return {} if which is None else {POSITION: which}

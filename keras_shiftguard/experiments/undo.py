"""Undo: the operation that makes labels likeliest on one half, and what it gains on the other.

This is the experiment behind an alarm. Each half of the labelled samples chooses an operation,
and the other half counts how many more of its predictions are right. So no sample judges an
operation that it chose. Before and after are the same samples and the same weights, so neither
augmentation nor memorised training samples can move the result.

Training samples are the control group. If the same operation makes their predictions right as
well, the model does better on changed samples of any kind, as one does that has learned little yet.
That part of the gain says nothing about validation, and is subtracted. The control group counts
with the class mix of validation.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_shiftguard.experiments.candidates import Candidate
from keras_shiftguard.experiments.class_mix import rows_of_like_labels
from keras_shiftguard.experiments.halves import halves
from keras_shiftguard.experiments.halving import best, stages
from keras_shiftguard.experiments.judge import Judge
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.experiments.promise import Promise, promised
from keras_shiftguard.statistics.kept_samples import MAX_SAMPLES
from keras_shiftguard.statistics.rows import joined

# A second operation follows the first one only if it makes the labels likelier by this much, in
# nats a sample. A convention: half as much hardly changes a prediction.
MIN_SECOND = 0.02
# What changes nothing, such as another order of a single column, makes labels likelier by rounding
# alone. Given by float32.
ROUNDING = 1e-5


def undo(
    predict: Predict,
    x: Any,
    labels: Any,
    candidates: Sequence[Candidate],
    judge: Judge,
    most: int = 1,
    seed: int = 0,
    control: Labelled | None = None,
) -> Promise:
    """Returns what undoing the difference of labelled samples promises.

    Args:
        predict: Runs the model in inference mode.
        x: Samples as the model is fed them, `(samples, ...)`, or `Rows` of several inputs.
        labels: Their labels, `(samples,)`, or `Rows`.
        candidates: The operations to try.
        judge: How predictions are judged.
        most: Largest number of operations that follow one another.
        seed: Divides the samples into halves.
        control: Samples of training, with labels; None if there are none.
    """
    outputs = predict(x)
    before, likelihood = judge.worth(outputs, labels), judge.likelihood(outputs, labels)
    both = halves(len(x), seed)
    after = before.copy()
    chains: list[list[Candidate]] = []
    firsts = _first_stages(predict, x, labels, candidates, judge, both)
    for (choosing, counting), first in zip((both, both[::-1]), firsts, strict=True):
        chain = _chain(predict, x, labels, candidates, judge, likelihood, choosing, most, first)
        chains.append(chain)
        if chain:
            changed = predict(applied(chain, x[counting]))
            after[counting] = judge.worth(changed, moved(chain, labels[counting]))
    unit = judge.unit(before)
    rivals = [_rival(chain) for chain in chains]
    if rivals != chains:
        simpler = after.copy()
        for counting, chain in zip(both[::-1], rivals, strict=True):
            if chain:
                changed = predict(applied(chain, x[counting]))
                simpler[counting] = judge.worth(changed, moved(chain, labels[counting]))
        if promised(simpler, after, unit, judge.metric, ()).interval[0] <= 0:
            after, chains = simpler, rivals
    choices = tuple(tuple(candidate.choice for candidate in chain) for chain in chains)
    promise = promised(before, after, unit, judge.metric, choices)
    if control is None or not len(control.labels) or not promise.is_alarm(0.0):
        return promise
    return promise.beyond(_gain_of(control, predict, chains, judge, labels))


def _rival(chain: list[Candidate]) -> list[Candidate]:
    """Returns the simpler operations that are told unless a chain surely wins more.

    Of two operations, this is the second one: the first was chosen when nothing else was undone.
    """
    return chain[1:] if len(chain) > 1 else [candidate.rival or candidate for candidate in chain]


def _gain_of(
    control: Labelled,
    predict: Predict,
    chains: Sequence[Sequence[Candidate]],
    judge: Judge,
    labels: Any,
) -> Promise:
    """Returns what the operations of both halves gain on the control group, in the mean.

    Its samples count as if their labels were distributed like those of validation. Where all of
    these are of one class, whatever makes the model prefer that class wins something.
    """
    before = judge.worth(predict(control.images), control.labels)
    after: list[np.ndarray] = []
    for i, chain in enumerate(chains):
        if chain in chains[:i]:
            after.append(after[chains.index(chain)])
        else:
            changed = applied(chain, control.images)
            after.append(judge.worth(predict(changed), moved(chain, control.labels)))
    rows = rows_of_like_labels(labels, control.labels)
    before, mean = before[rows], np.mean(after, axis=0)[rows]
    return promised(before, mean, judge.unit(before), judge.metric, ())


def _first_stages(
    predict: Predict,
    x: Any,
    labels: Any,
    candidates: Sequence[Candidate],
    judge: Judge,
    both: Sequence[np.ndarray],
) -> list[np.ndarray]:
    """Returns the likelihoods of the first samples of each half, `(candidates, samples)` each.

    Each operation changes the samples of both halves in one call: with so few samples, most of the
    time goes into calling it.
    """
    rows = [choosing[: stages(len(choosing))[0][0]] for choosing in both]
    together = np.concatenate(rows)
    chains = [[candidate] for candidate in candidates]
    found = _likelihoods(predict, x[together], labels[together], chains, judge)
    return np.split(found, [len(rows[0])], axis=1)


def _chain(
    predict: Predict,
    x: Any,
    labels: Any,
    candidates: Sequence[Candidate],
    judge: Judge,
    likelihood: np.ndarray,
    choosing: np.ndarray,
    most: int,
    first: np.ndarray,
) -> list[Candidate]:
    """Returns the operations that make the labels of some rows likeliest, one after another.

    `first` are the likelihoods of `_first_stages`.
    """
    chain: list[Candidate] = []
    reached = float(likelihood[choosing].mean())
    for step in range(most):
        # Operations of a family that was used already would only change its strength.
        used = {candidate.choice.family for candidate in chain}
        left = [c for c in candidates if c.choice.family not in used]
        if not left:
            break

        tried = [[*chain, candidate] for candidate in left]

        def judged(which: Sequence[int], rows: np.ndarray, tried: Any = tried) -> np.ndarray:
            chains = [tried[i] for i in which]
            return _likelihoods(predict, x[rows], labels[rows], chains, judge)

        index, found = best(judged, len(left), choosing, None if step else first)
        if found <= reached + (MIN_SECOND if step else ROUNDING):
            break
        chain.append(left[index])
        reached = found
    return chain


def _likelihoods(
    predict: Predict, x: Any, labels: Any, chains: Sequence[Sequence[Candidate]], judge: Judge
) -> np.ndarray:
    """Returns the likelihoods of labels after each of some chains, `(chains, samples)`.

    Few samples of many chains are predicted together, because a call of the model that is not
    compiled takes some milliseconds, however few the samples are.
    """
    found = []
    # In memory together are half as many changed samples as the guard keeps of a stream.
    together = max(MAX_SAMPLES // 2 // len(x), 1)
    for start in range(0, len(chains), together):
        group = chains[start : start + together]
        changed = joined([applied(chain, x) for chain in group])
        of_all = joined([moved(chain, labels) for chain in group])
        found.append(judge.likelihood(predict(changed), of_all).reshape(len(group), len(x)))
    return np.concatenate(found)


def applied(chain: Sequence[Candidate], x: Any) -> Any:
    """Returns samples as operations leave them, one after another."""
    for candidate in chain:
        x = candidate.apply(x)
    return x


def moved(chain: Sequence[Candidate], labels: Any) -> Any:
    """Returns labels as the operations leave them: masks move with their images."""
    for candidate in chain:
        labels = labels if candidate.moves is None else candidate.moves(labels)
    return labels

"""Undo: the operation that makes labels likeliest on one half, and what it gains on the other.

This is the experiment behind an alarm. Each half of the labelled samples chooses an operation,
and the other half counts how many more of its predictions are right. So no sample judges an
operation that it chose. Before and after are the same samples and the same weights, so neither
augmentation nor memorised training samples can move the result.

How many more predictions are right is the promise. How much likelier the labels become shows, with
fewer samples, that it is no chance: a prediction that was wrong by far and is nearly right counts.

Training samples are the control group. If the same operation makes their predictions right as
well, the model does better on changed samples of any kind, as one does that has learned little yet.
That part of the gain says nothing about validation, and is subtracted. The control group counts
with the class mix of validation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_shiftguard.detection.cost import Cost, cost_of
from keras_shiftguard.experiments.candidates.candidates import Candidate, Choice
from keras_shiftguard.experiments.halving import best, halves, stages
from keras_shiftguard.experiments.judge import Judge
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.experiments.labels.class_mix import rows_of_like_labels
from keras_shiftguard.statistics.kept_samples import MAX_SAMPLES
from keras_shiftguard.statistics.rows import joined

# A second operation follows the first one only if it makes the labels likelier by this much, in
# nats a sample. A convention: half as much hardly changes a prediction.
MIN_SECOND = 0.02
# What changes nothing, such as another order of a single column, makes labels likelier by rounding
# alone. Given by float32.
ROUNDING = 1e-5

# A cause explains a loss if undoing it wins back this share of the loss. A convention.
MIN_WON_BACK = 0.5

Chain = Sequence[Candidate]  # operations that follow one another


@dataclass(frozen=True)
class Promise:
    """A gain that was measured on the same samples before and after an operation."""

    cost: Cost  # the gain: what the samples cost as they are
    # The operations that each half of the samples chose, one after another.
    choices: tuple[tuple[Choice, ...], ...]
    after: np.ndarray  # worth of each sample after the operation, `(samples,)`

    @property
    def family(self) -> str:
        """The family on which both halves agree, the first of several; "" if they do not agree."""
        chosen = {frozenset(choice.family for choice in chain) for chain in self.choices}
        return self.choices[0][0].family if len(chosen) == 1 and any(chosen) else ""

    def is_alarm(self, tolerance: float) -> bool:
        """Whether the gain is above `tolerance`, its interval above 0, and both halves agree."""
        return bool(self.family) and self.cost.is_costly(tolerance)


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
    trial = _Trial(predict, judge, x, labels)
    before = trial.judged()
    both = halves(len(x), seed)
    chains = trial.chains(candidates, before[1], both, most)
    after = trial.repaired(before, chains, both)
    rivals = [_rival(chain) for chain in chains]
    if rivals != chains:
        simpler = trial.repaired(before, rivals, both)
        unit = judge.unit(before[0])
        if cost_of(after[0], simpler[0], unit, judge.metric).interval[0] <= 0:
            after, chains = simpler, rivals
    choices = tuple(tuple(candidate.choice for candidate in chain) for chain in chains)
    gain = trial.gain(after, before)
    promise = Promise(replace(gain[0], likelier=gain[1].sigmas), choices, after[0])
    if control is None or not len(control.labels) or not promise.is_alarm(0.0):
        return promise
    of_training = _Trial(predict, judge, control.images, control.labels)
    pairs = zip(gain, of_training.mean_gain(chains, labels), strict=True)
    cost, likelihood = (beyond(*pair) for pair in pairs)
    return replace(promise, cost=replace(cost, likelier=likelihood.sigmas))


def beyond(gain: Cost, control: Cost) -> Cost:
    """Returns a gain minus that of the control group, if theirs is above 0."""
    if control.value <= 0:
        return gain
    value = gain.value - control.value
    errors = gain.value - gain.interval[0], control.value - control.interval[0]
    error = float(np.hypot(*errors))
    return replace(gain, value=value, interval=(value - error, value + error))


def _rival(chain: list[Candidate]) -> list[Candidate]:
    """Returns the simpler operations that are told unless a chain surely wins more.

    Of two operations, this is the second one: the first was chosen when nothing else was undone.
    """
    return chain[1:] if len(chain) > 1 else [candidate.rival or candidate for candidate in chain]


@dataclass(frozen=True)
class _Trial:
    """Labelled samples on which operations are tried."""

    predict: Predict
    judge: Judge
    x: Any
    labels: Any

    def judged(self, chain: Chain = (), rows: Any = None) -> np.ndarray:
        """Returns worth and likelihood of some samples after operations, `(2, samples)`."""
        x, labels = (each if rows is None else each[rows] for each in (self.x, self.labels))
        outputs, labels = self.predict(applied(chain, x)), moved(chain, labels)
        return np.stack(self.judge.both(outputs, labels))

    def repaired(
        self, before: np.ndarray, chains: Sequence[Chain], both: Sequence[np.ndarray]
    ) -> np.ndarray:
        """Returns worth and likelihood of the samples after what the other half of them chose."""
        after = before.copy()
        for chain, counting in zip(chains, both[::-1], strict=True):
            if chain:
                after[:, counting] = self.judged(chain, counting)
        return after

    def gain(self, after: np.ndarray, before: np.ndarray) -> tuple[Cost, Cost]:
        """Returns what is gained of worth and of likelihood, which are `(2, samples)` each."""
        unit, metric = self.judge.unit(before[0]), self.judge.metric
        return cost_of(after[0], before[0], unit, metric), cost_of(after[1], before[1])

    def mean_gain(self, chains: Sequence[Chain], labels: Any) -> tuple[Cost, Cost]:
        """Returns what the operations of both halves gain on these samples, in the mean, as `gain`.

        The samples count as if their labels were distributed like `labels`, those of validation.
        Where all of these are of one class, whatever makes the model prefer that class wins
        something.
        """
        before = self.judged()
        after = [self.judged(chains[0])]
        after.append(after[0] if chains[1] == chains[0] else self.judged(chains[1]))
        rows = rows_of_like_labels(labels, self.labels)
        return self.gain(np.mean(after, axis=0)[:, rows], before[:, rows])

    def chains(
        self,
        candidates: Sequence[Candidate],
        likelihood: np.ndarray,
        both: Sequence[np.ndarray],
        most: int,
    ) -> list[list[Candidate]]:
        """Returns the operations that make the labels of each half likelier than they are."""
        # Each operation changes the first samples of both halves in one call: with so few samples,
        # most of the time goes into calling it.
        rows = [choosing[: stages(len(choosing))[0][0]] for choosing in both]
        found = self._likelihoods([[each] for each in candidates], np.concatenate(rows))
        firsts = np.split(found, [len(rows[0])], axis=1)
        return [
            self._chain(candidates, float(likelihood[choosing].mean()), choosing, most, first)
            for choosing, first in zip(both, firsts, strict=True)
        ]

    def _chain(
        self,
        candidates: Sequence[Candidate],
        reached: float,
        choosing: np.ndarray,
        most: int,
        first: np.ndarray,
    ) -> list[Candidate]:
        """Returns the operations that make the labels of some rows likeliest, one after another.

        `reached` is their mean likelihood as they are, and `first` that of the first rows after
        each operation, `(candidates, samples)`.
        """
        chain: list[Candidate] = []
        for step in range(most):
            # Operations of a family that was used already would only change its strength.
            used = {candidate.choice.family for candidate in chain}
            left = [c for c in candidates if c.choice.family not in used]
            if not left:
                break
            tried = [[*chain, candidate] for candidate in left]

            def judged(which: Sequence[int], rows: np.ndarray, tried: Any = tried) -> np.ndarray:
                return self._likelihoods([tried[i] for i in which], rows)

            index, found = best(judged, len(left), choosing, None if step else first)
            if found <= reached + (MIN_SECOND if step else ROUNDING):
                break
            chain.append(left[index])
            reached = found
        return chain

    def _likelihoods(self, chains: Sequence[Chain], rows: np.ndarray) -> np.ndarray:
        """Returns the likelihoods of labels after each of some chains, `(chains, samples)`.

        Few samples of many chains are predicted together, because a call of the model that is not
        compiled takes some milliseconds, however few the samples are.
        """
        x, labels, found = self.x[rows], self.labels[rows], []
        # In memory together are half as many changed samples as the guard keeps of a stream.
        together = max(MAX_SAMPLES // 2 // len(x), 1)
        for start in range(0, len(chains), together):
            group = chains[start : start + together]
            outputs = self.predict(joined([applied(chain, x) for chain in group]))
            of_all = joined([moved(chain, labels) for chain in group])
            found.append(self.judge.likelihood(outputs, of_all).reshape(len(group), len(x)))
        return np.concatenate(found)


def applied(chain: Chain, x: Any) -> Any:
    """Returns samples as operations leave them, one after another."""
    for candidate in chain:
        x = candidate.apply(x)
    return x


def moved(chain: Chain, labels: Any) -> Any:
    """Returns labels as the operations leave them: masks move with their images."""
    for candidate in chain:
        labels = labels if candidate.moves is None else candidate.moves(labels)
    return labels

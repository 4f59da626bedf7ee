"""`Cost`: the accuracy that a difference costs, and whether the cost is an alarm."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

# Standard errors to each side, for an interval of 95 %. Given by the normal distribution.
SIGMAS = 1.96
# Smallest distance of a cost from the tolerance, in the formula for the number of samples needed. A
# convention.
FINEST = 0.001
MANY = 100  # so many times the samples are not worth a number. A convention.
ACCURACY = "accuracy"
# Labelled samples of each stream that the measurement of a cost needs. A convention.
MIN_SAMPLES = 100


@dataclass(frozen=True)
class Cost:
    """Loss of accuracy that a difference between two streams causes.

    Args:
        value: The share of accuracy that is lost: 0.02 is two points. Below 0 if the model does
            better with the difference than without it.
        interval: 95 % interval of the value.
        num_samples: Number of labeled samples on which the cost was measured.
        repair: What wins the accuracy back, as the arguments of `operations.repair.Repair`; None
            if nothing does, or only the way to lose it is known.
        unexplained: The share of accuracy by which the model is surely better on the other stream,
            although nothing that was tried wins it back, without the value; 0 if it is not.
        is_hidden: Whether there are too few samples to measure the cost, so it may be anything.
        is_untried: Whether no operation is known that could repair samples of this kind, so the
            cost may be anything.
        follows: Whether another finding on the same samples names the cause, and has the cost.
        metric: Name of what is lost: `"accuracy"`, or the name of a loss. The value is then the
            share of the loss that is won back.
        is_new: Whether only the latest measurement has this cost. A model that has learned little
            does better on changed samples for a while, so such a cost is no alarm yet.
        beside: The first compiled metric on the same samples: its name, its value as they are, and
            with the repair; None if there is no such metric, or no repair.
        is_meant: Whether training is augmented, so that a difference is no evidence of a fault, and
            neither does a repair win more than the tolerance nor is the model surely worse.
        num_kept: Number of samples on which it could have been measured if there had been time; 0
            if it was measured on all.
        likelier: Gain in likelihood of labels without it, in standard errors; 0 if not measured.
    """

    value: float
    interval: tuple[float, float]
    num_samples: int
    repair: Mapping[str, Any] | None = None
    unexplained: float = 0.0
    is_hidden: bool = False
    is_untried: bool = False
    follows: bool = False
    is_new: bool = False
    metric: str = ACCURACY
    beside: tuple[str, float, float] | None = None
    is_meant: bool = False
    num_kept: int = 0
    likelier: float = 0.0

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Cost":
        """Returns the cost that has these fields, the result of `vars`."""
        beside = fields.get("beside")
        pairs = {"interval": tuple(fields["interval"]), "beside": beside and tuple(beside)}
        return cls(**{**fields, **pairs})

    @property
    def sigmas(self) -> float:
        """The value in standard errors."""
        return SIGMAS * self.value / max(self.value - self.interval[0], 1e-12)

    @property
    def bounds(self) -> tuple[float, float]:
        """The interval that is told: its upper end includes what nothing that was tried explains.

        A repair may win back only a part of what its difference costs: a recording at half the rate
        has lost its high notes for good.
        """
        return self.interval[0], self.interval[1] + self.unexplained

    @property
    def is_sure(self) -> bool:
        """Whether the value, or the likelihood of labels, rises by more than 3 standard errors."""
        return max(self.sigmas, self.likelier) > 3

    def at_most(self, bound: "Cost") -> "Cost":
        """Returns the cost limited to an upper bound: the value, and the ends of its interval."""
        low, high = self.interval
        excess = max(self.value - bound.value, 0.0)
        high = min(high, max(bound.interval[1], self.value - excess))
        return replace(self, value=self.value - excess, interval=(low - excess, high))

    def of_dependent(self, share: float) -> "Cost":
        """Returns the cost with a wider interval, for samples that depend on each other.

        Args:
            share: Number of independent samples divided by the number of samples, in (0, 1].
        """
        low, high = (self.value + (end - self.value) / share**0.5 for end in self.interval)
        number, likelier = max(round(share * self.num_samples), 1), self.likelier * share**0.5
        return replace(self, interval=(low, high), num_samples=number, likelier=likelier)

    def is_alarm(self, tolerance: float) -> bool:
        """Whether the value is above `tolerance`, and its whole interval above 0."""
        return not self.is_new and self.is_costly(tolerance)

    def is_costly(self, tolerance: float) -> bool:
        """Whether the value is above `tolerance`, and its whole interval above 0, this time."""
        return self.is_measured and self.value > tolerance and self.interval[0] > 0

    @property
    def is_measured(self) -> bool:
        """Whether an experiment was made."""
        return not (self.is_hidden or self.is_untried or self.follows)

    def is_harmless(self, tolerance: float) -> bool:
        """Whether the samples exclude a cost above `tolerance`."""
        return self.is_measured and not self.unexplained and self.interval[1] <= tolerance

    def _needed(self, tolerance: float) -> float:
        """Returns the number of samples with which an unclear cost would become clear.

        If the value is above `tolerance`, the interval must be above 0; else it must be below
        `tolerance`. Half of the error needs four times the samples.
        """
        low, high = self.interval
        if self.value > tolerance:
            error, margin = self.value - low, self.value
        else:
            error, margin = high - self.value, max(tolerance - self.value, FINEST)
        return self.num_samples * (max(error, 0.0) / margin) ** 2

    def in_words(self, tolerance: float) -> str:
        """Returns the cost as the end of a sentence: in points of accuracy, or % of the loss."""
        low, high = (100 * bound for bound in self.interval)
        unit = unit_of(self.metric)
        if self.follows:
            return "no cost of its own: another finding or note explains it"
        if self.is_hidden and self.num_kept:
            return "cost unclear: there was no time to measure it"
        if self.is_hidden:
            least = _rounded(_least(tolerance))
            return f"cost unclear: too few samples; about {least} labelled samples would tell"
        lost = f"{100 * self.unexplained:.0f} points less accuracy than on training"
        if self.metric != ACCURACY:
            lost = f"{100 * self.unexplained:.0f}{unit} more than on training"
        if self.is_untried:
            more = f"; {lost}" if self.unexplained else ""
            return f"cost unclear: no repair is known that could be tried on such samples{more}"
        if self.is_alarm(tolerance):
            words = cost_in_words(self.value, self.bounds, self.metric)
            rest = f"; repaired, {lost}"
            return f"{words}{beside_in_words(self.beside)}{rest if self.unexplained else ''}"
        if self.is_costly(tolerance):
            won = f"the best repair tried wins {low:.1f} to {high:.1f}{unit}, measured once"
            return f"cost unclear: {won}; an alarm needs a surer measurement, or two that agree"
        if self.unexplained:
            return f"cost unclear: {lost}, and no repair that was tried wins them back"
        if self.interval[1] > tolerance:
            needed = self._needed(tolerance)
            enough = f"about {_rounded(needed)} labelled samples would tell"
            if needed > MANY * self.num_samples:
                enough = "far more labelled samples would be needed to tell"
            if self.num_kept:
                enough = f"there was time for {self.num_samples:,} of {self.num_kept:,} samples"
            gain = f"{low:.1f} to {high:.1f}" if low >= 0 else f"at most {high:.1f}"
            return f"cost unclear: the best repair tried wins {gain}{unit}; {enough}"
        if high <= 0:
            return "costs no accuracy" if self.metric == ACCURACY else "costs nothing"
        if self.metric != ACCURACY:
            return f"causes {high:.1f}{unit} at most"
        return f"costs {max(100 * self.value, 0.0):.1f}{unit} ({high:.1f} points at most)"


def cost_in_words(
    value: float, interval: tuple[float, float] | None, metric: str = ACCURACY, about: str = "about"
) -> str:
    """Returns a measured cost with its interval, which must not look like two accuracies.

    >>> cost_in_words(0.12, (0.08, 0.16))
    'costs about 12.0 points of accuracy (between 8.0 and 16.0 points)'
    >>> cost_in_words(0.78, (0.553, 1.01), "mse")
    'causes about 78 % of the loss (mse), between 55 and 100 %'
    """
    low, high = (100 * end for end in interval or (0.0, 0.0))
    size = f"{about} {100 * value:.{int(metric == ACCURACY)}f}{unit_of(metric)}".strip()
    if metric != ACCURACY:
        return f"causes {size}, between {low:.0f} and {min(high, 100.0):.0f} %"
    return f"costs {size}" + (f" (between {low:.1f} and {high:.1f} points)" if interval else "")


def unit_of(metric: str) -> str:
    """Returns the unit of a cost, to follow its hundredfold.

    >>> unit_of("accuracy"), unit_of("mean_squared_error")
    (' points of accuracy', ' % of the loss (mean_squared_error)')
    """
    if metric == ACCURACY:
        return " points of accuracy"
    return " % of the loss" if metric == "loss" else f" % of the loss ({metric})"


def beside_in_words(beside: tuple[str, float, float] | None) -> str:
    """Returns what a compiled metric is as it is and repaired, as the end of a sentence.

    >>> beside_in_words(("recall", 0.125, 0.931))
    '; recall is 0.125 now, and 0.931 when repaired'
    """
    if beside is None:
        return ""
    name, now, repaired = beside
    return f"; {name} is {now:.3g} now, and {repaired:.3g} when repaired"


def cost_of_too_few(num_samples: int, metric: str = ACCURACY) -> Cost:
    """Returns the cost of a difference for which there are only so many labelled samples."""
    return Cost(0.0, (-1.0, 1.0), num_samples, is_hidden=True, metric=metric)


def cost_of(
    before: np.ndarray, after: np.ndarray, unit: float = 1.0, metric: str = ACCURACY
) -> Cost:
    """Returns the cost of a difference, measured on the same samples without and with it.

    Args:
        before: Worth of each prediction without the difference, `(samples,)`, see
            `experiments.judge`: 1 where it is right, else 0; or minus its loss.
        after: The same with the difference.
        unit: The loss of worth that counts as 1.
        metric: Name of what is lost.
    """
    lost = (np.asarray(before, "float64") - np.asarray(after, "float64")) / unit
    n = len(lost)
    # One lost and one gained sample are added. Otherwise the interval would be empty if no
    # prediction changed.
    error = float(np.sqrt((np.square(lost - lost.mean()).sum() + 2) / n / n))
    value = float(lost.mean())
    return Cost(value, (value - SIGMAS * error, value + SIGMAS * error), n, metric=metric)


def gap_between(
    reference: np.ndarray,
    current: np.ndarray,
    reference_labels: np.ndarray,
    current_labels: np.ndarray,
) -> Cost:
    """Returns the difference of the accuracies of two sets of samples.

    The classes of the reference are weighted as frequent as in the current samples, so that other
    class frequencies alone make no difference. Current samples of classes that the reference lacks
    are left out, unless no other is there. This is no cost: augmentation makes training harder, and
    a model may know training samples by heart.

    Args:
        reference: 1 where the prediction is right, else 0, `(samples,)`.
        current: The same for the current samples.
        reference_labels: Class ids, `(samples,)`.
        current_labels: Class ids of the current samples.
    """
    is_known = np.isin(current_labels, reference_labels)
    if is_known.any():
        current, current_labels = current[is_known], current_labels[is_known]
    weights = _weights_for(reference_labels, current_labels)
    before, after = float(weights @ reference), float(current.mean())
    sizes = float(1 / np.square(weights).sum()), len(current)  # the former is an effective size
    squared = [
        max(rate * (1 - rate), 1 / n) / n for rate, n in zip((before, after), sizes, strict=True)
    ]
    error = float(np.sqrt(sum(squared)))
    value = round(before - after, 12)  # 0 for equal rates, without rounding errors
    interval = value - SIGMAS * error, value + SIGMAS * error
    return Cost(value, interval, int(min(sizes)))


def _weights_for(labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns a weight for each sample, so that its classes are as frequent as in `others`.

    The weights sum to 1. All weights are equal if the two have no class in common.
    """
    number = int(max(labels.max(), others.max())) + 1
    have, want = (np.bincount(ids, minlength=number) for ids in (labels, others))
    weights = (want / np.maximum(have, 1))[labels]
    weights = weights if weights.any() else np.ones(len(labels))
    return np.asarray(weights / weights.sum())


def _least(tolerance: float) -> float:
    """Returns the number of samples that show, by `cost_of`, that nothing is lost."""
    return max(SIGMAS * 2**0.5 / max(tolerance, FINEST), MIN_SAMPLES)


def _rounded(number: float) -> str:
    """Formats a number of samples, rounded up to two digits."""
    digits = max(10 ** (len(str(int(number))) - 2), 1)
    return f"{int(-(-number // digits) * digits):,}"

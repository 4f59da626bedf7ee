"""Many tests in one look, one false-alarm rate for all of them.

Tests come in families (the features of an input, its embedding, the labels) and
each family gets a share of the rate, divided among its members. Weighted Holm
then says which members differ. Whether anything does is asked of all of them
together: Simes within a family, Cauchy's combination over families, which is
sharper than the smallest p-value where several families each differ a little,
and holds under the strong dependence that tests of the same samples have
(measured in `examples/benchmarks/detection_calibration.py`).

Reference: Holm, Scandinavian Journal of Statistics 1979; Simes, Biometrika 1986;
Liu and Xie, "Cauchy combination test", JASA 2020.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.two_sample.tail_probabilities import SMALLEST_P, Floats

LARGEST = 0.95  # p-value that enters the combination
# What each family gets of the level, before division by the sum of those there.
PRIOR = {
    "features": 0.30,
    "embedding": 0.20,
    "missing": 0.05,
    "tokens": 0.10,
    "labels": 0.20,
    "outputs": 0.25,
    "predicted": 0.20,
    "layer": 0.20,
}


@dataclass(frozen=True)
class Family:
    """Tests that share a part of the level.

    Args:
        role: Key of `PRIOR`.
        source: What was tested: an input's name, `"labels"`, `"outputs"`.
        p_values: `(k,)`, at least one.
        finding: Makes the finding of member i.
        num_untold: So many members at the end cannot differ: they count in the
            correction, but there is nothing to tell of them.
    """

    role: str
    source: str
    p_values: Floats
    finding: Callable[[int], Finding]
    num_untold: int = 0

    def all_findings(self) -> list[Finding]:
        """What every test found, significant or not."""
        return [self.finding(i) for i in range(len(self.p_values) - self.num_untold)]


def holm(p_values: Floats, weights: Floats, level: float) -> np.ndarray:
    """Which hypotheses fall, with the family-wise error at most `level`.

    Args:
        p_values: `(k,)`.
        weights: Shares of the level, positive, `(k,)`; any sum.
        level: Family-wise error rate.

    Returns:
        Boolean, `(k,)`.
    """
    order = np.argsort(p_values / weights, kind="stable")
    remaining = np.cumsum(weights[order][::-1])[::-1]
    falls = p_values[order] * remaining <= level * weights[order]
    rejected = np.zeros(len(p_values), bool)
    rejected[order] = np.logical_and.accumulate(falls)
    return rejected


def simes(p_values: Floats) -> float:
    """P-value of "none of them differs"."""
    k = len(p_values)
    return float(np.min(np.sort(p_values) * k / np.arange(1, k + 1), initial=1.0))


def global_p(families: Sequence[Floats], shares: Floats) -> float:
    """P-value of "nothing in any family differs".

    Args:
        families: P-values of each family; none of them empty.
        shares: What each family gets of the level; made to add up to 1.
    """
    if not families:
        return 1.0
    shares = shares / shares.sum()
    p = np.array([simes(p) for p in families])
    # A p-value of 1 (discrete, or no evidence) must not outweigh all others.
    score = float(shares @ (1 / np.tan(np.pi * np.clip(p, SMALLEST_P, LARGEST))))
    combined = float(np.arctan2(1.0, score)) / np.pi
    return float(np.clip(combined, SMALLEST_P, 1.0))

"""Multiple testing: one false-alarm rate for all tests of a comparison.

Tests come in families (the features of an input, its embedding, the labels). All families get the
same share of the rate, which is divided among their members. The weighted Holm procedure decides
which members differ, however strongly tests on the same samples depend on each other.

Reference: Holm, Scandinavian Journal of Statistics 1979.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.two_sample.tail_probabilities import Floats


@dataclass(frozen=True)
class Family:
    """Tests that share a part of the level.

    Args:
        role: What is tested: `"features"`, `"embedding"`, `"missing"`, `"labels"` ...
        source: Name of what was tested: an input, `"labels"`, `"outputs"`.
        p_values: P-value of each test (member) of the family, `(k,)`, at least one.
        finding: Function that makes the finding of member number i, from 0.
        num_constant: Number of members at the end that are constant and cannot differ.
            They count in the correction, but have no finding.
    """

    role: str
    source: str
    p_values: Floats
    finding: Callable[[int], Finding]
    num_constant: int = 0

    def all_findings(self) -> list[Finding]:
        """Returns the findings of all tests, significant or not."""
        return [self.finding(i) for i in range(len(self.p_values) - self.num_constant)]


def holm(p_values: Floats, weights: Floats, level: float) -> np.ndarray:
    """Returns which hypotheses are rejected, with a family-wise error rate of at most `level`.

    The weights are positive, with any sum; all arrays are `(k,)`.
    """
    order = np.argsort(p_values / weights, kind="stable")
    remaining = np.cumsum(weights[order][::-1])[::-1]
    passes = p_values[order] * remaining <= level * weights[order]
    rejected = np.zeros(len(p_values), bool)
    rejected[order] = np.logical_and.accumulate(passes)
    return rejected

"""Sequential monitoring: all comparisons ("looks") of one fit, at one false-alarm rate.

The method is alpha spending. Each pair of streams gets an equal share of the rate `alpha`. The
first look at a pair uses half of its share, and look k > 1 uses `1 / (2 k (k - 1))` of the share.
These parts add up to at most the share, however long the fit is. By the union bound, the
probability that any look ever raises a false alarm is at most `alpha`, for any dependence between
looks, streams and features. The first look gets half because a fit mostly repeats its samples:
nearly all the evidence is there at the first look.

A pass over samples that were compared before brings no evidence and spends no alpha: the
findings stay as they are. The exception is a pass in which more of these samples were measured.

Reference: Lan and DeMets, "Discrete Sequential Boundaries for Clinical Trials",
Biometrika 1983 (alpha spending).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from keras_shiftguard.detection.acknowledged import Acknowledgement, acknowledged
from keras_shiftguard.detection.cause import Cause
from keras_shiftguard.detection.causes.same_samples import same_samples
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import NO_COST, Finding, by_severity
from keras_shiftguard.detection.look import Comparison, compare_profiles
from keras_shiftguard.detection.past import with_past
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.profiles import InputProfile

# Part of a pair's share of `alpha` that its first look uses. A convention, checked in
# docs/benchmarks/false-alarms.md.
FIRST_LOOK_SHARE = 0.5


@dataclass
class Pair:
    """State of a pair of streams that are compared again and again.

    Args:
        stream: Name of the stream that may differ.
        against: Name of the stream it is compared with.
        looks: How often they were compared; a repeated pass does not count.
        current: Profile of `stream` at the latest look.
        reference: Profile of `against` at the latest look.
        findings: Findings so far, by feature, as the tests and the checks told them.
        causes: The causes that experiments found, by the feature of the finding.
        significant: All features whose difference was ever significant and not negligible.
        expected: Features whose shift is acknowledged.
        latest: Result of the latest look, with all its tests.
        epoch: Epoch of the latest look, counted from 1; None outside of a fit.
        began: First epoch in which `stream` had its present samples. What is found later was there
            from then on, unless `against` has changed since.
    """

    stream: str
    against: str
    looks: int = 0
    current: InputProfile = field(default_factory=InputProfile)
    reference: InputProfile = field(default_factory=InputProfile)
    findings: dict[str, Finding] = field(default_factory=dict)
    causes: dict[str, Cause] = field(default_factory=dict)
    significant: set[str] = field(default_factory=set)
    expected: frozenset[str] = frozenset()
    latest: Comparison = field(default_factory=Comparison)
    epoch: int | None = None
    began: int | None = None

    @property
    def reported(self) -> dict[str, Finding]:
        """The findings so far, by feature, with their causes."""
        causes = self.causes
        return {k: causes[k].of(f) if k in causes else f for k, f in self.findings.items()}

    @property
    def distinct_share(self) -> float:
        """The share of distinct samples of `stream`, on which costs are measured, in (0, 1]."""
        return self.current.distinct_share


class ShiftMonitor:
    """Compares streams repeatedly during a fit, at one false-alarm rate for the whole fit.

    Args:
        alpha: Probability that a fit without any shift ever raises an alarm.
        pairs: All pairs `(stream, against)` that will be compared.

    Attributes:
        known: Acknowledged shifts, which raise no alarm. More can be added at any time.

    Example:

    >>> monitor = ShiftMonitor(0.05, [("validation", "train")])
    >>> [round(monitor.level(look), 6) for look in (1, 2, 3)]
    [0.025, 0.0125, 0.004167]
    """

    def __init__(self, alpha: float, pairs: Sequence[tuple[str, str]]) -> None:
        self.alpha = alpha
        self._pairs = {pair: Pair(*pair) for pair in pairs}
        self._samples: dict[str, int] = {}
        self.known: list[Acknowledgement] = []

    def level(self, look: int) -> float:
        """Returns the false-alarm rate of a look at a pair; `look` is counted from 1."""
        share = self.alpha / len(self._pairs)
        if look == 1:
            return share * FIRST_LOOK_SHARE
        return share * (1 - FIRST_LOOK_SHARE) / (look * (look - 1))

    def compare(
        self,
        stream: str,
        against: str,
        current: InputProfile,
        reference: InputProfile,
        epoch: int | None = None,
    ) -> list[Finding]:
        """Compares two streams once more.

        Returns the findings that are new with this comparison. `epoch` is the epoch that has ended,
        counted from 1; None outside of a fit.

        Raises:
            KeyError: if the pair was not declared.
        """
        pair = self._pairs[stream, against]
        last, pair.epoch = pair.epoch, epoch
        self._samples.update({stream: current.num_samples, against: reference.num_samples})
        is_same = bool(pair.looks) and same_samples(pair.current, current)
        if not is_same or pair.began is None:
            pair.began = epoch
        if pair.looks:
            repeated = is_same and same_samples(pair.reference, reference)
            if repeated and current.num_measured <= pair.current.num_measured:
                return []
        pair.looks += 1
        pair.current, pair.reference = current, reference
        pair.latest = compare_profiles(
            reference, current, stream=stream, against=against, level=self.level(pair.looks)
        )
        pair.significant |= pair.latest.significant
        new: list[str] = []
        for finding in pair.latest.findings:
            # Findings of earlier looks are never removed, because later looks have a lower level.
            # A finding that is found again gets its latest numbers.
            earlier = pair.findings.get(finding.feature)
            if earlier is None:
                new.append(finding.feature)
                pair.findings[finding.feature] = replace(finding, since=self._began(pair))
            else:
                cost = {name: getattr(earlier, name) for name in NO_COST}
                pair.findings[finding.feature] = replace(finding, since=earlier.since, **cost)
        tested = pair.latest.tested if pair.findings or self.known else []
        pair.findings = with_past(pair.findings, pair.latest.findings, tested, last)
        tests = [acknowledged(test, self.known) for test in tested]
        pair.expected = frozenset({test.feature for test in tests if test.acknowledged})
        return [acknowledged(pair.reported[feature], self.known) for feature in new]

    def price(
        self, stream: str, against: str, costs: Mapping[str, Cost | None], tolerance: float
    ) -> None:
        """Sets the costs of findings; a cost decides whether its finding is an alarm.

        A cost of None is unknown. Findings on other features stay as they are. `tolerance` is the
        share of accuracy that a difference may cost.
        """
        findings = self._pairs[stream, against].findings
        for feature, cost in costs.items():
            if feature in findings:
                findings[feature] = findings[feature].with_cost(cost, tolerance)

    def replace(self, finding: Finding) -> None:
        """Puts a finding of a check in the place of the finding on the same feature."""
        pair = self._pairs[finding.stream, finding.against]
        began = self._began(pair)
        if finding.since is not None and began is not None:
            finding = replace(finding, since=min(finding.since, began))
        pair.findings[finding.feature] = finding

    def take_back(self, stream: str, against: str, features: Mapping[str, bool]) -> None:
        """Takes back findings of a check; what tests found stays.

        `features` tells of each feature whether its finding goes even if it is an alarm.
        """
        pair = self._pairs[stream, against]
        tested = {finding.feature: finding for finding in pair.latest.findings}
        for feature, is_explained in features.items():
            known = pair.findings.get(feature)
            if known is None or (known.matters and not is_explained):
                continue
            if feature in tested:
                pair.findings[feature] = replace(tested[feature], since=known.since)
            else:
                del pair.findings[feature]

    def name(self, stream: str, against: str, causes: Mapping[str, Cause | None]) -> None:
        """Sets the causes of findings, by feature; None takes an earlier one back."""
        pair = self._pairs[stream, against]
        merged = {**pair.causes, **causes}
        pair.causes = {feature: cause for feature, cause in merged.items() if cause is not None}

    def mark_open(self, stream: str, against: str, is_open: bool = True) -> None:
        """Sets `is_question` of the findings of a pair that have no cost and are not certain."""
        pair = self._pairs.get((stream, against), Pair(stream, against))
        for feature, finding in pair.findings.items():
            if not (finding.cost_words or finding.is_certain):
                pair.findings[feature] = replace(finding, is_question=is_open)

    @property
    def pairs(self) -> list["Pair"]:
        """The pairs that were compared so far, for plots."""
        return [pair for pair in self._pairs.values() if pair.looks]

    def severity(self, stream: str) -> float:
        """Returns the largest |effect size| of a stream's findings that matter; 0 if none does."""
        found = (f for f in self._findings() if f.stream == stream and f.matters)
        return max((abs(finding.effect_size) for finding in found), default=0.0)

    def _began(self, pair: Pair) -> int | None:
        """Returns the first epoch in which both streams of a pair were as they are."""
        of_reference = (p for p in self._pairs.values() if p.stream == pair.against)
        changes = (f.since for p in of_reference for f in p.findings.values() if f.since)
        return pair.began and max([pair.began, *changes])

    def _findings(self) -> list[Finding]:
        """Returns all findings so far, with acknowledgements."""
        found = [finding for pair in self._pairs.values() for finding in pair.reported.values()]
        return [acknowledged(finding, self.known) for finding in found]

    def state(self) -> dict[str, Any]:
        """Returns the state that `restore` takes, as a tree for `profiles.storage`."""
        pairs = [
            {
                "stream": pair.stream,
                "against": pair.against,
                "looks": pair.looks,
                "epoch": pair.epoch,
                "began": pair.began,
                "current": pair.current.tree(),
                "reference": pair.reference.tree(),
                "findings": [finding.to_dict() for finding in pair.findings.values()],
                "causes": {name: asdict(cause) for name, cause in pair.causes.items()},
                "significant": sorted(pair.significant),
                "expected": sorted(pair.expected),
            }
            for pair in self.pairs
        ]
        return {"pairs": pairs, "samples": self._samples}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state that `state()` returned; skips pairs that are not declared."""
        self._samples = {name: int(number) for name, number in state["samples"].items()}
        for saved in state["pairs"]:
            pair = self._pairs.get((saved["stream"], saved["against"]))
            if pair is None:
                continue
            pair.looks = int(saved["looks"])
            pair.epoch = saved.get("epoch")
            pair.began = saved.get("began")
            pair.current = InputProfile(**saved["current"])
            pair.reference = InputProfile(**saved["reference"])
            findings = [Finding.from_dict(each) for each in saved["findings"]]
            pair.findings = {finding.feature: finding for finding in findings}
            pair.causes = {name: Cause(**tree) for name, tree in saved.get("causes", {}).items()}
            pair.significant = set(saved["significant"])
            pair.expected = frozenset(saved["expected"])
            # The latest comparison is not saved. It is repeated with the same profiles and level.
            pair.latest = compare_profiles(
                pair.reference,
                pair.current,
                stream=pair.stream,
                against=pair.against,
                level=self.level(pair.looks),
            )

    def report(self, notes: Sequence[str] = ()) -> ShiftReport:
        """Returns the report of all findings so far.

        `notes` are listed before those of the comparisons.
        """
        own = [note for pair in self._pairs.values() for note in pair.latest.notes]
        return ShiftReport(
            findings=by_severity(self._findings()),
            notes=tuple(dict.fromkeys([*notes, *own])),
            alpha=self.alpha,
            num_samples=dict(self._samples),
        )

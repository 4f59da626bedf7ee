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
from dataclasses import dataclass, field, replace
from typing import Any

from keras_shiftguard.detection.acknowledged import Acknowledgement, acknowledged
from keras_shiftguard.detection.causes.same_samples import same_samples
from keras_shiftguard.detection.finding import Finding, by_severity, source_of
from keras_shiftguard.detection.gap_row import GapRow
from keras_shiftguard.detection.look import Comparison, compare_profiles
from keras_shiftguard.detection.past import with_past
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.profiles import InputProfile

# Part of a pair's share of `alpha` that its first look uses. A convention, checked in
# docs/benchmarks/false-alarms.md.
FIRST_LOOK_SHARE = 0.5
# Fields of a finding that the account decides, and a comparison leaves as they are.
OF_ACCOUNT = ("row", "at_most", "harmless", "is_question")


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
    significant: set[str] = field(default_factory=set)
    expected: frozenset[str] = frozenset()
    latest: Comparison = field(default_factory=Comparison)
    epoch: int | None = None
    began: int | None = None

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
                kept = {name: getattr(earlier, name) for name in OF_ACCOUNT}
                pair.findings[finding.feature] = replace(finding, since=earlier.since, **kept)
        tested = pair.latest.tested if pair.findings or self.known else []
        pair.findings = with_past(pair.findings, pair.latest.findings, tested, last)
        tests = [acknowledged(test, self.known) for test in tested]
        pair.expected = frozenset({test.feature for test in tests if test.acknowledged})
        return [acknowledged(pair.findings[feature], self.known) for feature in new]

    def account(self, rows: Sequence[GapRow], at_most: float, tolerance: float) -> None:
        """Gives each finding on validation the row of the account that undoes it, if there is one.

        Args:
            rows: The rows of the account.
            at_most: What a difference without a row can cost.
            tolerance: The share of accuracy that a difference may cost.
        """
        for pair in self._pairs.values():
            if pair.stream != "validation":
                continue
            for feature, finding in pair.findings.items():
                row = next((row for row in rows if row.is_fault and undoes(row, finding)), None)
                pair.findings[feature] = finding.with_row(row, at_most, tolerance)

    def replace(self, finding: Finding) -> None:
        """Puts a finding of a check in the place of the finding on the same feature."""
        pair = self._pairs[finding.stream, finding.against]
        began = self._began(pair)
        if finding.since is not None and began is not None:
            finding = replace(finding, since=min(finding.since, began))
        pair.findings[finding.feature] = finding

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
        found = [finding for pair in self._pairs.values() for finding in pair.findings.values()]
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


def undoes(row: GapRow, finding: Finding) -> bool:
    """Whether a row of the account is about what a finding says differs."""
    if finding.feature.split("/")[0] == "labels":
        return row.kind in ("labels", "class mix")
    is_here = not row.source or f"{finding.feature}/".startswith(f"{source_of(row.source)}/")
    return row.kind == "input" and is_here

"""`ShiftWatch`: comparisons of the streams of a fit with each other after each epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from keras_shiftguard.account.report import GapReport
from keras_shiftguard.callback.checks.check import Told
from keras_shiftguard.callback.independence import Independence
from keras_shiftguard.detection.acknowledged import Acknowledgement
from keras_shiftguard.detection.causes.same_samples import are_near, is_augmented
from keras_shiftguard.detection.finding import RELABELLED, Finding, source_of
from keras_shiftguard.detection.gap_row import GapRow
from keras_shiftguard.detection.monitor import Pair, ShiftMonitor, undoes
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.detection.words.plain_words import plain_sentence
from keras_shiftguard.detection.words.said import Said
from keras_shiftguard.errors import ShiftDetectedError, warn
from keras_shiftguard.profiles import InputProfile, OutputSummary
from tensorboard_plugin_shiftguard.metadata import FIRST_EPOCH

AUGMENTED = (
    "training is augmented: its samples change from epoch to epoch, so validation is meant to "
    "differ, and only what a difference costs is an alarm"
)


MAIN = ("validation", "train")
P_OF_SURE = 0.0027  # two-sided, of three standard errors. Given by the normal distribution.


class ShiftWatch:
    """Compares the streams of one fit, evaluation or prediction.

    `ShiftWatch` compares validation with training, and the target with training and validation. It
    also compares each stream with the first pass over the same stream, and with the reference.
    `alpha`, `on_shift` and `tolerance` are those of `ShiftGuard`.

    Attributes:
        report: The latest report; None before the first comparison.
        is_augmented: Whether the latest pass over training shows that it is augmented; None if that
            is not known.
    """

    def __init__(
        self,
        alpha: float,
        on_shift: str,
        tolerance: float | None = 0.01,
        reference: InputProfile | None = None,
        target: bool = False,
        distinct_samples: Mapping[str, int | float] | None = None,
        known: Sequence[Acknowledgement] = (),
        streams: Sequence[str] = ("train", "validation"),
    ) -> None:
        self.on_shift = on_shift
        self.tolerance = tolerance
        self.reference = reference
        self.has_target = target
        self.independence = Independence(distinct_samples or {})
        endless = self.independence.declared.get("train")
        self.distinct_samples = endless if isinstance(endless, int) else None
        self.report: ShiftReport | None = None
        self._first: dict[str, InputProfile] = {}  # first pass over each stream
        self._handled: set[tuple[str, str, str]] = set()  # alarms that `act` has handled
        self._notes_of_passes: list[str] = []
        self.is_augmented: bool | None = None
        self._was_near = False  # whether the latest pass over training was near the first
        self._own_notes: list[str] = []  # of `note`
        self._summed = InputProfile()  # sum of several epochs, only with `distinct_samples`
        pairs = [("validation", "train")] if "train" in streams else []
        pairs += [(stream, FIRST_EPOCH) for stream in streams]
        if reference is not None:
            pairs += [(stream, "reference") for stream in streams]
        if target:
            pairs += [("target", stream) for stream in streams]
        self._monitor = ShiftMonitor(alpha, pairs)
        self._monitor.known.extend(known)

    def compare(self, passes: Mapping[str, InputProfile], epoch: int | None) -> None:
        """Compares all streams after an epoch.

        Args:
            passes: Profiles of the latest passes by stream, and of `"target"`. Streams
                without a pass in this epoch are left out.
            epoch: Epoch, counted from 1; None outside of a fit.
        """
        target = passes.get("target")
        # Outputs are left out, because outputs of different epochs come from different weights.
        # Outputs are compared only for the target, because its outputs come from the present
        # weights.
        latest = {
            name: replace(profile, outputs=OutputSummary())
            for name, profile in passes.items()
            if name != "target"
        }
        streams = dict(latest)
        if "train" in streams:
            streams["train"] = self._evidence(streams["train"])

        compare = self._monitor.compare
        for name, profile in latest.items():
            first = self._first.setdefault(name, profile)
            if first is not profile:
                compare(name, FIRST_EPOCH, profile, first, epoch)
        if "train" in latest:
            self.is_augmented = is_augmented(self._first["train"], latest["train"])
            is_near = are_near(self._first["train"], latest["train"])
            if self.is_augmented is None and self._was_near and is_near:
                self.is_augmented = False
            self._was_near = is_near
            if self.is_augmented and "train" in self.independence.drawn:
                self.is_augmented = None  # other rows are drawn in each pass, but none is changed
        if "validation" in streams and "train" in streams:
            compare("validation", "train", streams["validation"], streams["train"], epoch)
        for name, profile in streams.items():
            if self.reference is not None:
                compare(name, "reference", profile, self.reference, epoch)
            if target is not None:
                with_outputs = replace(profile, outputs=passes[name].outputs)
                compare("target", name, target, with_outputs, epoch)
        self._notes_of_passes = self._notes()
        self._renew_report()

    def apply(self, told: Told) -> None:
        """Puts what a check tells into the report: its notes, its findings, and their costs."""
        for note in told.notes:
            self._own_notes.append(note)
            self._notes_of_passes = [note, *self._notes_of_passes]
        for finding in told.findings:
            self._monitor.replace(finding)
        self._renew_report()

    def account(self, gap: GapReport) -> None:
        """Gives the findings on validation their rows of the account, which decide on alarms.

        What a sure row undoes is a finding, also where no test shows a difference.
        """
        tolerance = self.tolerance or 0.0
        rows = [row for row in gap.rows if row.is_fault and row.points > tolerance]
        pair = next((p for p in self.pairs if (p.stream, p.against) == MAIN), None)
        for row in rows if pair is not None else ():
            known = [f for f in pair.findings.values() if undoes(row, f)] if pair else []
            if row.kind == "labels" or (row.kind == "input" and not known):
                self._monitor.replace(_finding(row, pair.epoch if pair else None))
        rest = gap.rest
        # A model that kept up with batches that were new to it, and fell behind as it learnt them
        # by heart, loses nothing by a difference.
        most = tolerance if rest.kind == "memorised" and rest.sure else rest.interval[1]
        self._monitor.account(rows, most, tolerance)
        self._renew_report()

    def mark_open(self) -> None:
        """Marks the findings of a fit whose cost was not measured as questions, which do not alarm.

        What is certain stays an alarm: another step of preprocessing, swapped channels. So does
        what the target shows: it has no labels to measure a cost with, and was given to be
        compared. If there is validation, the target is judged against it, as training may be
        augmented. Training that is surely not augmented is judged against the reference.
        """
        if self.tolerance is None:  # every difference beyond chance is an alarm
            return
        pairs = [
            ("validation", "train"),
            *((stream, FIRST_EPOCH) for stream in ("train", "validation")),
            ("validation", "reference"),
        ]
        pairs += [("target", "train")] if "validation" in self._first else []
        for pair in pairs:
            self._monitor.mark_open(*pair)
        self._monitor.mark_open("train", "reference", self.is_augmented is not False)
        self._renew_report()

    @property
    def pairs(self) -> list[Pair]:
        """The comparisons so far, for plots."""
        return self._monitor.pairs

    def severity(self, stream: str) -> float:
        """Returns the largest effect size of a stream's alarms; 0 without an alarm."""
        return self._monitor.severity(stream)

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        return {
            "first": {name: profile.tree() for name, profile in self._first.items()},
            "training": self._summed.tree(),
            "augmented": self.is_augmented,
            "monitor": self._monitor.state(),
            "handled": [list(key) for key in sorted(self._handled)],
            "own_notes": self._own_notes,
            "independence": self.independence.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state that `state()` returned."""
        self._first = {name: InputProfile(**tree) for name, tree in state["first"].items()}
        self._summed = InputProfile(**state["training"])
        self.is_augmented = state.get("augmented")
        self._monitor.restore(state["monitor"])
        self._handled = {(str(a), str(b), str(c)) for a, b, c in state.get("handled", ())}
        self._own_notes = [str(text) for text in state.get("own_notes", ())]
        self.independence.restore(state.get("independence", {}))
        self._notes_of_passes = self._notes()
        self._renew_report()

    def act(self, in_fit: bool = True) -> bool:
        """Warns of new alarms or raises an error, as `on_shift` says.

        Returns:
            Whether training must stop: after an alarm with `on_shift="stop"`.

        Raises:
            ShiftDetectedError: for a new alarm with `on_shift="raise"`.
        """
        if self.report is None:
            return False
        by_key = {(f.stream, f.against, f.feature): f for f in self.report.findings if f.matters}
        alarms = [finding for key, finding in by_key.items() if key not in self._handled]
        self._handled |= by_key.keys()
        if not alarms or self.on_shift == "ignore":
            return False
        if self.on_shift == "raise":
            raise ShiftDetectedError(self.report)
        worst = sorted(alarms, key=lambda finding: -abs(finding.effect_size))[:3]
        lines = [f"  - {plain_sentence(finding)}" for finding in worst]
        more = len(alarms) - len(worst)
        lines += [f"  ... and {more} more in `guard.report`"] if more else []
        stops = self.on_shift == "stop" and in_fit
        end = ["Training stops after this epoch (on_shift='stop')."] if stops else []
        warn("\n".join(["ShiftGuard found a shift:", *lines, *end]))
        return stops

    @property
    def warned_of(self) -> list[Finding]:
        """The alarms with a warning, or of which `act` will warn; none with `on_shift="ignore"`."""
        if self.on_shift == "ignore" or self.report is None:
            return []
        return [finding for finding in self.report.findings if finding.matters]

    def _evidence(self, latest: InputProfile) -> InputProfile:
        """Returns the training profile to test.

        This is the profile of the latest epoch. With `distinct_samples`, the profile is the sum
        over all epochs so far, until the sum has that many samples. After that, it is the profile
        of the latest epoch again.
        """
        if self.distinct_samples is None:
            return latest
        if self._summed.num_samples < self.distinct_samples:
            self._summed = self._summed + latest if self._summed.inputs else latest
            evidence = self._summed
        else:
            evidence = latest
        return replace(evidence, distinct_samples=self.distinct_samples)

    def _renew_report(self) -> None:
        """Makes the report anew after findings or notes have changed."""
        self.report = self._monitor.report(self._notes_of_passes)

    def _notes(self) -> list[str]:
        """Returns the notes of the report."""
        return [*self._own_notes, *self.independence.notes.values(), *self._notes_on_streams()]

    def _notes_on_streams(self) -> list[str]:
        """Returns the notes on augmentation, or on the reason why nothing can be compared."""
        if self.is_augmented and self._monitor.report().findings:
            return [AUGMENTED]
        both = {"train", "validation"} <= self._first.keys()
        if both or self.reference is not None or self.has_target:
            return []
        if "train" in self._first:
            return [
                "there is nothing to compare training with: pass `validation_data` to fit, or "
                "ShiftGuard(reference=...)"
            ]
        what = "an evaluation" if "validation" in self._first else "a prediction"
        return [f"{what} alone has nothing to compare with: pass ShiftGuard(reference=...)"]


def _finding(row: GapRow, epoch: int | None) -> Finding:
    """Returns the finding on what a row undoes, where no test shows it, or another one."""
    is_label = row.kind == "labels"
    return Finding(
        feature="labels" if is_label else source_of(row.source),
        kind="concept" if is_label else "covariate",
        family=RELABELLED if is_label else "other",
        effect_size=row.points,
        interval=row.interval,
        p_value=P_OF_SURE,
        stream=MAIN[0],
        against=MAIN[1],
        since=epoch,
        row=row,
        said=Said(f"{row.cause[:1].upper()}{row.cause[1:]}"),
    )

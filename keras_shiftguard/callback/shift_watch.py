"""`ShiftWatch`: comparisons of the streams of a fit with each other after each epoch."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from keras_shiftguard.callback.independence import Independence
from keras_shiftguard.callback.questions import Stage, is_size
from keras_shiftguard.detection.acknowledged import Acknowledgement
from keras_shiftguard.detection.causes.augmented import looks_augmented
from keras_shiftguard.detection.causes.same_samples import (
    MAX_LEFT_OUT_ERRORS,
    MAX_NEAR_ERRORS,
    chance_of_same_labels,
    left_out_errors,
    randomised,
    redrawn,
)
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import Finding, source_of
from keras_shiftguard.detection.monitor import Pair, ShiftMonitor
from keras_shiftguard.detection.plain_words import plain_sentence
from keras_shiftguard.detection.planning import needs_in_words
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.errors import ShiftDetectedError, warn
from keras_shiftguard.profiles import InputProfile, OutputSummary
from tensorboard_plugin_shiftguard.metadata import FIRST_EPOCH

MIN_OF_CLASS = 20  # with fewer samples of a class, equal numbers may be chance
SHARE_OF_ALPHA = 0.1  # share of `alpha` for the finding that augmentation is on in validation
# Smaller differences, in standard deviations, may be chance if only few samples are independent.
MAX_BY_CHANCE = 1.0
BELONG_TOGETHER = (
    "if samples belong together (rows of one patient, windows of one recording), fewer of them are "
    "independent, and the difference may be chance: pass the share of independent ones, as in "
    "ShiftGuard(distinct_samples={'train': 0.05, 'validation': 0.05})"
)
# Attributes of `ShiftWatch` that are saved with its state.
VISITS = (
    *("is_first_visit", "is_unaugmented", "is_augmented", "is_too_early"),
    *("was_near", "was_redrawn", "has_soft_labels"),
)


class ShiftWatch:
    """Compares the streams of one fit, evaluation or prediction.

    `ShiftWatch` compares validation with training, and the target with training and validation. It
    also compares each stream with the first pass over the same stream, and with the reference.

    Args:
        alpha: Probability that the whole fit raises an alarm if nothing shifted.
        on_shift: `"warn"`, `"raise"`, `"stop"` or `"ignore"`.
        tolerance: The share of accuracy that a shift may cost before it is an alarm; None if costs
            do not matter.
        reference: Profile of the reference data, or None.
        target: Whether the streams are compared with a target.
        distinct_samples: How many independent samples the streams have, see `Independence`.
        known: Shifts that the user acknowledged, which raise no alarm.
        streams: Names of the streams of the run; `("prediction",)` for `model.predict`.
        takes_any_size: Whether the model takes images of any size, so that it may be trained on
            crops: then larger images of validation are a question, and no alarm.

    Attributes:
        report: The latest report; None before the first comparison.
        is_first_visit: Whether training has had only one pass so far, without MixUp or CutMix.
        is_too_early: Whether the model has learned too little for shifts to cost accuracy.
        is_unaugmented: Whether the latest pass over training had the same unchanged samples as the
            first pass, except for a few samples that were left out.
        was_near: Whether the latest pass over training was as near to the first pass as passes
            without augmentation are.
        was_redrawn: Whether some pass over training surely had changed samples.
        is_augmented: Whether the latest pass over training shows augmentation: the pass had
            randomly changed versions of the first pass's samples, or labels that are mixtures.
        has_soft_labels: Whether labels of training are probabilities that stay the same in every
            pass, such as those of a teacher, or of which only one pass was seen.
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
        takes_any_size: bool = False,
    ) -> None:
        self.takes_any_size = takes_any_size
        self.on_shift = on_shift
        self.tolerance = tolerance
        self.reference = reference
        self.has_target = target
        self.independence = Independence(distinct_samples or {})
        endless = self.independence.declared.get("train")
        # A number of training samples means that the epochs do not repeat the same samples.
        self.distinct_samples = endless if isinstance(endless, int) else None
        self.report: ShiftReport | None = None
        self._first: dict[str, InputProfile] = {}  # first pass over each stream
        self._handled: set[tuple[str, str, str]] = set()  # alarms that `act` has handled
        self._notes_of_passes: list[str] = []
        # Number of passes over validation with the class counts of the first pass. After a pass
        # with other counts, this number stays 0.
        self._same_labels = 1
        self.is_first_visit = True
        self.is_unaugmented = False
        self.is_augmented = False
        self.was_near = False
        self.was_redrawn = False
        self.has_soft_labels = False
        self.is_too_early = False
        self._own_notes: list[str] = []  # of `note`
        # The first epoch of the latest row of epochs with a cost for an alarm, by stream, other
        # stream and feature.
        self._costly_since: dict[tuple[str, str, str], int | None] = {}
        self._redrawn_validation = ""  # note on validation with other samples in every epoch
        self._augmentation = ""  # sentence on the augmentation of training, once found
        self._training = InputProfile()  # sum of several epochs, only with `distinct_samples`
        pairs = [("validation", "train")] if "train" in streams else []
        pairs += [(stream, FIRST_EPOCH) for stream in streams]
        if reference is not None:
            pairs += [(stream, "reference") for stream in streams]
        if target:
            pairs += [("target", stream) for stream in streams]
        self._monitor = ShiftMonitor(alpha, pairs)
        self._monitor.known.extend(known)

    def compare(self, passes: Mapping[str, InputProfile], epoch: int | None) -> list[Finding]:
        """Compares all streams after an epoch.

        Args:
            passes: Profiles of the latest passes by stream, and of `"target"`. Streams
                without a pass in this epoch are left out.
            epoch: Epoch, counted from 1; None outside of a fit.

        Returns:
            The findings that are new.
        """
        new: list[Finding] = []
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

        def compare(
            stream: str,
            against: str,
            current: InputProfile,
            other: InputProfile,
            expected: Collection[str] = (),
        ) -> None:
            new.extend(self._monitor.compare(stream, against, current, other, epoch, expected))

        for name, profile in latest.items():
            first = self._first.setdefault(name, profile)
            if first is not profile:
                compare(name, FIRST_EPOCH, profile, first, redrawn(first, profile))
        if "train" in latest:
            seen_once = self._first["train"] is latest["train"]
            are_mixed = latest["train"].labels.are_mixed
            self.is_first_visit = seen_once and not are_mixed
            if not seen_once:
                self._look_for_redrawn(*left_out_errors(self._first["train"], latest["train"]))
            redraws = not seen_once and randomised(self._first["train"], latest["train"])
            self.is_augmented = redraws or are_mixed
            # Those of MixUp change with every pass, and their largest are the labels.
            self.has_soft_labels = are_mixed and (seen_once or self.is_unaugmented)
        if "validation" in streams and "train" in streams:
            validation, train = streams["validation"], streams["train"]
            expected, sentence = self._augmented(latest["train"], validation)
            self._augmentation = sentence or self._augmentation
            compare("validation", "train", validation, train, expected)
        for name, profile in streams.items():
            augmented = latest["train"] if name == "train" else None
            if self.reference is not None:
                expected, _ = self._augmented(augmented, self.reference)
                compare(name, "reference", profile, self.reference, expected)
            if target is not None:
                # Without validation, no other comparison would show that the target differs.
                known = augmented if "validation" in self._first else None
                expected, _ = self._augmented(known, target)
                with_outputs = replace(profile, outputs=passes[name].outputs)
                compare("target", name, target, with_outputs, expected)
        new += self._augmented_validation(latest, epoch)
        self._notes_of_passes = self._notes(passes)
        self._renew_report()
        return new

    def _look_for_redrawn(self, errors: float, least: float) -> None:
        """Sets whether training is unaugmented, from the `left_out_errors` of its latest pass."""
        was_near, self.was_near = self.was_near, errors < MAX_NEAR_ERRORS
        self.was_redrawn = self.was_redrawn or MAX_LEFT_OUT_ERRORS < least < np.inf
        is_near_again = was_near and self.was_near and not self.was_redrawn
        self.is_unaugmented = errors == 0 or is_near_again

    def call_redrawn(self) -> None:
        """Notes that the kept samples of training surely changed between two passes."""
        self.was_redrawn, self.is_unaugmented = True, False

    def price(self, stream: str, against: str, costs: Mapping[str, Cost | None]) -> None:
        """Sets the costs of findings, by feature, and updates the report."""
        if self.tolerance is not None:
            self._remember_costly(stream, against, costs, self.tolerance)
            self._monitor.price(stream, against, costs, self.tolerance)
            self._renew_report()

    def _remember_costly(
        self, stream: str, against: str, costs: Mapping[str, Cost | None], tolerance: float
    ) -> None:
        """Remembers since when the cost of each feature has been one for an alarm."""
        epoch = next(p.epoch for p in self.pairs if (p.stream, p.against) == (stream, against))
        for feature, cost in costs.items():
            key = stream, against, feature
            if cost is not None and cost.is_alarm(tolerance):
                self._costly_since.setdefault(key, epoch)
            else:
                self._costly_since.pop(key, None)

    def note(self, text: str) -> None:
        """Adds a note to the report."""
        self._own_notes.append(text)
        self._notes_of_passes = [text, *self._notes_of_passes]
        self._renew_report()

    def add(self, finding: Finding, cost: Cost) -> None:
        """Adds a finding that another measurement made, with its cost."""
        self.replace(finding)
        self.price(finding.stream, finding.against, {finding.feature: cost})

    def replace(self, finding: Finding) -> None:
        """Replaces the finding on the same feature by `finding`, which is better explained."""
        self._monitor.replace(finding.stream, finding.against, finding)

    def mark_open(self, comes_again: bool) -> None:
        """Marks findings on training and another stream as open; open findings raise no alarm.

        `questions.py` has the reasons. Costs are measured for validation only, so training compared
        with the reference is judged without them, and so is the target compared with training, if
        there is validation.

        Args:
            comes_again: Whether another epoch follows.
        """
        stage = Stage(
            comes_again=comes_again,
            is_first_visit=self.is_first_visit,
            is_unaugmented=self.is_unaugmented,
            is_augmented=self.is_augmented,
            was_redrawn=self.was_redrawn,
            is_too_early=self.is_too_early,
            is_endless=self.distinct_samples is not None,
            measures_costs=self.tolerance is not None,
            may_be_crops=self.takes_any_size and self._has_larger_images(),
            has_soft_labels=self.has_soft_labels,
            is_resampled=self._is_resampled(),
        )
        self._expect_resampled(stage.is_resampled)
        self._monitor.mark_open(
            "validation", "train", lambda found: stage.is_question(found, self._is_new(found))
        )
        pairs = [("train", "reference")]
        pairs += [("target", "train")] if "validation" in self._first else []
        for pair in pairs:
            self._monitor.mark_open(*pair, stage.is_question_without_cost)
        moves = self.is_augmented or self.was_redrawn or bool(self._augmentation)
        harmless = self._loses_nothing
        self._monitor.mark_open(
            "train",
            FIRST_EPOCH,
            lambda found: (
                (moves and stage.is_change_of_augmentation(found, harmless))
                or (self.takes_any_size and is_size(found))
            ),
        )
        self._renew_report()

    def _pair(self) -> Pair | None:
        """Returns the latest comparison of validation with training; None without one."""
        pairs = {(pair.stream, pair.against): pair for pair in self._monitor.pairs}
        return pairs.get(("validation", "train"))

    def _has_larger_images(self) -> bool:
        """Whether all images of validation are larger than those of training, in each input."""
        if (pair := self._pair()) is None:
            return False
        before, now = pair.reference.inputs, pair.current.inputs
        images = [name for name in before.keys() & now.keys() if now[name].is_image]
        return bool(images) and all(
            min(now[name].smallest_size) >= max(before[name].largest_size) for name in images
        )

    def _is_resampled(self) -> bool:
        """Whether training has as many samples of each class, which validation has not.

        The numbers of training are more equal than chance makes them.
        """
        if (pair := self._pair()) is None:
            return False
        labels = pair.reference.labels, pair.current.labels
        if not all(each.are_classes for each in labels):
            return False
        train, validation = (each.counts[each.counts > 0] for each in labels)
        are_many = len(train) > 1 and train.min() >= MIN_OF_CLASS
        return bool(are_many and np.ptp(train) <= 1 < np.ptp(validation))

    def _expect_resampled(self, is_resampled: bool) -> None:
        """Marks another class mix of validation as expected if training was resampled."""
        pair = self._pair()
        found = None if pair is None else pair.findings.get("labels")
        if is_resampled and found is not None and found.family == "label" and not found.expected:
            self.replace(replace(found, expected=True))

    @property
    def _loses_nothing(self) -> bool:
        """Whether validation differs from training, and the costs of that are harmless.

        A cost that augmentation hides counts: the model is right more often on validation.
        """
        pair = self._pair()
        costs = (
            []
            if pair is None
            else [f for f in pair.findings.values() if f.cost_words and not _is_bound(f)]
        )
        return bool(costs) and all(finding.harmless for finding in costs)

    def _is_new(self, finding: Finding) -> bool:
        """Whether the finding has a cost for an alarm only since the latest comparison."""
        pairs = {(pair.stream, pair.against): pair for pair in self._monitor.pairs}
        since = self._costly_since.get((finding.stream, finding.against, finding.feature))
        return pairs[finding.stream, finding.against].epoch == since

    @property
    def needs(self) -> str:
        """Sentence on the number of samples that the first comparison needs to detect a shift."""
        return needs_in_words(self._monitor.level(1))

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
            "training": self._training.tree(),
            "augmentation": self._augmentation,
            "monitor": self._monitor.state(),
            "handled": [list(key) for key in sorted(self._handled)],
            "same_labels": self._same_labels,
            "own_notes": self._own_notes,
            "costly_since": [[*key, epoch] for key, epoch in self._costly_since.items()],
            "visits": {name: getattr(self, name) for name in VISITS},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state that `state()` returned."""
        self._first = {name: InputProfile(**tree) for name, tree in state["first"].items()}
        self._training = InputProfile(**state["training"])
        self._augmentation = state["augmentation"]
        self._monitor.restore(state["monitor"])
        self._handled = {(str(a), str(b), str(c)) for a, b, c in state.get("handled", ())}
        self._same_labels = int(state.get("same_labels", 1))
        self._own_notes = [str(text) for text in state.get("own_notes", ())]
        costly = state.get("costly_since", ())
        self._costly_since = {(str(a), str(b), str(c)): epoch for a, b, c, epoch in costly}
        visits = state.get("visits", {})
        for name in VISITS:
            setattr(self, name, bool(visits.get(name, getattr(self, name))))
        self._notes_of_passes = self._notes({})
        self._renew_report()

    def act(self, in_fit: bool = True) -> bool:
        """Warns of new alarms or raises an error, as `on_shift` says.

        Args:
            in_fit: Whether a fit is running, which can be stopped.

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
        if not self.independence.declared and any(map(_may_be_few, alarms)):
            lines.append(f"  {BELONG_TOGETHER}.")
        stops = self.on_shift == "stop" and in_fit
        end = ["Training stops after this epoch (on_shift='stop')."] if stops else []
        warn("\n".join(["ShiftGuard found a shift:", *lines, *end]))
        return stops

    @property
    def was_withdrawn(self) -> bool:
        """Whether there was an alarm, and none is left."""
        return bool(self._handled) and self.report is not None and not self.report.shifted

    @property
    def unhandled(self) -> list[Finding]:
        """The alarms without a warning: all with `on_shift="ignore"`, else none."""
        findings = () if self.report is None else self.report.findings
        return [] if self.on_shift != "ignore" else [f for f in findings if f.matters]

    def _evidence(self, latest: InputProfile) -> InputProfile:
        """Returns the training profile to test.

        This is the profile of the latest epoch. With `distinct_samples`, the profile is the sum
        over all epochs so far, until the sum has that many samples. After that, it is the profile
        of the latest epoch again.
        """
        if self.distinct_samples is None:
            return latest
        if self._training.num_samples < self.distinct_samples:
            self._training = self._training + latest if self._training.inputs else latest
            evidence = self._training
        else:
            evidence = latest
        return replace(evidence, distinct_samples=self.distinct_samples)

    def _augmented(self, train: InputProfile | None, other: InputProfile) -> tuple[set[str], str]:
        """Returns the features that are expected to differ because training is augmented.

        Args:
            train: Profile of the latest epoch of training; None to expect nothing.
            other: Profile that training is compared with.

        Returns:
            The features, and a sentence with the evidence; empty if none are expected.
        """
        expected: set[str] = set()
        sentence = ""
        if train is None:
            return expected, sentence
        # Augmentation is certain in two cases. Either the inputs change from epoch to epoch,
        # although the labels show that the samples are the same. Or the labels of training are
        # mixed, as by MixUp, and the labels of the other stream are not.
        mixed = train.labels.are_mixed and not other.labels.are_mixed
        certain = randomised(self._first["train"], train) or mixed
        for name in train.inputs.keys() & other.inputs.keys():
            found = looks_augmented(train.inputs[name], other.inputs[name], certain=certain)
            if found:
                source = source_of(name)
                expected |= {source, *(f"{source}/{feature}" for feature in found.expected)}
                sentence = found.sentence
        return expected, sentence

    def _augmented_validation(
        self, passes: Mapping[str, InputProfile], epoch: int | None
    ) -> list[Finding]:
        """Returns a finding if random augmentation is on in validation.

        Different samples may have the same class counts by chance, more often if there are few
        classes. The probability of such a coincidence is the p-value, and the finding is reported
        only if this p-value is small. A pass with other counts shows that the passes do not repeat
        the same samples. If all classes have as many samples, a sampler may have drawn them so:
        this is a note, not a finding.
        """
        first, latest = self._first.get("validation"), passes.get("validation")
        if first is None or latest is None or first is latest or self._same_labels == 0:
            return []
        same = np.array_equal(first.labels.counts, latest.labels.counts)
        self._same_labels = self._same_labels + 1 if same else 0
        if not same or not randomised(first, latest):
            return []
        if self._monitor.found("validation", FIRST_EPOCH):
            return []  # a permanent change of the inputs, which is reported already
        shown = latest.labels.counts[latest.labels.counts > 0]
        if np.all(shown == shown[0]):
            self._redrawn_validation = (
                "validation has the same number of samples of each class in every epoch, but not "
                "the same inputs: random augmentation is on in validation, or a sampler draws as "
                "many samples of each class"
            )
            return []
        p_value = chance_of_same_labels(latest.labels, self._same_labels, latest.distinct_share)
        if p_value > SHARE_OF_ALPHA * self._monitor.alpha:
            return []
        finding = Finding(
            feature="augmentation",
            kind="preprocessing",
            family="augmentation",
            effect_size=1.0,  # the share of the samples that are changed
            interval=(1.0, 1.0),
            p_value=p_value,
            stream="validation",
            against=FIRST_EPOCH,
            since=epoch,
            explanation=(
                "Validation has the same labels in every epoch but not the same inputs: random "
                "augmentation is on in validation"
            ),
        )
        return [finding] if self._monitor.add(finding) else []

    def _renew_report(self) -> None:
        """Makes the report anew after findings or notes have changed."""
        notes = self._notes_of_passes
        self.report = self._monitor.report(notes)
        if not self.independence.declared and any(map(_may_be_few, self.report.findings)):
            self.report = self._monitor.report([*notes, BELONG_TOGETHER])

    def _notes(self, passes: Mapping[str, InputProfile]) -> list[str]:
        """Returns the notes of the report."""
        redrawn_validation = [self._redrawn_validation] if self._redrawn_validation else []
        notes = [*self._own_notes, *self.independence.notes.values(), *redrawn_validation]
        return [*notes, *self._notes_on_streams(passes)]

    def _notes_on_streams(self, passes: Mapping[str, InputProfile]) -> list[str]:
        """Returns the notes on augmentation, or on the reason why nothing can be compared."""
        if self._augmentation and any(
            finding.expected for finding in self._monitor.report().findings
        ):
            return [f"augmentation: {self._augmentation}"]
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


def _may_be_few(finding: Finding) -> bool:
    """Whether a difference by chance would look like this, if only few samples are independent."""
    is_small = finding.kind == "covariate" and abs(finding.effect_size) < MAX_BY_CHANCE
    return finding.matters and finding.cost is None and is_small


def _is_bound(finding: Finding) -> bool:
    """Whether only an upper bound of the cost is known."""
    return finding.cost is None and finding.cost_interval is not None

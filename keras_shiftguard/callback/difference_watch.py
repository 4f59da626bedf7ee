"""`DifferenceWatch`: what a difference of the samples costs in a fit, and what it is called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from keras_shiftguard.callback.judged_samples import Judged
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.callback.spending import Spending
from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost, cost_of_too_few
from keras_shiftguard.detection.finding import Finding, source_of
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.sentences import misplaced
from keras_shiftguard.detection.two_sample.tail_probabilities import SMALLEST_P, normal_sf
from keras_shiftguard.experiments.difference import (
    Difference,
    cost_of_difference,
    predictions_for,
)
from keras_shiftguard.experiments.masks import ALIGNMENT
from keras_shiftguard.statistics.batch import InputSpec


@dataclass(frozen=True)
class _Cause:
    """A cause of a difference, as an experiment found it.

    Args:
        how: What the samples look like, such as `"mirrored left to right"`.
        family: The family that the finding gets.
        noun: What the samples are called.
        original: The finding before it was explained by that; None after `restore`.
    """

    how: str
    family: str
    noun: str = "images"
    original: Finding | None = None


class DifferenceWatch:
    """Makes experiments on the samples of each input, and remembers what they found.

    Args:
        shift: The comparisons of the streams, whose findings are explained.
        spending: Limits the time of the experiments.
    """

    def __init__(self, shift: ShiftWatch, spending: Spending) -> None:
        self._shift, self._spending = shift, spending
        # The causes that the latest experiments found, by the other stream and the feature.
        self._causes: dict[tuple[str, str], _Cause] = {}
        # By input: the latest experiment with its epoch, and the families of operations of the
        # latest two: "" if nothing above the tolerance was won.
        self._latest: dict[str, tuple[int, Difference]] = {}
        self._families: dict[str, tuple[str, ...]] = {}
        # Differences that no comparison of the streams shows, by input.
        self._unseen: dict[str, tuple[Finding, Cost]] = {}

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        return {
            "causes": [
                [*key, cause.how, cause.family, cause.noun] for key, cause in self._causes.items()
            ],
            "unseen": [[f.to_dict(), vars(cost)] for f, cost in self._unseen.values()],
            "families": {name: list(found) for name, found in self._families.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state that `state()` returned; what it lacks stays as it is."""
        self._causes = {
            (str(against), str(feature)): _Cause(str(how), str(family), str(noun))
            for against, feature, how, family, noun in state.get("causes", ())
        }
        self._unseen = {
            finding["feature"]: (Finding.from_dict(finding), Cost.from_dict(cost))
            for finding, cost in state.get("unseen", ())
        }
        families = state.get("families", {})
        self._families = {name: tuple(map(str, found)) for name, found in families.items()}

    @property
    def has_unseen(self) -> bool:
        """Whether a difference was found that no comparison of the streams shows."""
        return bool(self._unseen)

    def tell_again(self, pair: Pair) -> None:
        """Explains the findings of a new comparison by what the latest experiment found."""
        self._explain(pair)
        if pair.is_of_validation_and_training:
            for finding, cost in self._unseen.values():
                if finding.feature not in pair.findings:
                    self._shift.add(finding, cost)

    def costs(
        self,
        pair: Pair,
        judged: Judged,
        specs: Mapping[str, InputSpec],
        epoch: int,
        is_last: bool,
        is_harder: bool,
    ) -> dict[str, Cost | None]:
        """Returns the costs of the findings on the samples, by feature.

        Args:
            pair: The comparison.
            judged: The samples of the epoch.
            specs: Specifications of the inputs, by name.
            epoch: The epoch, counted from 1.
            is_last: Whether it is the last one.
            is_harder: Whether the model is worse on validation, without another explanation. Then
                differences that no comparison shows are looked for as well.
        """
        costs: dict[str, Cost | None] = {}
        for i, (name, spec) in enumerate(specs.items()):
            source = source_of(name)
            features = self._features(pair, source, is_first=i == 0)
            if not features and not self._may_be_unseen(pair, spec, is_harder, judged):
                continue
            found = self._experiment(judged, spec, epoch, is_last)
            if found is None:  # there was no time to measure, so a new finding may not accuse
                new = [name for name in features if not pair.findings[name].cost_words]
                none = cost_of_too_few(len(judged.current.labels), judged.judge.metric)
                costs |= dict.fromkeys(new, none)
                continue
            noun = "samples" if spec.layout == "features" else "images"
            noun += f" of input {name!r}" if len(specs) > 1 else ""
            if features:
                costs |= dict.fromkeys(features, found.cost)
                self._name(pair, found, features, noun)
            else:
                self._tell_unseen(pair, found, source, noun, epoch)
        return costs

    @property
    def _tolerance(self) -> float:
        return float(self._shift.tolerance or 0.0)

    def _features(self, pair: Pair, source: str, is_first: bool) -> list[str]:
        """Returns the features of the findings on the samples of an input themselves.

        Findings on the look of classes are those of the first input.
        """
        explained = {
            feature
            for against, feature in self._causes
            if against == pair.against and feature.startswith("labels")
        }
        return [
            f.feature
            for f in pair.findings.values()
            if (f.kind == "covariate" and f"{f.feature}/".startswith(f"{source}/"))
            or (is_first and (f.family == "concept" or f.feature in explained))
        ]

    def _may_be_unseen(self, pair: Pair, spec: InputSpec, is_harder: bool, judged: Judged) -> bool:
        """Whether a difference may cost something that no comparison of streams shows.

        Columns in another order, a series that runs backwards, or images whose rows and columns are
        exchanged may have the same moments. Of images, hardly any other difference is like that, so
        it is looked for only if the model fails on validation.
        """
        if not pair.is_of_validation_and_training:
            return False
        source = source_of(spec.name)
        if source in self._unseen or source in pair.findings:
            return source in self._unseen  # another finding on the whole input stays
        return is_harder and (spec.layout == "features" or _fails(judged))

    def _experiment(
        self, judged: Judged, spec: InputSpec, epoch: int, is_last: bool
    ) -> Difference | None:
        """Returns what the difference of the samples costs; None if there is no time to measure.

        All pairs have the same result, because the experiment changes only samples of validation.
        """
        name, families = spec.name, self._families.get(spec.name, ())
        current, training = judged.current, judged.training
        if name not in self._latest or self._latest[name][0] != epoch:  # else it has ended early
            if name not in self._latest:  # so that the time of a prediction is known
                few = current.first(MIN_SAMPLES)
                judged.judge.worth(judged.predict(few.images), few.labels)
            number = self._spending.affordable(len(current.labels), predictions_for)
            if number < MIN_SAMPLES <= len(current.labels):
                is_only = is_last and not families  # else an earlier cost stays as it is
                if not is_only or not self._spending.may_overdraw(predictions_for(MIN_SAMPLES)):
                    return None
                number = MIN_SAMPLES
            if number < len(current.labels):
                current, training = current.first(number), training and training.first(number)
            found = cost_of_difference(
                judged.predict,
                current,
                training,
                spec,
                self._tolerance,
                seed=epoch,
                may_be_augmented=not self._shift.training.is_unaugmented,
                judge=judged.judge,
                beside=judged.beside,
            )
            is_costly = found.cost.value > self._tolerance
            self._latest[name] = epoch, found
            self._families[name] = (*families, found.family if is_costly else "")[-2:]
        return _seen_twice(self._latest[name][1], self._families[name], is_last)

    def _name(self, pair: Pair, found: Difference, features: Sequence[str], noun: str) -> None:
        """Explains the finding with the largest effect by a cause; takes back earlier ones."""
        for key in [key for key in self._causes if key[0] == pair.against and key[1] in features]:
            original = self._causes.pop(key).original
            if original is not None and key[1] in pair.findings:
                self._shift.replace(original)
        if found.how and found.cost.is_alarm(self._tolerance):
            first = max(features, key=lambda name: abs(pair.findings[name].effect_size))
            is_place = found.family in ("geometry", "cover", ALIGNMENT)
            family = "geometry" if is_place else "other"
            self._causes[pair.against, first] = _Cause(found.how, family, noun)
            self._explain(pair)

    def _explain(self, pair: Pair) -> None:
        """Explains the findings of a pair by the causes that the latest experiment found."""
        for finding in list(pair.findings.values()):
            key = pair.against, finding.feature
            cause = self._causes.get(key)
            if cause is None:
                continue
            text = misplaced(cause.how, finding.stream, finding.against, cause.noun)
            if finding.explanation != text:
                self._causes[key] = replace(cause, original=finding)
                named = replace(finding, kind="covariate", family=cause.family, explanation=text)
                self._shift.replace(named)

    def _tell_unseen(
        self, pair: Pair, found: Difference, source: str, noun: str, epoch: int
    ) -> None:
        """Adds a finding if an operation wins back a sure cost, although no test shows it."""
        before = self._unseen.pop(source, None)
        # Overlapping windows, or rows of one patient, are few independent samples.
        share = min(pair.current.distinct_share, pair.reference.distinct_share)
        cost = found.cost.of_dependent(share)
        if not (found.how and cost.is_alarm(self._tolerance)):
            return
        finding = Finding(
            feature=source,
            kind="covariate",
            family="other",
            effect_size=cost.value,
            interval=cost.interval,
            p_value=max(float(normal_sf(cost.sigmas)), SMALLEST_P),
            stream=pair.stream,
            against=pair.against,
            since=epoch if before is None else before[0].since,
            explanation=misplaced(found.how, pair.stream, pair.against, noun),
        )
        self._unseen[source] = finding, cost
        self._shift.add(finding, cost)


def _fails(judged: Judged) -> bool:
    """Whether a classifier is right less than half as often on validation as on training."""
    if judged.training is None or not judged.are_classes or not len(judged.training.labels):
        return False
    here, there = (
        judged.judge.worth(judged.predict(each.images), each.labels).mean()
        for each in (judged.current, judged.training)
    )
    return bool(here < 0.5 * there)


def _seen_twice(found: Difference, families: Sequence[str], is_last: bool) -> Difference:
    """Returns an experiment, with a cost that is new unless the one before agrees.

    The samples that count an operation have not chosen it, and neither should the weights: a model
    that has learned little does better on changed samples for an epoch, and not in the next one. In
    the only measurement of a fit, no other weights can disagree.
    """
    agrees = is_last if len(families) == 1 else families[0] == found.family
    return replace(found, cost=replace(found.cost, is_new=not agrees))

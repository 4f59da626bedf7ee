"""`look` measures what differences of the samples cost, and says what the samples look like."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from keras_shiftguard.callback.checks import labels, schedule
from keras_shiftguard.callback.checks.check import Epoch, Told, costs_of
from keras_shiftguard.callback.judged_samples import Judged
from keras_shiftguard.detection.cause import Cause
from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost, cost_of_too_few
from keras_shiftguard.detection.finding import Finding, source_of
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.two_sample.tail_probabilities import SMALLEST_P, normal_sf
from keras_shiftguard.detection.words.sentences import misplaced
from keras_shiftguard.experiments.difference import cost_of_difference, predictions_for
from keras_shiftguard.experiments.targets import ALIGNMENT, are_masks
from keras_shiftguard.experiments.told import Difference
from keras_shiftguard.statistics.batch import InputSpec


@dataclass(frozen=True)
class Tried:
    """The latest experiment on the samples of an input.

    Args:
        epoch: Its epoch.
        found: What it found.
        families: The families of operations of the latest two experiments: "" if nothing above the
            tolerance was won.
    """

    epoch: int
    found: Difference
    families: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        """Whether something was won that the experiment before did not find, if there was one."""
        *before, now = self.families
        return now != "" and now not in before

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> "Tried":
        """Returns the experiment that has these fields, the result of `asdict`."""
        found = {**tree["found"], "cost": Cost.from_dict(tree["found"]["cost"])}
        return cls(int(tree["epoch"]), Difference(**found), tuple(tree["families"]))


def look(state: Mapping[str, Any] | None, epoch: Epoch) -> tuple[dict[str, Any], Told]:
    """Makes an experiment on the samples of each input whose findings are due.

    The state: `tried`: the latest experiments by input, see `Tried`.
    """
    before = (state or {}).get("tried", {})
    tried = {name: Tried.from_tree(tree) for name, tree in before.items()}
    unseen: list[Finding] = []
    causes: dict[tuple[str, str], dict[str, Cause | None]] = {}
    costs: dict[tuple[str, str], dict[str, Cost | None]] = {}
    for pair in schedule.due(epoch):
        if pair.stream == "validation":
            of_pair = pair.stream, pair.against
            found, causes[of_pair], costs[of_pair] = _priced(pair, epoch, tried)
            unseen += found
    new = {"tried": {name: asdict(each) for name, each in tried.items()}}
    return new, Told(findings=tuple(unseen), causes=causes, costs=costs)


def _priced(
    pair: Pair, epoch: Epoch, tried: dict[str, Tried]
) -> tuple[list[Finding], dict[str, Cause | None], dict[str, Cost | None]]:
    """Returns what no test shows, and causes and costs of the findings of a pair, by feature.

    New experiments are put into `tried`. All pairs share an experiment, because it changes only
    samples of validation.
    """
    findings = pair.findings
    unseen: list[Finding] = []
    causes: dict[str, Cause | None] = {}
    costs: dict[str, Cost | None] = {}
    judged = epoch.judged(pair, epoch.is_apart)
    specs = {name: kept.spec for name, kept in epoch.streams["validation"].kept_together().items()}
    for name, spec in specs.items():
        source = source_of(name)
        features = _features(findings, source)
        # Operations are those of images: none is tried on videos and volumes.
        if judged is None or judged.current.input(name).ndim > 4:
            continue
        if not (features or _may_be_unseen(pair, spec, epoch, judged)):
            continue
        if name not in tried or tried[name].epoch != epoch.number:  # else the fit has ended early
            made = _experiment(judged, spec, epoch, tried.get(name))
            if made is None:  # there was no time to measure, so a new finding may not accuse
                new = [feature for feature in features if not findings[feature].cost_words]
                costs |= dict.fromkeys(new, _not_measured(judged))
                continue
            tried[name] = made
        found = _as_meant(_seen_twice(tried[name], epoch.is_last), epoch)
        noun = "samples" if spec.layout == "features" else "images"
        noun += f" of input {name!r}" if len(specs) > 1 else ""
        # Where numbers do not belong to the samples, what moves predictions to their mean wins
        # something.
        unrelated = not judged.are_classes and labels.are_unrelated(epoch.states)
        if labels.are_of_other_rows(epoch) or unrelated:
            costs |= costs_of(pair, dict.fromkeys(features, replace(found.cost, follows=True)))
        elif features:
            lead = max(features, key=lambda name: abs(findings[name].effect_size))
            is_named = found.how and found.cost.is_alarm(epoch.tolerance)
            causes |= {**dict.fromkeys(features), lead: _cause(found, noun) if is_named else None}
            # All of the cost belongs to the finding whose cause is named.
            others = replace(found.cost, follows=True) if is_named else found.cost
            costs |= costs_of(pair, {**dict.fromkeys(features, others), lead: found.cost})
        else:
            cost = found.cost.of_dependent(pair.distinct_share)
            # No test shows a difference, so the cost alone must show it.
            if found.how and cost.is_alarm(epoch.tolerance) and cost.is_sure:
                unseen.append(_unseen(source, pair, cost, found, noun, epoch.number))
                costs[source] = cost
    return unseen, causes, costs


def _cause(found: Difference, noun: str) -> Cause:
    """Returns what was found as the cause of a finding."""
    is_place = found.family in ("geometry", "cover", ALIGNMENT)
    return Cause(found.how, "geometry" if is_place else "other", noun, found.fix)


def _features(findings: Mapping[str, Finding], source: str) -> list[str]:
    """Returns the features of the findings on the samples of an input themselves."""
    return [
        f.feature
        for f in findings.values()
        if f.kind == "covariate" and f"{f.feature}/".startswith(f"{source}/")
    ]


def _may_be_unseen(pair: Pair, spec: InputSpec, epoch: Epoch, judged: Judged) -> bool:
    """Whether a difference may cost something that no comparison of streams shows.

    Columns in another order, a series that runs backwards, or images whose rows and columns are
    exchanged may have the same moments, and neither images nor masks differ if they do not fit each
    other. Of images with a class, hardly any other difference is like that, so it is looked for
    only if the model fails on validation.
    """
    if pair is not epoch.main or source_of(spec.name) in pair.findings:
        return False  # another finding on the whole input stays
    number = int(epoch.number or 0)
    if not epoch.is_last and number & (number - 1):
        return False  # the longer nothing differs, the more rarely it is looked for
    if not labels.is_unexplained(epoch):
        return False
    x, is_first = judged.current.input(spec.name), spec.layout == "channels_first"
    if spec.layout == "features" or are_masks(x, judged.current.labels, is_first):
        return True
    return judged.are_classes and judged.fails


def _experiment(
    judged: Judged, spec: InputSpec, epoch: Epoch, before: Tried | None
) -> Tried | None:
    """Returns an experiment of this epoch; None if there is no time to make it."""
    current, training = judged.current, judged.training
    if not len(current.labels):  # they changed within the fit, and new ones are kept from now on
        return None
    if not epoch.spending.knows_speed:
        judged.time()
    number = epoch.spending.affordable(len(current.labels), predictions_for, epoch.is_last)
    if number < MIN_SAMPLES <= len(current.labels):
        # What was seen once is looked at again after the last epoch, whatever the first look took:
        # else a slow or busy machine would turn an alarm into a question.
        is_due = epoch.is_last and before is not None and before.is_open
        is_first = before is None
        if not (is_due or epoch.spending.may_overdraw(predictions_for(MIN_SAMPLES), is_first)):
            return None  # an earlier cost stays as it is
        number = MIN_SAMPLES
    if number < len(current.labels):
        current, training = current.first(number), training and training.first(number)
    found = cost_of_difference(
        judged.predict,
        current,
        training,
        spec,
        epoch.tolerance,
        seed=epoch.number or 0,
        may_be_augmented=epoch.is_augmented is not False,
        judge=judged.judge,
        beside=judged.beside,
    )
    if number < len(judged.current.labels):
        found = replace(found, cost=replace(found.cost, num_kept=len(judged.current.labels)))
    family = found.family if found.cost.value > epoch.tolerance else ""
    families = (*(before.families if before else ()), family)[-2:]
    return Tried(epoch.number or 0, found, families)


def _not_measured(judged: Judged) -> Cost:
    """Returns the cost of a difference that there was no time to measure."""
    number = len(judged.current.labels)
    cost = cost_of_too_few(number, judged.judge.metric)
    return replace(cost, num_kept=number if number >= MIN_SAMPLES else 0)


def _seen_twice(tried: Tried, is_last: bool) -> Difference:
    """Returns what was found, with a cost that is new unless the experiment before agrees.

    The samples that count an operation have not chosen it, and neither should the weights: a model
    that has learned little does better on changed samples for an epoch, and not in the next one.
    The last weights of a fit have learned most, and no later ones can deny what they show. There,
    one measurement is enough if it is sure by three standard errors.
    """
    *before, now = tried.families
    agrees = now in before or (is_last and tried.found.cost.is_sure)
    return replace(tried.found, cost=replace(tried.found.cost, is_new=not agrees))


def _as_meant(found: Difference, epoch: Epoch) -> Difference:
    """Returns what was found, marked if augmented training explains that validation differs."""
    cost = found.cost
    is_meant = bool(epoch.is_augmented) and cost.is_measured and not cost.unexplained
    is_meant = is_meant and cost.value <= epoch.tolerance
    return replace(found, cost=replace(cost, is_meant=is_meant))


def _unseen(
    source: str, pair: Pair, cost: Cost, found: Difference, noun: str, epoch: int | None
) -> Finding:
    """Returns a finding whose cost an operation surely wins back, although no test shows it."""
    return Finding(
        feature=source,
        kind="covariate",
        family="other",
        effect_size=cost.value,
        interval=cost.interval,
        p_value=max(float(normal_sf(cost.sigmas)), SMALLEST_P),
        stream=pair.stream,
        against=pair.against,
        since=epoch,
        fix=found.fix,
        said=misplaced(found.how, pair.stream, pair.against, noun),
    )

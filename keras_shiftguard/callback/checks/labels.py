"""`look` finds, with the predictions of the model, labels that do not fit their samples.

A cost that is found in one epoch only is no alarm, unless it is the last one and the cost is sure.
What was found is told again in each epoch, until another look takes it back.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from keras_shiftguard.callback.checks.check import Epoch, Told
from keras_shiftguard.callback.checks.label_causes import (
    LARGE,
    are_known_by_heart,
    has_other_words,
    is_consequence,
    is_of_labels,
)
from keras_shiftguard.callback.judged_samples import Judged
from keras_shiftguard.callback.spending import is_in_schedule
from keras_shiftguard.detection.causes.pipeline_change import explain
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import RELABELLED, Finding, source_of
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.experiments.difference import MIN_FAILED
from keras_shiftguard.experiments.labelled import Labelled
from keras_shiftguard.experiments.labels.class_mix import has_learnt
from keras_shiftguard.experiments.labels.label_units import numbers_are_unrelated
from keras_shiftguard.experiments.labels.label_words import UNRELATED, finding_of
from keras_shiftguard.experiments.labels.wrong_labels import (
    Predicted,
    WrongLabels,
    wrong_labels,
)
from keras_shiftguard.experiments.step import undoing
from keras_shiftguard.experiments.undo import MIN_WON_BACK
from keras_shiftguard.operations.repair import Repair
from keras_shiftguard.statistics.chunks import in_chunks
from keras_shiftguard.statistics.rows import Rows

# At the first look, more labels of validation than of training must look wrong by this many
# standard errors. Of 30 fits of tables with right labels that are hard to tell, 3 had more than 3
# after one epoch, none more than 4, and 21 after eight epochs. With a fifth of wrong labels, 16 of
# 20 had more than 4. Measured by `examples/benchmarks/wrong_labels.py --tables`.
FIRST_SIGMAS = 4.0


def look(state: Mapping[str, Any] | None, epoch: Epoch) -> tuple[Mapping[str, Any], Told]:
    """Looks for wrong labels of validation, with two predictions.

    The state: `found`: the finding and its cost of the latest look; `before`: whether that look
    found anything, None without one; `first`: the same of the first look at which the model
    had learnt something, see `are_known_by_heart`; `little`: whether the model fails on
    validation, and right labels would win back less than half of what is lost; `repaired`:
    whether the latest look was one at repaired samples; `noted`: whether a note says that
    labels and samples are unrelated; `unrelated`: whether the latest look found them so.
    """
    state = state or {}
    pair = epoch.main
    if pair is None or are_of_other_rows(epoch):
        return state, Told()
    is_due = _is_due(state, pair, epoch)
    judged = epoch.judged(pair, apart=False) if is_due else None
    if judged is None or judged.training is None:
        return state, _told(pair, _found(epoch))
    training = judged.training
    if not min(len(judged.current.labels), len(training.labels)):
        return state, _told(pair, _found(epoch))
    of_kind = _of_classes if judged.are_classes else _of_numbers
    return of_kind(state, pair, epoch, judged, training)


def _of_numbers(
    state: Mapping[str, Any], pair: Pair, epoch: Epoch, judged: Judged, training: Labelled
) -> tuple[Mapping[str, Any], Told]:
    """Looks for numbers to predict that have nothing in common with their samples."""
    if not (epoch.is_last or _tried(epoch)):
        return state, Told()  # numbers fit nothing either if the samples are wrong
    is_other = bool(epoch.states.get("label_units")) or _of_samples(epoch) >= MIN_WON_BACK
    unrelated = not is_other and numbers_are_unrelated(
        judged.predict, judged.current, training, judged.judge, int(epoch.number or 0)
    )
    is_note = unrelated and not state.get("noted")
    noted = is_note or bool(state.get("noted"))
    new = {**state, "before": "", "unrelated": unrelated, "noted": noted}
    return new, replace(_follows(pair) if unrelated else Told(), notes=(UNRELATED,) * is_note)


def _of_classes(
    state: Mapping[str, Any], pair: Pair, epoch: Epoch, judged: Judged, training: Labelled
) -> tuple[Mapping[str, Any], Told]:
    """Looks for class ids of validation that do not fit the predictions."""
    current = judged.current
    mix, number = pair.findings.get("labels"), int(epoch.number or 0)
    of_training = Predicted(judged.predict(training.images), training.labels)

    def found_with(x: Any) -> WrongLabels | None:
        return wrong_labels(
            Predicted(judged.predict(x), current.labels),
            of_training,
            is_same_mix=mix is None or mix.negligible,
            seed=number,
        )

    found = None if has_other_words(epoch, pair, current) else found_with(current.images)
    # Augmented training differs from right validation, by however much.
    large = LARGE if epoch.is_augmented is False else np.inf
    is_little = found is not None and _wins_little(found, judged, current.images)
    is_explained = found is not None and is_consequence(
        found, pair, _of_samples(epoch), large, is_little
    )
    found = None if is_explained else found
    repaired = _repaired(epoch, pair, current.images) if found is None else None
    if repaired is not None:  # a second fault may be in the labels
        found = found_with(repaired)
        if found and not (found.names or found.is_unrelated):
            found = None
        found = None if found and _wins_little(found, judged, repaired) else found
    first = state.get("first")
    if first is None and has_learnt(of_training.right, training.labels):
        first = "found" if found is not None and found.sigmas > FIRST_SIGMAS else ""
    seen = "" if found is None else "found"
    if found is not None and are_known_by_heart(found, first):
        found = None
    # A look at samples as they are says nothing of labels that only repaired samples show.
    is_first = repaired is not None and not state.get("repaired")
    before = None if is_first else state.get("before")
    new = {**state, "before": seen, "found": None, "little": False, "first": first}
    new |= {"repaired": repaired is not None, "unrelated": bool(found and found.is_unrelated)}
    if found is None or found.is_unrelated:
        is_note = found is not None and not state.get("noted")
        new["noted"] = bool(state.get("noted")) or is_note
        ours = [f for f in pair.findings.values() if f.family == RELABELLED and state.get("found")]
        denied = {(pair.stream, pair.against): {f.feature: is_explained for f in ours}}
        return new, Told((UNRELATED,) if is_note else (), denied=denied)
    since = number if not state.get("found") else state["found"][0]["since"]
    new["little"] = _wins_little(found, judged, current.images)
    # As for samples, one look at the last weights is enough if it is sure.
    is_enough = epoch.is_last and (before is None or found.cost.is_sure)
    is_new = not (before == "found" or is_enough)
    is_new |= new["little"] and not _tried(epoch)  # a change of the samples may win more
    cost = replace(found.cost.of_dependent(pair.distinct_share), is_new=is_new)
    classes = max(int(current.labels.max()), int(training.labels.max())) + 1
    finding = replace(finding_of(found, cost, classes), since=since)
    new["found"] = [finding.to_dict(), vars(cost)]
    return new, _told(pair, (finding, cost))


def _wins_little(found: WrongLabels, judged: Judged, x: Any) -> bool:
    """Whether the model fails on samples `x`, and right labels win back less than half of that."""
    there = float(judged.worths[1].mean())
    lost = there - float(judged.judge.worth(judged.predict(x), judged.current.labels).mean())
    return lost > MIN_FAILED * abs(there) and found.cost.value < MIN_WON_BACK * lost


def tell_again(state: None, epoch: Epoch) -> tuple[None, Told]:
    """Tells what the latest `look` found, before costs are measured, unless the next one is due."""
    pair = epoch.main
    if pair is None or _is_due(_latest(epoch.states), pair, epoch):
        return None, Told()
    return None, _told(pair, _found(epoch))


def are_wrong(epoch: Epoch, pair: Pair) -> bool:
    """Whether labels of validation are known to be wrong, compared with training."""
    is_known = _found(epoch) is not None or are_of_other_rows(epoch)
    return pair.against == "train" and is_known


def explain_little(states: Mapping[str, Any]) -> bool:
    """Whether wrong labels were found that explain little of what the model loses on validation."""
    return bool(_latest(states).get("little"))


def are_unrelated(states: Mapping[str, Any]) -> bool:
    """Whether labels and samples of validation seem to have nothing in common."""
    return bool(_latest(states).get("unrelated"))


def _latest(states: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the state of `look`; {} if it has none, or has failed."""
    state = states.get("labels")
    return state if isinstance(state, Mapping) else {}


def is_unexplained(epoch: Epoch) -> bool:
    """Whether the model is worse on validation, and wrong labels are not known to be why."""
    is_explained = _found(epoch) is not None and not explain_little(epoch.states)
    return epoch.is_harder and not is_explained and not are_of_other_rows(epoch)


def _found(epoch: Epoch) -> tuple[Finding, Cost] | None:
    """Returns what the latest look found, with its cost."""
    found = _latest(epoch.states).get("found")
    return None if not found else (Finding.from_dict(found[0]), Cost.from_dict(found[1]))


def are_of_other_rows(epoch: Epoch) -> bool:
    """Whether each label belongs to the sample of another row, see `checks/other_rows.py`."""
    return bool((epoch.states.get("other_rows") or {}).get("step"))


def _told(pair: Pair, found: tuple[Finding, Cost] | None) -> Told:
    """Returns wrong labels as findings and costs; another class mix follows from them."""
    if found is None:
        return Told()
    finding, cost = found
    findings = [finding]
    costs: dict[str, Cost | None] = {finding.feature: cost}
    mix = pair.findings.get("labels")
    if mix is not None and mix.kind == "label":
        said = mix.said and mix.said.also("it follows from wrong labels")
        findings.append(replace(mix, kind="concept", family=RELABELLED, said=said))
        costs["labels"] = Cost(0.0, (0.0, 0.0), cost.num_samples)
    return Told(findings=tuple(findings), costs={(pair.stream, pair.against): costs})


def _is_due(state: Mapping[str, Any], pair: Pair, epoch: Epoch) -> bool:
    """Whether labels of validation may be wrong, and there is time to look.

    After the first look, labels that seem right are looked at only if the loss on validation is
    above that on training, so most healthy fits spend little on it.
    """
    of_labels = [f for name, f in pair.findings.items() if is_of_labels(name)]
    is_asked = epoch.is_harder or state.get("before") == "found" or state.get("first") is None
    if not is_asked and all(f.negligible for f in of_labels):
        return False
    number = int(epoch.number or 0)
    is_epoch = is_in_schedule(number) and (number == 1 or epoch.spending.allows())
    return epoch.is_last or is_epoch


def _of_samples(epoch: Epoch) -> float:
    """Returns what undoing a change of the samples gains, by the latest experiment; 0 without one.

    It counts before it is told, which takes two experiments.
    """
    gains = [each["found"]["cost"]["value"] for each in _tried(epoch) if _has_won(each)]
    return max(gains, default=0.0)


def _repaired(epoch: Epoch, pair: Pair, x: Any) -> Any:
    """Returns samples as the latest experiment repairs them, or without a step that only they had.

    Returns None without a repair. With wrong labels, undoing a step wins nothing.
    """
    if isinstance(x, Rows):
        return None
    for each in _tried(epoch):
        repair = each["found"]["cost"]["repair"]
        if repair and _has_won(each):
            return in_chunks(Repair(**repair), x)
    for name, kept in epoch.streams["validation"].kept_together().items():
        finding = pair.findings.get(source_of(name))
        if finding is not None and finding.kind == "preprocessing":
            step = explain(pair.reference.inputs[name], pair.current.inputs[name])
            return None if step is None else in_chunks(Repair(**undoing(step, kept.spec)), x)
    return None


def _tried(epoch: Epoch) -> list[Mapping[str, Any]]:
    """Returns the latest experiments on the samples of each input."""
    return list((epoch.states.get("difference") or {}).get("tried", {}).values())


def _has_won(tried: Mapping[str, Any]) -> bool:
    """Whether an experiment won more than the tolerance."""
    return bool(tried["families"]) and tried["families"][-1] != ""


def _follows(pair: Pair) -> Told:
    """Returns that differences of the samples cost nothing by themselves: no label fits them.

    What only an experiment with these labels has found is nothing at all.
    """
    names = [name for name, finding in pair.findings.items() if finding.kind == "covariate"]
    tested = {finding.feature for finding in pair.latest.findings}
    of_pair = pair.stream, pair.against
    none = Cost(0.0, (0.0, 0.0), 0, follows=True)
    causes, costs = dict.fromkeys(names), dict.fromkeys(names, none)
    # The feature of such a finding is the whole input, see `difference`.
    untested = dict.fromkeys([n for n in names if "/" not in n and n not in tested], True)
    return Told(causes={of_pair: causes}, costs={of_pair: costs}, denied={of_pair: untested})

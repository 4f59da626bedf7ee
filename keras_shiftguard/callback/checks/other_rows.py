"""`look` finds labels of validation that stand a row, or a time step, away from their samples."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from keras_shiftguard.callback.checks import schedule
from keras_shiftguard.callback.checks.check import Epoch, Told
from keras_shiftguard.callback.judged_samples import Judged
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import RELABELLED, Finding
from keras_shiftguard.detection.two_sample.tail_probabilities import SMALLEST_P, normal_sf
from keras_shiftguard.detection.words.said import Said
from keras_shiftguard.experiments.labels.other_rows import (
    NEXT,
    ROWS,
    TIMES,
    labels_of_other_rows,
)
from keras_shiftguard.experiments.targets import are_inputs
from keras_shiftguard.experiments.undo import MIN_WON_BACK


def look(state: Mapping[str, Any] | None, epoch: Epoch) -> tuple[Mapping[str, Any], Told]:
    """Tries the labels of the next rows, where the model is worse on validation.

    The state: `step`: how far the labels are off, 0 if they are not; `unit`, `finding` and `cost`
    then. What was found is told again in each epoch, until a later look takes it back.
    """
    state, pair = state or {}, epoch.main
    if pair is None:
        return state, Told()
    if pair in schedule.due(epoch):
        judged = epoch.judged(pair, epoch.is_apart)
        found = None if judged is None or not epoch.is_harder else _explained(judged, epoch)
        if found is None:
            return {"step": 0}, Told()
        unit, step, cost = found
        is_known = (state.get("unit"), state.get("step")) == (unit, step)
        is_new = not (epoch.is_last or is_known)
        cost = replace(cost.of_dependent(pair.distinct_share), is_new=is_new)
        since = state["finding"]["since"] if is_known else epoch.number
        finding = _finding(unit, step, cost, since)
        state = {"unit": unit, "step": step, "finding": finding.to_dict(), "cost": vars(cost)}
    if not state.get("step"):
        return state, Told()
    finding, cost = Finding.from_dict(state["finding"]), Cost.from_dict(state["cost"])
    costs = {(pair.stream, pair.against): {finding.feature: cost}}
    return state, Told(findings=(finding,), costs=costs)


def _explained(judged: Judged, epoch: Epoch) -> tuple[str, int, Cost] | None:
    """Returns along what and how far labels are moved, and the cost; None if it explains little.

    Where neighbours are alike, as days of weather are, the label before may fit a right series
    better. But then the model does not fail on validation, or it does so on training as well.
    """
    # Labels of other rows have little in common with their samples, so the model fails, unless the
    # labels are the samples of an autoencoder, which are all alike. Labels of other steps may have
    # much in common with theirs, but training is their control group.
    has_inputs = judged.training is not None and are_inputs(
        judged.training.images, judged.training.labels
    )
    units = (ROWS, TIMES, NEXT) if judged.fails or has_inputs else (TIMES, NEXT)
    found = labels_of_other_rows(
        judged.predict,
        judged.current,
        judged.judge,
        int(epoch.number or 0),
        judged.training,
        units,
    )
    if found is None:
        return None
    here, there = judged.worths
    gap = float(there.mean() - here.mean())
    return found if found[2].value >= MIN_WON_BACK * gap / judged.judge.unit(here) else None


def _finding(unit: str, step: int, cost: Cost, since: int | None) -> Finding:
    if unit == ROWS:
        text = f"each label stands one row {'below' if step > 0 else 'above'} its sample"
        fix = "x, y = x[:-1], y[1:]" if step > 0 else "x, y = x[1:], y[:-1]"
    elif unit == NEXT:
        text = f"the steps to predict are one step too {'late' if step < 0 else 'early'}"
        begin = "earlier" if step < 0 else "later"
        fix = f"Let the targets of validation begin one step {begin}, as those of training do."
    else:
        text = f"each label stands one step {'later' if step > 0 else 'earlier'} in its sequence"
        fix = f"y = np.roll(y, {-step}, axis=1)"
    return Finding(
        feature="labels/concept",
        kind="concept",
        family=RELABELLED,
        effect_size=1.0,
        interval=(1.0, 1.0),
        p_value=max(float(normal_sf(cost.sigmas)), SMALLEST_P),
        stream="validation",
        against="train",
        since=since,
        fix=fix,
        said=Said(
            f"In validation, {text}",
            "the labels belong to other samples",
            "effect size 1 (share of the labels)",
        ),
    )

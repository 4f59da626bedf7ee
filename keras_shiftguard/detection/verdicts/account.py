"""Verdicts on an account: the largest sure row, a sure rest, or where a gap comes from."""

import ast
from typing import Any

from keras_shiftguard.detection.gap_row import ACCURACY, GapRow, in_words
from keras_shiftguard.detection.verdicts.parts import ACT, FINE, LOOK, capital, parts_of
from keras_shiftguard.io.code_lines import renamed

# The words for a rest that is no fault, after "Validation is 26.6 points lower because". Keys are
# kinds of rows.
BECAUSE = {
    "memorised": "{cause}",
    "learning": "{cause}",
    "unexplained": "of something that too few labelled samples were kept to tell",
}
REPAIR = "x_val = guard.gap.rows[{number}].repair(x_val)"
ABOUT = {"input": "covariate", "labels": "concept", "class mix": "label", "model": "model"}
LOOK_AT = "Feed 200 rows of training through the pipeline of validation, and evaluate on them."


def fault(gap: Any) -> dict[str, Any] | None:
    """Returns the parts of a verdict on the largest sure row that can be undone, or None."""
    row = gap.fault
    return None if row is None or row.points <= 0 else of_row(row, gap)


def of_row(row: GapRow, gap: Any) -> dict[str, Any]:
    """Returns the parts of a verdict on a row of an account."""
    step = row.step
    if step is None and row.repaired_by is not None and row.kind == "input":
        step = REPAIR.format(number=list(gap.rows).index(row))
    step = step or "Compare how the two were collected and prepared."
    return parts_of(
        ACT,
        f"{capital(row.cause)}.",
        step=renamed(step, {"x": "x_val", "y": "y_val"}) if is_code(step) else step,
        cost=row.points,
        cost_interval=row.interval,
        metric=row.metric,
        cost_words=f"{verb(row.metric)} about {in_words(row.points, row.metric, row.interval)}",
        detail=f"{capital(row.cause)}.",
        about=(ABOUT[row.kind], row.family),
        streams=("validation", "train"),
    )


def is_code(step: str) -> bool:
    """Whether a step is a line of Python, and no sentence."""
    try:
        ast.parse(step)
    except SyntaxError:
        return False
    return True


def verb(metric: str) -> str:
    """Returns the verb that fits a cost in a metric."""
    return "costs" if metric == ACCURACY else "causes"


def sure_rest(gap: Any) -> dict[str, Any] | None:
    """Returns the parts of a verdict on a sure gap that nothing explains, or None."""
    rest = gap.rest
    if rest.kind != "unexplained" or not rest.sure or not gap.is_sure:
        return None
    size = in_words(rest.points, rest.metric)
    lower = "lower" if rest.metric == ACCURACY else "higher"
    return parts_of(
        LOOK,
        f"{capital(gap.data)} is {size} {lower}, and {rest.cause}.",
        step=rest.step or LOOK_AT,
        cost=rest.points,
        cost_interval=rest.interval,
        metric=rest.metric,
        about=("gap", "unexplained"),
        streams=("validation", "train"),
    )


def where_from(gap: Any) -> dict[str, Any] | None:
    """Returns the parts of a verdict on data that match beside a sure gap, or None."""
    rest = gap.rest
    if not gap.is_sure or gap.gap <= 0:
        return None
    row = max(gap.rows, key=lambda each: each.points)
    size = f"{100 * gap.gap:.1f} points lower"
    if gap.metric != ACCURACY:
        size = f"{100 * gap.gap:.0f} % higher in its loss"
    because = BECAUSE.get(row.kind, "{cause}").format(cause=row.cause)
    found = parts_of(FINE, "", step=rest.step or "Nothing to do.", about=("gap", row.kind))
    # This sentence is not made short: it is the answer.
    found["cause"] = f"The data match. {capital(gap.data)} is {size} because {because}."
    return found


def within_chance(gap: Any) -> dict[str, Any]:
    """Returns the parts of a verdict on a gap that is no more than chance."""
    return parts_of(FINE, f"{capital(gap.data)} is as good as {gap.against}, within chance.")

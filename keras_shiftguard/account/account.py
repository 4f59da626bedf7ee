"""`account`: why one accuracy is lower than another: an experiment a row, and rows that add up."""

from dataclasses import dataclass, replace

import numpy as np

from keras_shiftguard.account.class_mix import STEP, class_mix
from keras_shiftguard.account.damage import damage_of
from keras_shiftguard.account.likelihoods import Classes
from keras_shiftguard.account.report import GapReport
from keras_shiftguard.account.rest import FirstPass, name_of_rest
from keras_shiftguard.account.rival import Undoing
from keras_shiftguard.account.rivals import rivals_of
from keras_shiftguard.account.samples import Case
from keras_shiftguard.account.search import ERRORS, Search
from keras_shiftguard.account.taken import Taken
from keras_shiftguard.detection.gap_row import ACCURACY, KINDS, GapRow
from keras_shiftguard.detection.two_sample.tail_probabilities import SIGMAS

# Labelled samples without which nothing is tried, and with which small costs are found as well.
# Conventions: of 60 samples, halves tell of costs above thirty points only.
MIN_SAMPLES, ENOUGH = 60, 150
LEARNING = "training is harder while learning: dropout, augmentation, weights of earlier batches"
LEARNING_LESS = "in inference mode the model is worse on training than Keras logged"
TOO_FEW = f"{{number}} labelled samples tell of large costs only; about {ENOUGH} would tell more"


@dataclass(frozen=True)
class Logged:
    """What Keras logged: accuracies, or losses, and on how many samples.

    Args:
        reference: Of training, or of a reference.
        measured: Of validation.
        num_reference: Number of samples of the first one; 0 for a number without error.
        num_measured: Number of samples of the second one.
        against: What the reference is: `"training"`.
        data: What was measured: `"validation"`.
    """

    reference: float
    measured: float
    num_reference: int
    num_measured: int
    against: str = "training"
    data: str = "validation"


def account(case: Case, logged: Logged, first: FirstPass | None = None) -> GapReport:
    """Returns the account of a gap; its rows add up to the gap exactly.

    Args:
        case: The samples, and how predictions are judged.
        logged: Both ends of the gap.
        first: The first epoch that learnt something; None if it is not known.
    """
    unit = float(getattr(case.likelihood, "unit", 1.0))
    gap, error = _gap(case, logged, unit)
    interval = gap - SIGMAS * error, gap + SIGMAS * error
    report = GapReport(
        (),
        logged.reference,
        logged.measured,
        interval,
        case.likelihood.metric,
        logged.against,
        logged.data,
        len(case.here),
    )
    gap = report.gap
    rivals, is_short = rivals_of(case), len(case.here) < MIN_SAMPLES
    notes = (TOO_FEW.format(number=len(case.here)),) if len(case.here) < ENOUGH else ()
    while True:
        search = Search.of(case)
        search.undo(case.more)
        if not is_short:
            search.run(rivals)
        rows = _rows(search, logged, gap, unit, first, is_short)
        rest = max((_weight(row) * row.points for row in rows), default=0.0)
        # Where a model fails, what is no cause wins a little: it must win more than what is left.
        known = {rival.name for rival in case.more}
        losing = [each.rival.name for each in search.taken if each.points < rest]
        gone = [name for name in losing if name not in known]
        gone = [] if any(each.rival.kind == "model" for each in search.taken) else gone
        if not gone:
            break
        rivals = [rival for rival in rivals if rival.name not in gone]
        if any(name not in ("renamed", "random") for name in gone):
            rivals = [rival for rival in rivals if rival.kind != "input"]
    words = {"data": logged.data}
    rows = [
        replace(row, cause=row.cause.replace("{data}", words["data"]), metric=report.metric)
        for row in rows
    ]
    return replace(report, rows=_with_accuracies(rows, report), notes=notes)


def _weight(row: GapRow) -> float:
    """Returns how much of a row must be won by each cause: the whole of what nothing explains.

    Of what may be memory, it is half.
    """
    if row.kind == "unexplained":
        return float(row.sure)
    return 0.5 if row.kind == "memorised" and not row.sure else 0.0


def _gap(case: Case, logged: Logged, unit: float) -> tuple[float, float]:
    """Returns the gap in units, and its standard error."""
    sizes = logged.num_reference, logged.num_measured * case.share
    ends = logged.reference, logged.measured
    if case.likelihood.metric == ACCURACY:
        squared = [p * (1 - p) / n for p, n in zip(ends, sizes, strict=True) if n]
        return ends[0] - ends[1], float(sum(squared) ** 0.5)
    worth = case.likelihood.worth(case.here.outputs, case.here.y)
    relative = float(worth.std() / (abs(worth.mean()) + 1e-12))
    gap = (ends[1] - ends[0]) / max(abs(ends[1]), 1e-12)
    return gap, relative * float(sum(1 / n for n in sizes if n) ** 0.5)


def _rows(
    search: Search,
    logged: Logged,
    gap: float,
    unit: float,
    first: FirstPass | None,
    is_short: bool,
) -> list[GapRow]:
    """Returns all rows, the biggest first, in units; the rest makes them add up to the gap."""
    case, there = search.case, search.worth_of_training()
    is_accuracy = case.likelihood.metric == ACCURACY
    here = search.worth()
    number = len(here) * case.share
    of_here = float(here.std() / number**0.5)
    inference, of_there = logged.reference if is_accuracy else -logged.reference / unit, 0.0
    rows: list[GapRow] = []
    if there is not None and len(there):
        before, inference = inference, float(there.mean())
        of_there = float(there.std() / len(there) ** 0.5)
        if case.is_of_fit:
            rows.append(_learning(before - inference, of_there, is_accuracy))
    rows += [row for taken in search.taken for row in _of_taken(taken)]
    rest = gap - sum(row.points for row in rows)
    error = float(np.hypot(of_here, of_there))
    if isinstance(case.likelihood, Classes) and search.training is not None:
        ids = np.concatenate([way[1].y for way in search.ways])
        mix = class_mix(case.likelihood, search.training, ids)
        if mix is not None and abs(mix.points) > case.tolerance:
            ends = _ends(mix.points, mix.error)
            sure = mix.points > ERRORS * mix.error and gap > 0
            rows.append(GapRow("class mix", mix.cause, mix.points, ends, sure, step=STEP))
            rest -= mix.points
    if (
        rest > max(2 * case.tolerance, ERRORS * error)
        and search.training is not None
        and not is_short
    ):
        halves = [way[1] for way in search.ways]
        damage = damage_of(case, halves, search.training)
        least = max(2 * case.tolerance, 0.0 if damage is None else ERRORS * damage.error)
        if damage is not None and damage.points > least:
            points = min(damage.points, rest)
            ends = _ends(points, damage.error)
            rows.append(GapRow("input", damage.cause, points, ends, True, step=damage.step))
            rest -= points
            error = float(np.hypot(error, damage.error))
    kind, cause, step, sure = name_of_rest(search, rest, error, first)
    others = sum(row.points for row in rows)
    rows.append(GapRow(kind, cause, gap - others, _ends(gap - others, error), sure, step=step))
    if kind not in ("memorised", "unexplained"):
        rows.append(GapRow("unexplained", "within chance", 0.0, (0.0, 0.0)))
    return sorted(rows, key=lambda row: (-row.points, KINDS.index(row.kind)))


def _learning(points: float, error: float, is_accuracy: bool) -> GapRow:
    cause = LEARNING if points <= 0 else LEARNING_LESS
    sure = abs(points) > max(0.01, ERRORS * error)
    return GapRow("learning", cause, points, _ends(points, error), sure)


def _of_taken(taken: Taken) -> list[GapRow]:
    """Returns the row of a winner; of a pair, a row for each, which share what both win."""
    undoing, rival = taken.undoing, taken.rival
    if rival.kind != "pair":
        return [_row(rival.kind, undoing, taken.points, taken.error, rival.family, rival.source)]
    one, other = undoing.strength
    of_input, of_labels = taken.parts or (taken.points / 2, taken.points / 2)
    family = rival.family.split(" and ")[0]
    return [
        _row("input", one, of_input, taken.error, family, rival.source),
        _row("labels", other, of_labels, taken.error, "labels renamed", ""),
    ]


def _row(
    kind: str, undoing: Undoing, points: float, error: float, family: str, source: str
) -> GapRow:
    return GapRow(
        kind,
        undoing.cause,
        points,
        _ends(points, error),
        True,
        step=undoing.step,
        operation=undoing.operation,
        repaired_by=undoing.repaired_by,
        source=source,
        family=family,
    )


def _ends(points: float, error: float) -> tuple[float, float]:
    return points - SIGMAS * error, points + SIGMAS * error


def _with_accuracies(rows: list[GapRow], report: GapReport) -> tuple[GapRow, ...]:
    """Returns the rows with the metric that is left when each, and those before it, are gone."""
    found, reached = [], 0.0
    for row in rows:
        reached += row.points
        if report.metric == ACCURACY:
            left = report.measured + reached
        else:
            left = report.measured * (1 - reached)
        found.append(replace(row, accuracy=left))
    return tuple(found)

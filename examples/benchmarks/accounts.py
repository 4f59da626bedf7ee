"""Account benchmark: does `guard.gap` say why validation is lower, where the truth is known?

    KERAS_BACKEND=torch python examples/benchmarks/accounts.py --jobs 2 --json accounts.jsonl
    KERAS_BACKEND=torch python examples/benchmarks/accounts.py --part aside --jobs 2

Each cell is a fit of a small network with a `ShiftGuard`; one cause, two, or none are planted. The
truth of a cause is what validation gains, with the final weights, when that cause is taken away; of
several, the mean over all orders of taking them away (Shapley). Half of the cells, chosen by their
names alone, are set aside: rules are made on the others. A third of the planted data is never given
to the fit; there the repair of a sure row must gain what the row promises. Points are of accuracy,
of binary accuracy for several labels, or of the loss on validation where numbers are predicted.
A cell that stands in the file of `--json` is not run again.
"""

import argparse
import json
import multiprocessing
import os
import re
import statistics
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

from accounts_cases import CAUSES, cells

COSTLY = 0.02  # a cause that costs as much should be named
TRIFLE = 0.005  # a row whose cause costs less is wrong
PLAIN = ("learning", "memorised")  # rows that a right fit may have


# --- what is right -------------------------------------------------------------------------------


def names(row, cause, truth):
    """Whether a row names a cause: the kind, and the words or an operation that undoes it."""
    about = CAUSES[cause]
    if row["kind"] != about.kind:
        return False
    if not about.words:
        return True
    undoes = row["operation"] in about.operations and row["points"] >= truth / 2
    text = f"{row['operation'] or ''} {row['cause']}"
    return undoes or bool(re.search(about.words, text, re.IGNORECASE))


def planted(found):
    """Returns the causes that should be named, the costliest first, with what they cost."""
    costs = {cause: found["truth"][cause][0] for cause, _ in found["plants"]}
    return dict(sorted(costs.items(), key=lambda item: -item[1]))


def naming_rows(found, cause):
    """Returns the sure rows that name a cause: several, if it is undone in several steps."""
    rows = [row for row in found["rows"] or () if row["sure"]]
    return [row for row in rows if names(row, cause, found["truth"][cause][0])]


def is_named(found, main):
    """Whether the largest sure row of those that may be wrong names the main cause.

    Of two causes that hide each other, what each wins depends on which is taken away first. The
    largest row may also name the other one, if that can win as much as the main cause does.
    Memory that nobody planted is no mistake: it may be larger than what is planted.
    """
    truth, planted = found["truth"], [cause for cause, _ in found["plants"]]
    passed = ("learning",) if "memorised" in planted else PLAIN
    rows = [row for row in found["rows"] or () if row["sure"] and row["kind"] not in passed]
    largest = max(rows, key=lambda row: row["points"], default=None)
    able = [cause for cause in planted if cause == main or truth[cause][2] >= truth[main][0]]
    return largest is not None and any(names(largest, c, truth[c][0]) for c in able)


def wrong_rows(found):
    """Returns sure rows of a kind that nothing planted has, or whose cause costs a trifle.

    What is true of any network counts as well: memory, and batch norm that is behind. A rest
    without a name accuses nobody; it counts for fits in which nothing is planted.
    """
    true = {CAUSES[cause].kind for cause, cost in found["truth"].items() if cost[0] >= TRIFLE}
    true |= {"learning", *(("unexplained",) if found["plants"] else ())}
    return [row for row in found["rows"] or () if row["sure"] and row["kind"] not in true]


def has_accused(found):
    """Whether a sure row is there that a right fit has not; batch norm may truly be behind."""
    may = {CAUSES[cause].kind for cause, cost in found["truth"].items() if cost[0] >= TRIFLE}
    may |= set(PLAIN)
    return any(row["sure"] and row["kind"] not in may for row in found["rows"] or ())


def inside(found):
    """Yields, for each cause that sure rows name: can it be undone, and is the truth inside?

    Where there are two causes, the truth depends on which is taken away first; it is then all
    that lies between the smallest and the largest.
    """
    for cause, (truth, low, high) in found["truth"].items():
        intervals = [row["interval"] for row in naming_rows(found, cause)]
        if not intervals or None in intervals or truth < TRIFLE:
            continue
        lower, upper = map(sum, zip(*intervals, strict=True))
        yield CAUSES[cause].exact, lower <= high + 1e-9 and low - 1e-9 <= upper


def is_wrongly_fine(found):
    """Whether a verdict is fine beside a sure gap that nothing accounts for."""
    gap = found["logged gap"]
    if found["state"] != "fine" or gap < max(COSTLY, 2 * found["error"]):
        return False
    rows = found["rows"]
    return not rows or max(rows, key=lambda row: row["points"])["kind"] == "unexplained"


def outcome(found):
    """Says in a word or two whether an account is right."""
    if "crash" in found:
        return "CRASH"
    words = []
    main, *others = [cause for cause, cost in planted(found).items() if cost >= COSTLY] or [None]
    if not found["plants"]:
        words = ["ACCUSED" if has_accused(found) else "right"]
    elif main is not None:
        words = ["right" if is_named(found, main) else "MISSED"]
        words += ["and right" if naming_rows(found, other) else "and MISSED" for other in others]
    else:
        words = ["cheap"]
    words += ["WRONG ROW"] if wrong_rows(found) and found["plants"] else []
    words += ["FINE BESIDE A GAP"] if is_wrongly_fine(found) else []
    return ", ".join(words)


# --- what is printed -----------------------------------------------------------------------------


def line(found):
    if "crash" in found:
        return f"{found['name']}: CRASH {found['crash'].strip().splitlines()[-1]}"
    truths = [f"{cause} {100 * cost[0]:.1f}" for cause, cost in found["truth"].items()]
    parts = [f"{found['name']}: gap {100 * found['logged gap']:.1f}, truth {', '.join(truths)}"]
    for row in found["rows"] or ():
        about = row["operation"] and f" {row['operation']} {row['strength']}" or ""
        kept = "" if row["kept"] is None else f", kept {100 * row['kept']:.1f}"
        about = f"{'' if row['sure'] else '(?) '}{row['kind']}{about}: {row['cause'][:90]}{kept}"
        parts.append(f"    {100 * row['points']:6.1f}  {about}")
    said = "" if found["rows"] else ", no account"
    parts.append(f"    => {outcome(found)} ({found['state']}{said}; {found['added']:.1f} s)")
    return "\n".join(parts)


def share(values, goal, at_most=False):
    """Returns how many are true, their share, and the goal: a percentage."""
    sign = "<=" if at_most else ">="
    if not values:
        return f"{'-':>16}  goal {sign} {goal} %"
    percent = 100 * sum(values) / len(values)
    passed = percent <= goal if at_most else percent >= goal
    text = f"{sum(values):4} of {len(values):3} {percent:3.0f} %  goal {sign} {goal} %"
    return text if passed else f"{text}  MISSED"


def totals(part, results):
    """Prints the figures of a part beside their goals."""
    ran = [found for found in results if "crash" not in found]
    faults = [found for found in ran if found["plants"]]
    right = [found for found in ran if not found["plants"]]
    crashes = len(results) - len(ran)
    print(f"\n{part}: {len(ran)} fits, {len(right)} with nothing planted, {crashes} crashes")
    one, two = ([f for f in faults if len(f["plants"]) == n] for n in (1, 2))
    one = [f for f in one if max(planted(f).values()) >= COSTLY]
    two = [f for f in two if max(planted(f).values()) >= COSTLY]
    both = [f for f in two if min(planted(f).values()) >= COSTLY]
    main = {f["name"]: next(iter(planted(f))) for f in one + two}
    measured = [pair for found in ran for pair in inside(found)]
    promises = [
        row["kept"] >= row["interval"][0] - 1e-9
        for found in ran
        for row in found["rows"] or ()
        if row["kept"] is not None and row["interval"] is not None
    ]
    accounts = [f for f in ran if f["sum"] is not None]
    named, named_both = "two causes, the main one named", "two causes, both named"
    for words, found, goal in (
        ("one cause, named", [is_named(f, main[f["name"]]) for f in one], 95),
        (named, [is_named(f, main[f["name"]]) for f in two], 90),
        (named_both, [all(naming_rows(f, c) for c in planted(f)) for f in both], 80),
        ("truth in the interval", [hit for _, hit in measured], 90),
        ("  of causes that can be undone", [hit for exact, hit in measured if exact], 90),
        ("repairs that keep their promise elsewhere", promises, 95),
        ("fits with an account", [f["rows"] is not None for f in ran], 100),
    ):
        print(f"  {words:42}{share(found, goal)}")
    for words, found, goal in (
        ("fits with a sure row that is no cause", [bool(wrong_rows(f)) for f in ran], 2),
        ("nothing planted, and accused", [has_accused(f) for f in right], 0),
        ("fine beside a gap without a name", [is_wrongly_fine(f) for f in ran], 0),
        ("rows that do not add up to the gap", [abs(f["sum"]) > 1e-9 for f in accounts], 0),
    ):
        print(f"  {words:42}{share(found, goal, at_most=True)}")
    for group in dict.fromkeys(f["group"] for f in faults):
        chosen = [f for f in one + two if f["group"] == group]
        hits = sum(is_named(f, main[f["name"]]) for f in chosen)
        print(f"    main cause named, {group:24}{hits:6} of {len(chosen):3}")
    added = [f["added"] for f in ran] or [0.0]
    print(
        f"  CPU seconds after the last epoch: median {statistics.median(added):.1f}, most "
        f"{max(added):.1f}"
    )


# --- runs ----------------------------------------------------------------------------------------


def result(cell):
    """Runs a cell; a crash is a result as well."""
    try:
        from accounts_fits import run

        return run(cell)
    except Exception:
        about = {"name": cell.name, "part": cell.part, "group": cell.group}
        return about | {"crash": traceback.format_exc()[-2000:]}


def results(chosen, jobs):
    """Yields the results of cells as they come."""
    if jobs == 1:
        yield from map(result, chosen)
        return
    spawn = multiprocessing.get_context("spawn")  # one thread each, from the environment
    with ProcessPoolExecutor(jobs, mp_context=spawn) as pool:
        for future in as_completed([pool.submit(result, cell) for cell in chosen]):
            yield future.result()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--part", choices=("open", "aside", "all"), default="open")
    parser.add_argument("--only", default="", help="run cells whose name has this in it")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="worker processes, one thread each")
    parser.add_argument("--json", type=Path, help="a file that gets one line for each cell")
    parser.add_argument("--list", action="store_true", help="print the names of the cells")
    options = parser.parse_args()
    chosen = [
        cell
        for cell in cells(options.seeds)
        if options.part in ("all", cell.part) and options.only in cell.name
    ]
    if options.list:
        print("\n".join(f"{cell.part:6}{cell.name}" for cell in chosen))
        return
    wanted, known = {cell.name for cell in chosen}, {}
    if options.json and options.json.exists():
        rows = map(json.loads, options.json.read_text().splitlines())
        known = {row["name"]: row for row in rows if row["name"] in wanted}
    for found in known.values():
        print(line(found), flush=True)
    for found in results([cell for cell in chosen if cell.name not in known], options.jobs):
        known[found["name"]] = found
        print(line(found), flush=True)
        if options.json and "crash" not in found:
            with options.json.open("a") as file:
                file.write(json.dumps(found, default=float) + "\n")
    for part in ("open", "aside"):
        if mine := [found for found in known.values() if found["part"] == part]:
            totals(part, mine)


if __name__ == "__main__":
    main()

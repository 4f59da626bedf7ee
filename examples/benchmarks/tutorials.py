"""Tutorials benchmark: is the guard quiet where a tutorial is right, and clear where it is not?

    python examples/benchmarks/tutorials.py --backends torch --save tutorials.jsonl
    python examples/benchmarks/tutorials.py --table tutorials.jsonl

Each tutorial of `examples/tutorials` is fitted without the guard, and with it in another process,
so that both are the first fit of a process. Then each mistake is planted in validation, and a new
model is fitted under the guard. What a mistake costs is measured without the guard: the model of
the first process is evaluated on validation as it is and with the mistake. Rows are appended to a
file as they come. The guard's own clock counts CPU seconds here, because other jobs may run on the
same machine, and with too little time it measures less. Every third tutorial is set aside (see
`tutorials.tutorial.ASIDE`) and reported apart: rules are made and judged on the others.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
import traceback
import warnings
from collections import defaultdict
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryFile
from types import SimpleNamespace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))
OWN_KEYS = {"shift", "val_shift"}
COSTLY = 0.02  # of accuracy, or of the metric: a mistake that costs as much should be an alarm
SHARES = ("acc", "auc", "recall", "precision", "iou", "dice")


def is_share(metric):
    """Whether a metric is a share of 1 of which more is better."""
    return any(word in metric.lower() for word in SHARES)


def harm(metric, clean, bad):
    """Returns what a change costs: points of a share, or the part of a larger loss."""
    if is_share(metric):
        return clean - bad
    return (bad - clean) / bad if bad else 0.0


def prepared(name, seed):
    import keras
    from tutorials import tutorial

    keras.utils.set_random_seed(seed)
    return tutorial.load(name, seed)


def timed(tutorial, validation, callbacks):
    start = time.process_time()
    history = tutorial.run(validation, callbacks)
    return history, time.process_time() - start


def without_guard(name, seed):
    """Yields rows of a tutorial as it is: its history, and what its mistakes cost."""
    tutorial = prepared(name, seed)
    history, seconds = timed(tutorial, tutorial.validation, [])
    row = {"what": "plain", "history": history, "seconds": seconds, "metric": tutorial.metric}
    if tutorial.validation is not None:
        row["clean"] = clean = tutorial.evaluate(tutorial.validation)
    yield row
    for mistake in tutorial.mistakes:
        bad = tutorial.evaluate(mistake.change(*tutorial.validation))
        costs = {metric: harm(metric, clean[metric], bad[metric]) for metric in clean}
        yield {"what": "cost", "mistake": mistake.name, "costs": costs, "metric": tutorial.metric}


def with_guard(name, seed, number, known=()):
    """Yields what the guard says of a tutorial as it is, and with each of `number` mistakes.

    `known` are the names of the mistakes whose rows are there already; None is the right tutorial.
    """
    for mistake in [None, *prepared(name, seed).mistakes[:number]]:
        planted = mistake.name if mistake is not None else None
        if planted in known:
            continue
        tutorial = prepared(name, seed)
        validation = tutorial.validation
        if mistake is not None:
            validation = mistake.change(*validation)
        row = {"what": "guarded", "mistake": planted, "metric": tutorial.metric}
        yield row | under_guard(tutorial, validation, mistake)


def under_guard(tutorial, validation, mistake):
    import keras_shiftguard as sg
    from keras_shiftguard.callback import spending

    spending.time = SimpleNamespace(perf_counter=time.process_time, process_time=time.process_time)
    guard, out = sg.ShiftGuard(), StringIO()
    with warnings.catch_warnings(record=True) as caught, redirect_stdout(out):
        warnings.simplefilter("always")
        try:
            history, seconds = timed(tutorial, validation, [guard])
        except Exception:
            return {"crash": traceback.format_exc()[-1500:]}
    told = [str(w.message) for w in caught if issubclass(w.category, sg.ShiftWarning)]
    report, diagnosis = guard.report, guard.diagnosis
    alarms = [f for f in (report.findings if report else []) if f.matters]
    row = {
        "history": history,
        "seconds": seconds,
        "terminal": out.getvalue().strip().splitlines(),
        "warnings": told,
        "mismatch": bool(diagnosis and diagnosis.status == "mismatch"),
        "shifted": bool(report and report.shifted),
        "report": str(report),
        "diagnosis": str(diagnosis),
    }
    if alarms:
        first = alarms[0]
        row |= {"cost": first.cost, "interval": first.cost_interval, "cost_of": first.metric}
    if mistake is not None:
        # What a user sees of a fit: its warnings, and the verdict in the terminal.
        seen = "\n".join([*told, *row["terminal"]])
        row["named"] = bool(re.search(mistake.cause, seen, re.IGNORECASE))
        row["step"] = bool(re.search(mistake.step, seen, re.IGNORECASE))
    return row


def child(name, backend, guarded, options, known):
    """Yields the rows of one process as they come, and one on how it ended."""
    command = [sys.executable, "-W", "ignore", __file__, "--only", name]
    command += ["--child", str(int(guarded)), "--seed", str(options.seed)]
    command += ["--mistakes", str(options.mistakes), "--known", json.dumps(known)]
    env = {**os.environ, "KERAS_BACKEND": backend}
    with TemporaryFile("w+") as errors:
        pipes = {"stdout": subprocess.PIPE, "stderr": errors, "text": True}
        with subprocess.Popen(command, env=env, **pipes) as process:
            for line in process.stdout:
                if line.startswith('{"what"'):
                    yield json.loads(line)
        end = {"guarded": guarded, "mistakes": options.mistakes}
        if process.returncode:
            errors.seek(0)
            end["error"] = errors.read()[-1500:]
    yield {"what": "failed" if "error" in end else "done"} | end


def other_keys(plain, guarded):
    """Returns keys of the logs that one of two histories has, other than those of the guard."""
    return sorted(plain.keys() ^ (guarded.keys() - OWN_KEYS))


def is_equal(plain, guarded):
    return all(plain[key] == guarded[key] for key in plain.keys() & guarded.keys())


def is_alarm(row):
    return row["mismatch"] or row["shifted"] or bool(row["warnings"])


def by_tutorial(rows):
    """Returns rows by tutorial, backend and seed."""
    groups = defaultdict(list)
    for row in rows:
        groups[row["name"], row["backend"], row["seed"]].append(row)
    return groups


def right_row(rows):
    """Returns what the guard did to a tutorial that is right, or None if it was not run."""
    plain = next((r for r in rows if r["what"] == "plain"), None)
    guarded = next((r for r in rows if r["what"] == "guarded" and r["mistake"] is None), None)
    if plain is None or guarded is None:
        return None
    if "crash" in guarded:
        return {"crash": True}
    return {
        "crash": False,
        "history": not is_equal(plain["history"], guarded["history"]),
        "keys": bool(other_keys(plain["history"], guarded["history"])),
        "mismatch": guarded["mismatch"],
        "alarm": guarded["shifted"],
        "lines": len(guarded["terminal"]) + len(guarded["warnings"]),
        "ratio": guarded["seconds"] / max(plain["seconds"], 1e-9),
        "added": guarded["seconds"] - plain["seconds"],
    }


def mistake_rows(rows):
    """Returns what each planted mistake costs, and what the guard said of it."""
    costs = {r["mistake"]: r for r in rows if r["what"] == "cost"}
    found = []
    for row in rows:
        if row["what"] != "guarded" or row["mistake"] not in costs:
            continue
        costed = costs[row["mistake"]]
        told = {"mistake": row["mistake"], "cost": costed["costs"][costed["metric"]]}
        if "crash" in row:
            found.append(told | {"crash": True, "alarm": False})
            continue
        told |= {"alarm": is_alarm(row), "named": row["named"], "step": row["step"]}
        interval, metric = row.get("interval"), row.get("cost_of")
        truth = costed["costs"].get("loss" if metric != "accuracy" else "accuracy")
        if interval is not None and truth is not None and told["alarm"]:
            low, high = interval
            told |= {"within": low <= truth <= high, "told": row["cost"], "truth": truth}
        found.append(told)
    return found


def count(values):
    values = list(values)
    return f"{sum(values)}/{len(values)}" if values else "-"


def worst_cell(found, key, digits):
    """Returns the median and the largest of a number of the right tutorials."""
    values = [r[key] for r in found if not r["crash"]]
    return f"{statistics.median(values):.{digits}f}; {max(values):.{digits}f}" if values else "-"


def right_table(groups):
    """Prints a row of figures for each part of the right tutorials."""
    head = ("crash", "other history", "other keys", "false mismatch", "false alarm")
    cpu = "CPU ratio, median; worst | CPU seconds added, median; worst"
    print("| right tutorials | runs | " + " | ".join(head) + f" | lines | {cpu} |")
    print("|---" * 10 + "|")
    for part, members in groups.items():
        found = [row for rows in members if (row := right_row(rows)) is not None]
        ran = [row for row in found if not row["crash"]]
        cells = [count(row["crash"] for row in found)]
        cells += [
            count(row[key] for row in ran) for key in ("history", "keys", "mismatch", "alarm")
        ]
        lines = sorted(row["lines"] for row in ran)
        shown = f"{statistics.median(lines):g}; {lines[-1]}" if lines else "-"
        cells += [shown, worst_cell(found, "ratio", 2), worst_cell(found, "added", 1)]
        print(f"| {part} | {len(found)} | {' | '.join(cells)} |")


def mistake_table(groups):
    """Prints a row of figures for each part of the planted mistakes."""
    print("| mistakes | planted | costly | alarm, if costly | alarm, else | cause named |", end="")
    print(" step named | cost in interval |\n" + "|---" * 8 + "|")
    for part, members in groups.items():
        found = [row for rows in members for row in mistake_rows(rows)]
        costly = [row for row in found if row["cost"] >= COSTLY]
        other = [row for row in found if row["cost"] < COSTLY]
        alarms = [row for row in costly if row["alarm"]]
        cells = [str(len(found)), str(len(costly)), count(row["alarm"] for row in costly)]
        cells += [count(row["alarm"] for row in other)]
        cells += [count(row["named"] for row in alarms), count(row["step"] for row in alarms)]
        cells += [count(row["within"] for row in alarms if "within" in row)]
        print(f"| {part} | {' | '.join(cells)} |")


def tables(rows):
    """Prints the two tables, by kind of task, and for the part set aside."""
    from tutorials import tutorial

    groups = {"**all but those set aside**": [], "**set aside**": []}
    kinds = defaultdict(list)
    for (name, _, _), members in by_tutorial(rows).items():
        aside = name in tutorial.ASIDE
        groups["**set aside**" if aside else "**all but those set aside**"].append(members)
        kinds[("set aside: " if aside else "") + members[0]["kind"]].append(members)
    groups |= {kind: kinds[kind] for kind in sorted(kinds)}
    right_table(groups)
    print()
    mistake_table(groups)


def details(rows):
    """Prints each mistake of the tutorials that are not set aside, and what was said of it."""
    from tutorials import tutorial

    for (name, backend, _), members in by_tutorial(rows).items():
        if name in tutorial.ASIDE:
            continue
        found = right_row(members)
        print(f"{name} ({backend}): {found}")
        for row in members:
            if row["what"] == "failed" or "crash" in row:
                print("   ", row.get("error", row.get("crash")).strip().splitlines()[-1])
        said = {row["mistake"]: row for row in members if row["what"] == "guarded"}
        for line in [""] + [f"  - {text}" for text in said.get(None, {}).get("warnings", [])]:
            print(line) if line else None
        for row in mistake_rows(members):
            print(f"  {row}")
            if row["alarm"]:
                seen = said[row["mistake"]]["warnings"] + said[row["mistake"]]["terminal"]
                print("      " + " / ".join(seen)[:700].replace("\n", " "))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    parser.add_argument("--only", nargs="+", help="names of tutorials")
    parser.add_argument("--part", choices=("all", "open", "aside"), default="all")
    parser.add_argument("--mistakes", type=int, default=6, help="at most so many of each tutorial")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, help="a file that gets one line of JSON for each row")
    parser.add_argument("--table", type=Path, nargs="+", help="files of --save to print")
    parser.add_argument("--details", action="store_true", help="with --table: each mistake")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--known", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        about = (options.only[0], options.seed)
        guarded = (*about, options.mistakes, options.known or ())
        for row in with_guard(*guarded) if options.child else without_guard(*about):
            print(json.dumps(row, default=float), flush=True)
        return
    if options.table:
        rows = [json.loads(line) for path in options.table for line in path.open()]
    else:
        rows = list(measured(options))
    details(rows) if options.details else tables(rows)


def measured(options):
    """Yields the rows of all tutorials, and saves each; what the file has is not run again."""
    from tutorials import tutorial

    saved = []
    if options.save and options.save.exists():
        saved = [json.loads(line) for line in options.save.open()]
    yield from saved
    groups = by_tutorial(saved)
    for name in options.only or tutorial.NAMES:
        if options.part != "all" and (options.part == "aside") != (name in tutorial.ASIDE):
            continue
        for backend in options.backends:
            if backend not in tutorial.backends_of(name):
                continue
            about = {"name": name, "kind": tutorial.kind_of(name), "backend": backend}
            about["seed"] = options.seed
            for row in missing(name, backend, options, groups[name, backend, options.seed]):
                if options.save:
                    with options.save.open("a") as file:
                        file.write(json.dumps(about | row) + "\n")
                yield about | row


def missing(name, backend, options, rows):
    """Yields the rows of a tutorial that are not there yet."""
    ends = [row for row in rows if row["what"] == "done"]
    if not any(row["guarded"] == 0 for row in ends):
        yield from child(name, backend, 0, options, [])
    if not any(row["guarded"] == 1 and row["mistakes"] >= options.mistakes for row in ends):
        known = [row["mistake"] for row in rows if row["what"] == "guarded"]
        yield from child(name, backend, 1, options, known)


if __name__ == "__main__":
    main()

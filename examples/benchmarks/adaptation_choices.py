"""Adaptation benchmark: `auto` with each of its choices made on the other tasks.

    python examples/benchmarks/adaptation_choices.py --save RESULTS.json
    python examples/benchmarks/adaptation_choices.py --show RESULTS.json

Three rules of `method="auto"` were chosen by results on tasks of the suite (`adaptation.py`), so
its results on these tasks are no test. Here `auto` runs with each alternative that a rule was
chosen over. Then, for each task, a rule is chosen by its mean gain on all other tasks, and the
accuracy with this choice is reported. Only one rule is changed at a time, and the constants of the
other rules stay. RESULTS.json must hold the runs of `source` and `auto` that
`adaptation.py` saved. The runs are added to it.

A training ends early if the alternative decides, at the end of the first stage, as `auto` did: then
its result is that of `auto`.
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import adaptation
import numpy as np
from adaptation_data import TASKS

from keras_shiftguard.domains import auto, watch
from keras_shiftguard.domains.alignment import methods


class Auto(auto.AutoGuard):
    """The rules of `auto`. A subclass changes one of them, in `alter`, after the first stage."""

    always_differs = (
        False  # whether the training differs before or after the end of the first stage
    )
    same = False  # whether the last training was stopped, as it would have been that of `auto`

    def begin(self, evidence):
        super().begin(evidence)
        before = self.decision()
        if before[0]:  # AdaMatch is tried
            self.alter(evidence)
        unchanged = before == self.decision()
        type(self).same = unchanged and (not before[0] or not self.always_differs)
        if self.same:
            self.model.stop_training = True

    def decision(self):
        """Returns the strength of AdaMatch and the exponent of its alignment."""
        return self.model.current_strength, float(self.model.methods[0].alignment)

    def alter(self, evidence):
        pass


class Whole(Auto):
    def alter(self, evidence):
        self.model.methods[0].alignment.assign(1.0)


class Half(Auto):
    def alter(self, evidence):
        self.model.methods[0].alignment.assign(auto.ALIGNMENT)


class SharesOfTheBatch(Auto):
    always_differs = True


class LearnedTo80(Auto):
    def alter(self, evidence):
        if evidence.source_accuracy < 0.8:
            self.model.strength.assign(0.0)


# By rule of `auto`: the alternatives that it was chosen over.
ALTERNATIVES = {
    "alignment half of the way, if the model is usable": {
        "whole alignment": Whole,
        "half of the way always": Half,
    },
    "averages of the class shares": {"shares of the batch": SharesOfTheBatch},
    "AdaMatch if half way from guessing to 100 %": {"at 80 % accuracy": LearnedTo80},
}
RULES = {name: rule for rules in ALTERNATIVES.values() for name, rule in rules.items()}


def run(task, name, seed, of_auto):
    """Trains `auto` with an alternative rule; returns the record, or that of `auto` if it is equal.

    Args:
        task: The name of the task.
        name: The name of the alternative.
        seed: The seed.
        of_auto: The record of `auto` on this task with this seed.
    """
    rule = RULES[name]
    rule.same = False
    watch.AutoGuard = rule
    methods.MOMENTUM = 0.0 if rule is SharesOfTheBatch else auto.MOMENTUM
    record = adaptation.run(task, "auto", seed)
    if rule.same:
        record = of_auto | {"seconds": record["seconds"]}
    return record | {"method": f"auto: {name}", "as_auto": rule.same}


def tables(records):
    """Prints the gain with each alternative, and that with the rules that other tasks choose."""
    found = {}
    for record in records:
        found.setdefault((record["task"], record["method"]), {})[record["seed"]] = record
    tasks = [t for t in TASKS if all((t, f"auto: {name}") in found for name in RULES)]
    base = {task: np.mean(adaptation.gains_of("auto", found)[task]) for task in tasks}
    # By alternative and task: the gain over `auto`, in the seeds in which it was run.
    over = {name: {task: over_auto(name, task, found) for task in tasks} for name in RULES}
    print("| task | seeds | auto | " + " | ".join(RULES) + " |")
    print("|---|---|---" + "|---" * len(RULES) + "|")
    for task in tasks:
        seeds = len(found[task, "auto"])
        cells = [f"{over[name][task]:+.3f}" if over[name][task] else "" for name in RULES]
        print(f"| {task} | {seeds} | {base[task]:+.3f} | " + " | ".join(cells) + " |")
    means = [f"{np.mean(list(by_task.values())):+.3f}" for by_task in over.values()]
    print(f"| mean | | {np.mean(list(base.values())):+.3f} | " + " | ".join(means) + " |")

    print("\n| task | chosen on the other tasks | gain | auto |")
    print("|---|---|---|---|")
    rows = []
    for task in tasks:
        others = [other for other in tasks if other != task]
        chosen = []
        for names in ALTERNATIVES.values():
            best = max(names, key=lambda name: np.mean([over[name][other] for other in others]))
            if np.mean([over[best][other] for other in others]) > 0:
                chosen.append(best)
        acting = [name for name in chosen if over[name][task]]
        if len(acting) > 1:
            raise SystemExit(f"{task}: run {acting} together, because both change its result")
        rows.append((base[task] + sum(over[name][task] for name in acting), base[task]))
        cells = " | ".join(f"{value:+.3f}" for value in rows[-1])
        print(f"| {task} | {', '.join(chosen) or 'as it is'} | {cells} |")
    cells = " | ".join(f"**{value:+.3f}**" for value in np.mean(rows, axis=0))
    print(f"| mean | | {cells} |")


def over_auto(name, task, found):
    """Returns the mean gain of an alternative over `auto` on one task, in the seeds that it has."""
    runs, of_auto = found[task, f"auto: {name}"], found[task, "auto"]
    return np.mean([run["accuracy"] - of_auto[seed]["accuracy"] for seed, run in runs.items()])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--rules", nargs="+", default=list(RULES), choices=list(RULES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument(
        "--save", help="a JSON file with the runs of `adaptation.py`; runs are added"
    )
    parser.add_argument("--show", nargs="+", help="print the tables of these files")
    arguments = parser.parse_args()
    if arguments.show:
        tables([record for path in arguments.show for record in adaptation.read(path)])
        return
    if not arguments.save:
        parser.error("--save or --show is needed: the file with the runs of adaptation.py")
    records = adaptation.read(arguments.save)
    done = {(r["task"], r["method"], r["seed"]): r for r in records}
    for seed in arguments.seeds:
        for task in arguments.tasks:
            for name in arguments.rules:
                if (task, f"auto: {name}", seed) in done:
                    continue
                record = run(task, name, seed, done[task, "auto", seed])
                records.append(record)
                shown = ("task", "method", "seed", "seconds", "accuracy", "as_auto")
                print(*(record[key] for key in shown), *record["actions"], flush=True)
                adaptation.write(records, arguments.save)
    tables(records)


if __name__ == "__main__":
    main()

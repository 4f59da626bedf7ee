"""Domain adaptation benchmark: accuracy on an unlabelled target, by task and method.

    python examples/benchmarks/adaptation.py --save RESULTS.json
    python examples/benchmarks/adaptation.py --tasks moons --methods dann --seeds 10 --save R.json
    python examples/benchmarks/adaptation.py --show RESULTS.json
    python examples/benchmarks/adaptation.py --show RESULTS.json --expect

Runs are added to the file that `--save` names, and runs that the file already holds are skipped. So
the suite can be run in parts, also in parallel with several files; `--show` takes several files.
With `--expect`, it prints beside the gain of `auto` what the model says before the training.

`source` is plain training with the same number of steps. `oracle` is trained on the labels of the
target. All other methods are `DomainAdaptationModel(method=...)`, and see no label of the target.
`augmentation` trains on augmented source samples and has no loss on the target. Networks are
trained with Adam; `dann, sgd` with the optimizer of its paper. The figures are
those of the last epoch. The networks and their epochs are in `adaptation_data.py`.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from adaptation_data import TASKS
from selection_scores import SCORES, unlabelled_scores

from keras_shiftguard.domains.model import DomainAdaptationModel
from keras_shiftguard.domains.outcome import expectation

if keras.backend.backend() == "jax":  # the cache saves compiling the same steps for each seed
    import jax

    jax.config.update("jax_compilation_cache_dir", f"{tempfile.gettempdir()}/shiftguard_jax")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)

METHODS = {
    "source": None,
    "oracle": None,
    "augmentation": {"method": "augmentation"},
    "dann": {"method": "dann"},
    "dann, sgd": {"method": "dann"},
    "cdan": {"method": "cdan"},
    "cdan+e": {"method": "cdan", "entropy": True},
    "mmd": {"method": "mmd"},
    "coral": {"method": "coral"},
    "adamatch": {"method": "adamatch"},
    "adamatch+dann": {"method": ("adamatch", "dann")},
    "adamatch+mmd": {"method": ("adamatch", "mmd")},
    "auto": {"method": "auto"},
}


class Annealed(keras.optimizers.schedules.LearningRateSchedule):
    """The published learning rate of DANN (Ganin et al. 2016, section 5.2.2)."""

    def __init__(self, steps):
        self.steps = steps

    def __call__(self, step):
        progress = keras.ops.cast(step, "float32") / self.steps
        return 0.01 / (1 + 10 * progress) ** 0.75


def optimizer_of(method, steps):
    """Returns Adam; the published optimizer for `dann, sgd`."""
    if method == "dann, sgd":
        return keras.optimizers.SGD(Annealed(steps), momentum=0.9)
    return keras.optimizers.Adam(1e-3)


def run(task_name, method, seed, longer=1):
    """Trains a network for one task by one method; returns the record with its accuracies.

    The number of epochs is multiplied by `longer`.
    """
    task = TASKS[task_name](seed)
    keras.utils.set_random_seed(seed)
    model = task.network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained, data = model, {}
    if METHODS[method] is not None:
        trained = DomainAdaptationModel(model, "features", **METHODS[method], verbose=0)
        data = {"target_data": task.target[0]}
    epochs, fed = longer * task.epochs, task.source
    if method == "oracle":
        epochs = round(epochs * len(task.source[0]) / len(task.target[0]))
        fed = task.target
    steps = epochs * -(-len(fed[0]) // task.batch)
    trained.compile(optimizer_of(method, steps), loss, metrics=["accuracy"])
    start = time.process_time()
    trained.fit(
        *fed, **data, validation_data=task.validation, epochs=epochs, batch_size=task.batch,
        verbose=0,
    )  # fmt: skip
    record = {"task": task_name, "method": method, "seed": seed}
    record["seconds"] = round(time.process_time() - start, 1)
    for name, (x, y) in (("accuracy", task.test), ("source", task.validation)):
        record[name] = round(float((model.predict(x, verbose=0).argmax(axis=1) == y).mean()), 4)
    record["scores"] = unlabelled_scores(model, task)
    if METHODS[method] is not None:
        record["actions"] = [str(action) for action in trained.actions]
    return record


def tables(records):
    """Prints the mean accuracy of each task and method, and two summaries over the tasks."""
    found = {}
    for record in records:
        found.setdefault((record["task"], record["method"]), {})[record["seed"]] = record
    tasks = [task for task in TASKS if any(key[0] == task for key in found)]
    methods = [method for method in METHODS if any(key[1] == method for key in found)]
    print("| task | seeds | " + " | ".join(methods) + " |")
    print("|---|---" + "|---" * len(methods) + "|")
    for task in tasks:
        seeds = [len(found.get((task, method), {})) for method in methods]
        cells = [mean(found.get((task, method))) for method in methods]
        few, many = min(n for n in seeds if n), max(seeds)
        number = str(many) if few == many else f"{few} to {many}"
        print(f"| {task} | {number} | " + " | ".join(cells) + " |")
    print()
    print("| method | tasks, runs | mean gain over source | worst task | worst run | CPU s a run |")
    print("|---|---|---|---|---|---|")
    for method in methods:
        gains = gains_of(method, found)
        if gains:
            seconds = [
                run["seconds"] for key in found if key[1] == method for run in found[key].values()
            ]
            means = [np.mean(values) for values in gains.values()]
            every = np.concatenate(list(gains.values()))
            print(
                f"| {method} | {len(gains)}, {len(every)} | {np.mean(means):+.3f} | "
                f"{min(means):+.3f} | {every.min():+.3f} | {np.mean(seconds):.0f} |"
            )
    held_out(found)
    chosen_by_scores(found)


def gains_of(method, found):
    """Returns by task the gains of a method over `source`, one for each seed."""
    gains = {}
    for task in TASKS:
        base, runs = found.get((task, "source"), {}), found.get((task, method), {})
        if both := sorted(base.keys() & runs.keys()):
            gains[task] = [runs[seed]["accuracy"] - base[seed]["accuracy"] for seed in both]
    return gains


def held_out(found):
    """Prints how a method chosen on the other tasks does on each task, beside `auto`.

    A row has the one method, among those that ran on all tasks, with the largest mean gain on all
    tasks but this one. Both gains are means over the seeds.
    """
    gains = {
        method: {task: np.mean(values) for task, values in gains_of(method, found).items()}
        for method in METHODS
        if method != "oracle"
    }
    auto = gains.pop("auto")
    tasks = [task for task in gains["source"] if task in auto]
    full = {m: each for m, each in gains.items() if set(tasks) <= each.keys()}
    if len(tasks) < 2 or len(full) < 2:
        return
    print(f"\nAmong {', '.join(full)} (which ran on all {len(tasks)} tasks):\n")
    print("| task | best on the other tasks | its gain | auto | best on all tasks |")
    print("|---|---|---|---|---|")

    def best(chosen_on):
        return max(full, key=lambda m: np.mean([full[m][task] for task in chosen_on]))

    overall, rows = best(tasks), []
    for task in tasks:
        chosen = best([other for other in tasks if other != task])
        rows.append((full[chosen][task], auto[task], full[overall][task]))
        cells = " | ".join(f"{value:+.3f}" for value in rows[-1])
        print(f"| {task} | {chosen} | {cells} |")
    cells = " | ".join(f"**{value:+.3f}**" for value in np.mean(rows, axis=0))
    print(f"| mean | (best on all: {overall}) | {cells} |")


def chosen_by_scores(found):
    """Prints the gain over `source` if a score without target labels chooses the method of a run.

    A run is a task and a seed. The candidates are the methods, without `auto` and `oracle`, that
    all runs have; `source` is one of them.
    """
    runs = {}
    for (task, method), records in found.items():
        for seed, record in records.items():
            runs.setdefault((task, seed), {})[method] = record
    runs = {
        key: by_method for key, by_method in runs.items() if {"source", "auto"} <= set(by_method)
    }
    names = [m for m in METHODS if m not in ("auto", "oracle")]
    names = [m for m in names if all(m in by_method for by_method in runs.values())]
    if not runs or len(names) < 3:
        return
    choosers = {
        words: lambda by, score=score: max(names, key=lambda m: by[m]["scores"][score])
        for score, words in SCORES.items()
    }
    choosers["(the best method of each run, by its labels)"] = lambda by: max(
        names, key=lambda m: by[m]["accuracy"]
    )
    choosers["`auto`, which chooses nothing"] = lambda by: "auto"
    print(f"\nCandidates: {', '.join(names)}; {len(runs)} runs:\n")
    print("| chosen by | mean gain over source | worst task | worst run |")
    print("|---|---|---|---|")
    for words, choose in choosers.items():
        gains = {}
        for (task, _), by_method in runs.items():
            gain = by_method[choose(by_method)]["accuracy"] - by_method["source"]["accuracy"]
            gains.setdefault(task, []).append(gain)
        means = [np.mean(values) for values in gains.values()]
        worst = min(min(values) for values in gains.values())
        print(f"| {words} | {np.mean(means):+.3f} | {min(means):+.3f} | {worst:+.3f} |")


def expectations(records):
    """Prints, for each task, what is said before the training, and the gain of `auto`.

    The last column is what is said if the target is the other half of the source: there is nothing
    to adapt to.
    """
    found = {}
    for record in records:
        found.setdefault((record["task"], record["method"]), {})[record["seed"]] = record
    print(
        "| task | said before the training | gain of `auto` | said for two halves of the source |"
    )
    print("|---|---|---|---|")
    for name, gains in gains_of("auto", found).items():
        task = TASKS[name](0)
        x = task.source[0]
        said = expectation(x, task.target[0])
        halves = expectation(x[: len(x) // 2], x[len(x) // 2 :])
        print(f"| {name} | {said} | {np.mean(gains):+.3f} | {halves} |", flush=True)


def mean(runs):
    return "" if not runs else f"{np.mean([r['accuracy'] for r in runs.values()]):.3f}"


def read(path):
    return json.loads(Path(path).read_text()) if Path(path).is_file() else []


def write(records, path):
    """Saves the runs; a benchmark that is stopped meanwhile leaves the file as it was."""
    part = Path(f"{path}.part")
    part.write_text(json.dumps(records, indent=0))
    part.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--longer", type=int, default=1, help="multiplies the epochs")
    parser.add_argument("--save", help="a JSON file to which the runs are added")
    parser.add_argument("--show", nargs="+", help="print the tables of these files")
    parser.add_argument("--expect", action="store_true", help="print what is said before")
    arguments = parser.parse_args()
    if arguments.show:
        shown = [record for path in arguments.show for record in read(path)]
        (expectations if arguments.expect else tables)(shown)
        return
    records = read(arguments.save) if arguments.save else []
    done = {(r["task"], r["method"], r["seed"]) for r in records}
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        for task in arguments.tasks:
            for method in arguments.methods:
                if (task, method, seed) in done:
                    continue
                records.append(run(task, method, seed, arguments.longer))
                line = {k: v for k, v in records[-1].items() if k not in ("actions", "scores")}
                print(*line.values(), *records[-1].get("actions", ()), flush=True)
                if arguments.save:
                    write(records, arguments.save)
    tables(records)


if __name__ == "__main__":
    main()

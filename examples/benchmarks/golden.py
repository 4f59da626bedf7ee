"""Golden corpus: what the guard, `diagnose`, `explain_gap` and the causes say in stored cases.

    KERAS_BACKEND=torch python examples/benchmarks/golden.py            # what changed
    KERAS_BACKEND=torch python examples/benchmarks/golden.py --write    # store the present answers
    KERAS_BACKEND=torch python examples/benchmarks/golden.py --only fit

The answers are facts, not words: status, kinds, families, features, alarms and costs. A change of
the rules shows here which answers it changes. A cost counts as changed if it moved by more than
`COST`. The cases are fits of the alarm benchmark on digits and Fashion-MNIST, a dozen short fits of
other kinds, families of corrupted photos, and planted causes of an accuracy gap.
"""

import argparse
import json
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import alarms
import golden_fits
import keras
import numpy as np
from detection_pipelines import Photos

import keras_shiftguard as sg
from keras_shiftguard.callback import spending

STORED = Path(__file__).with_name("golden.json")
COST = 0.02  # costs depend on the last bits of a training, which differ between machines
# Shifts and pipelines of the alarm benchmark that stand for the others.
SHIFTS = (
    *("", "blur 1.5", "noise 25", "contrast x .7", "darker x .4", "brighter + .25", "two pixels"),
    *("zoom 1.15", "mirrored", "patch erased", "scaled twice", "15 % wrong labels"),
    *("all of class 0 is 1", "0 and 1 swapped", "half the classes x .05"),
)
RIGHT = ("flips", "RandomResizedCrop", "RandAugment", "MixUp", "noise", "rotation")
DATA = ("digits", "fashion")


# Else a busy machine, on which fewer experiments fit into the time, gives other answers.
spending.FREE_SECONDS = spending.MAX_SHARE = float("inf")


def alarm_cases():
    """Yields the names of fits of the alarm benchmark, and functions that run them."""
    for data in DATA:
        for pipeline, shift in (
            *(("none", shift) for shift in SHIFTS),
            *(("pad-crop", shift) for shift in SHIFTS),
            *((pipeline, "") for pipeline in RIGHT),
        ):

            def answer(data=data, pipeline=pipeline, shift=shift):
                row = alarms.run(data, pipeline, shift, 0)
                return {"alarm": row["alarm"], "cost": row["cost"], "found": row["found"]}

            yield f"alarms/{data}/{pipeline}/{shift or 'right'}", answer


def cause_cases():
    """Yields the names of corruptions of photos, and functions that compare profiles."""

    def pictures():
        x, _ = Photos().draw(np.random.default_rng(0), 300)
        return (x / 255).astype("float32")

    for name, change in alarms.SHIFTS.items():

        def answer(change=change):
            x = pictures()
            changed = change(x[150:], np.random.default_rng(1)).astype("float32")
            return golden_fits.facts(sg.compare(x[:150], changed))

        yield f"causes/{name}", answer


def differences(old, new, path=""):
    """Yields the places at which two answers differ, with both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from differences(old.get(key), new.get(key), f"{path}/{key}")
    elif isinstance(old, float) and isinstance(new, float):
        if abs(old - new) > COST:
            yield f"{path.strip('/')}: {old:.3f} -> {new:.3f}"
    elif old != new:
        yield f"{path.strip('/')}: {old} -> {new}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--write", action="store_true", help="store the present answers")
    parser.add_argument("--only", default="", help="part of the names of the cases to run")
    options = parser.parse_args()
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    changed, number = 0, 0
    cases = [*golden_fits.cases(), *cause_cases(), *alarm_cases()]
    for name, run in cases:
        if options.only not in name:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = json.loads(json.dumps(run(), default=float))
        keras.backend.clear_session()
        number += 1
        found = list(differences(stored.get(name), answer))
        changed += bool(found)
        for line in found:
            print(f"{name}  {line}", flush=True)
        if options.write:
            stored[name] = answer
            STORED.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")
    print(f"{number} cases, {changed} changed" + (", stored" if options.write else ""))


if __name__ == "__main__":
    main()

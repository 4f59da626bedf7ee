"""Accuracy gap benchmark: `explain_gap` on gaps with known causes, and without a gap.

    python examples/benchmarks/explain.py planted [--combinations 36] [--cache DIR]
    python examples/benchmarks/explain.py no-gap [--draws 200] [--cache DIR]

`planted` draws one to three causes by seed and puts them into correct data. It checks whether the
table holds each planted cause, whether it holds other causes, and whether the rows add up. For a
cause that can be removed exactly, it checks whether the interval covers the Shapley share of an
oracle. The oracle knows the planted causes, and measures on the whole pool from which the samples
were drawn (for the 20 photos: on these photos).
"""

import argparse
import sys
import tempfile
from itertools import chain, combinations
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
import explain_plants
import explain_subjects
from keras_shiftguard.explain.causes.shapley import shapley_shares

import keras_shiftguard as sg

SUBJECTS = ("photos", "fashion", "digits")


def planted(number, cache, only):
    subjects = {name: explain_subjects.build(name, cache) for name in only}
    counts = {"there": 0, "planted": 0, "others": 0, "sums": 0, "covered": 0, "exact": 0}
    left = {name: [] for name in subjects}
    for seed in range(number):
        subject = subjects[only[seed // 3 % len(only)]]
        plant = explain_plants.draw(seed, subject.colour)
        data, truth = planted_data(subject, plant, seed)
        with tempfile.TemporaryDirectory() as folder:
            if "size" in plant.kinds:
                data = (write(Path(folder), *truth), data)
            report = sg.explain_gap(subject.model, data, subject.reference)
        rows = {row.cause: row for row in report.rows}
        oracle = oracle_shares(subject, plant)
        wanted = {explain_plants.NAMES[cause]: cause for cause in plant.kinds}
        missing = [cause for cause in wanted if cause not in rows]
        most = 0.0201 if subject.number >= 2000 else 0.0501
        others = [
            row.cause
            for row in report.rows[:-1]
            if row.cause not in wanted and abs(row.points) > most
        ]
        sums = abs(sum(row.points for row in report.rows) - report.gap) < 1e-9
        counts["planted"] += len(wanted)
        counts["there"] += len(wanted) - len(missing)
        counts["others"] += bool(others)
        counts["sums"] += sums
        print(f"\n{seed:2} {subject.name}: {plant}; gap {100 * report.gap:.1f}")
        for row in report.rows:
            line = f"     {100 * row.points:6.1f} [{100 * row.interval[0]:.1f}, "
            line += f"{100 * row.interval[1]:.1f}] {row.cause}"
            if wanted.get(row.cause) in oracle:
                share = oracle[wanted[row.cause]]
                covered = row.interval[0] - 1e-9 <= share <= row.interval[1] + 1e-9
                line += f", oracle {100 * share:.1f}{'' if covered else '  NOT COVERED'}"
                counts["covered"] += covered
            print(line)
        counts["exact"] += len(oracle)
        if missing or others or not sums:
            print(f"     MISSING {missing}, OTHERS {others}, adds up: {sums}", flush=True)
        left[subject.name].append(abs(report.rows[-1].points))
    print(f"\nCombinations: {number}; rows add up in {counts['sums']}")
    print(f"Planted causes in the table: {counts['there']} of {counts['planted']}")
    print(f"Combinations with another cause above the limit: {counts['others']}")
    print(
        f"Exact causes whose interval covers the oracle: {counts['covered']} of {counts['exact']}"
    )
    for name, values in left.items():
        if values:
            print(f"Unexplained, {name}: median {100 * np.median(values):.1f} points, "
                  f"most {100 * max(values):.1f}")  # fmt: skip


def planted_data(subject, plant, seed):
    """Returns two pairs of images and labels: as the faulty pipeline feeds them, and raw."""
    rng = np.random.default_rng(1000 + seed)
    which = np.arange(len(subject.images))
    if subject.number < len(which):
        classes = subject.labels.max() + 1
        kept = rng.uniform(size=len(which)) < plant.frequencies(classes)[subject.labels]
        which = rng.permutation(which[kept])[: subject.number]
        which = which[np.argsort(plant.labels(subject.labels[which]), kind="stable")]
    images, labels = plant.scene(subject.images[which]), plant.labels(subject.labels[which])
    return (plant.fed(images), labels), (images, labels)


def write(folder, images, labels):
    """Writes the raw images as files in class folders; file names keep the order."""
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / f"{label}"
        place.mkdir(exist_ok=True)
        flat = image[..., 0] if image.shape[-1] == 1 else image
        Image.fromarray(flat).save(place / f"{number:05}.png", compress_level=1)
    return folder


def oracle_shares(subject, plant):
    """Returns the Shapley share of each exact cause, by an oracle that can undo it."""
    causes = [cause for cause in explain_plants.EXACT if cause in plant.kinds]
    in_feed = [cause for cause in causes if cause != "classes"]
    images, labels = plant.scene(subject.images), plant.labels(subject.labels)
    values = np.zeros(2 ** len(causes))
    for removed in subsets(in_feed):
        fed = plant.fed(images, without=removed)
        predicted = subject.model.predict(fed, batch_size=64, verbose=0).argmax(axis=1)
        hits = predicted == labels
        keep = plant.frequencies(subject.labels.max() + 1)[subject.labels]
        index = sum(1 << causes.index(cause) for cause in removed)
        values[index] = np.average(hits, weights=keep)
        if "classes" in causes:
            values[index | 1 << causes.index("classes")] = hits.mean()
    return dict(zip(causes, shapley_shares(values), strict=True))


def subsets(items):
    return chain.from_iterable(combinations(items, k) for k in range(len(items) + 1))


def no_gap(draws, cache, only):
    quiet = rows = total = 0
    for name in only:
        subject = explain_subjects.build(name, cache)
        number = draws // 10 if name == "photos" else (draws - draws // 10) // 2
        size = 10 if name == "photos" else 1000
        alarms = named = 0
        for seed in range(number):
            which = np.random.default_rng(seed).permutation(len(subject.images))[: 2 * size]
            x, y = explain_subjects.right(subject.images[which]), subject.labels[which]
            report = sg.explain_gap(subject.model, (x[:size], y[:size]), (x[size:], y[size:]))
            alarms += report.beyond_sampling
            named += len(report.rows) > 1
            if seed % 10 == 9:
                print(f"  {name}: {seed + 1} draws, {alarms} with a gap", flush=True)
        print(f"{name}: {number - alarms} of {number} without a gap; {size} samples against {size};"
              f" {named} name a cause", flush=True)  # fmt: skip
        quiet, total = quiet + number - alarms, total + number
        rows += named
    print(f"No gap beyond sampling: {quiet} of {total} draws; a cause was named in {rows}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("planted", "no-gap"))
    parser.add_argument("--combinations", type=int, default=36)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "shiftguard-explain"
    )
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
    given = parser.parse_args()
    if given.what == "planted":
        planted(given.combinations, given.cache, given.subjects)
    else:
        no_gap(given.draws, given.cache, given.subjects)

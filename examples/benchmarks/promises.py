"""Promise benchmark: does undoing gain, on images never seen, what the experiment promises?

    KERAS_BACKEND=torch python examples/benchmarks/promises.py --data fashion digits --seeds 0
    python examples/benchmarks/promises.py --table promises.jsonl

A small CNN is trained on each data set with each augmentation. Then validation is changed in many
ways, and `undo` promises what can be won back. The promise is compared with the truth on thousands
of other images: what the change costs there, and what the chosen operations gain there. Nothing
but validation images takes part in a promise.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import alarms
import keras
import numpy as np
from sklearn.metrics import roc_auc_score

from keras_shiftguard.experiments.candidates import image_candidates
from keras_shiftguard.experiments.judge import Accuracy
from keras_shiftguard.experiments.undo import undo
from keras_shiftguard.operations.scale import Scale

PIPELINES = ("none", "pad-crop", "RandomResizedCrop", "RandAugment", "rotation", "noise", "MixUp")
CHANGES = {
    "no change": None,
    **alarms.SHIFTS,
    "gamma 2": lambda x, rng: x**2,
    "contrast x .5": lambda x, rng: (x - 0.5) * 0.5 + 0.5,
    "inverted": lambda x, rng: 1 - x,
    "to [-1, 1]": lambda x, rng: 2 * x - 1,
    "noise 64": alarms.noisy(64),
    "upside down": lambda x, rng: x[:, ::-1],
    "transposed": lambda x, rng: x.transpose(0, 2, 1, 3),
    "turned 90": lambda x, rng: np.rot90(x, 1, (1, 2)),
    "zoom 1.3": alarms.by_image(lambda image, rng: alarms.resized(image, 1.3)),
}
COSTLY = 0.02  # a change that costs as much should be an alarm
TOLERANCE = 0.01


class Counter:
    """The predictions of a model, counted."""

    def __init__(self, model):
        self.model, self.count = model, 0

    def __call__(self, x):
        self.count += len(x)
        return np.concatenate(
            [
                keras.ops.convert_to_numpy(
                    keras.ops.stop_gradient(self.model(x[i : i + 256], training=False))
                )
                for i in range(0, len(x), 256)
            ]
        )


def trained(data, pipeline, seed, epochs):
    """Returns a trained network, validation, other images, and the scale of training."""
    (x, y), validation, others = alarms.draw(data, seed)
    keras.utils.set_random_seed(seed)
    model = alarms.network(x.shape[1:], y.shape[1])
    batches = alarms.Training(x, y, alarms.PIPELINES[pipeline], seed)
    model.fit(batches, epochs=epochs, verbose=0)
    return model, validation, others, Scale.of(x)


def applied(candidates, choices, x):
    """Returns images after the chosen operations."""
    by_choice = {candidate.choice: candidate for candidate in candidates}
    for choice in choices:
        x = by_choice[choice].apply(x)
    return x


def rows(data, pipeline, seed, options):
    """Yields a row for each change of validation."""
    model, (vx, vy), (ox, oy), scale = trained(data, pipeline, seed, options.epochs)
    vx, vy = vx[: options.validation], vy.argmax(axis=1)[: options.validation]
    oy, predict, judge = oy.argmax(axis=1), Counter(model), Accuracy()
    candidates = image_candidates(scale)

    def accuracy(x):
        return float(judge.worth(predict(x), oy).mean())

    clean = accuracy(ox)
    for name, change in CHANGES.items():
        if options.only and name not in options.only:
            continue
        rng = np.random.default_rng([seed, 1])
        v, o = (x if change is None else change(x, rng).astype("float32") for x in (vx, ox))
        bad = accuracy(o)
        predict.count, start = 0, time.process_time()
        promise = undo(predict, v, vy, candidates, judge, options.most)
        predictions, seconds = predict.count / len(v), time.process_time() - start
        kept = np.mean([accuracy(applied(candidates, c, o)) - bad for c in promise.choices])
        yield dict(
            data=data, pipeline=pipeline, seed=seed, change=name, clean=clean, true=clean - bad,
            gain=promise.gain, interval=promise.interval, kept=float(kept),
            family=promise.family, alarm=promise.is_alarm(TOLERANCE),
            choices=[[(c.name, round(float(c.strength), 3)) for c in half]
                     for half in promise.choices],
            predictions=predictions, seconds=seconds,
        )  # fmt: skip


def line(row):
    """Returns a row of results as text."""
    names = " | ".join(" + ".join(name for name, _ in half) or "-" for half in row["choices"])
    half = 100 * (row["gain"] - row["interval"][0])
    return (
        f"{row['data']:8} {row['pipeline']:18} {row['change']:20} true {100 * row['true']:5.1f}  "
        f"promised {100 * row['gain']:5.1f} +- {half:3.1f}  kept {100 * row['kept']:5.1f}  "
        f"{'ALARM' if row['alarm'] else '     '}  {names}"
    )


def share(part, whole):
    part, whole = sum(part), len(list(whole))
    return f"{part} of {whole}" + (f" = {100 * part / whole:.0f} %" if whole else "")


def table(found):
    """Prints the figures of all rows."""
    alarmed = [r for r in found if r["alarm"]]
    print(f"\n{len(found)} rows, {len(alarmed)} alarms")
    print("promises kept:", share([r["kept"] >= r["interval"][0] for r in alarmed], alarmed))
    print("  to a point: ", share([r["kept"] >= r["interval"][0] - 0.01 for r in alarmed], alarmed))
    same = [r for r in found if r["change"] == "no change"]
    false = [r["alarm"] and r["kept"] <= 0 for r in same]
    print("no change, alarm, and nothing gained elsewhere:", share(false, same))
    print("no change, alarm:", share([r["alarm"] for r in same], same))
    for title, chosen in (
        ("plain", [r for r in found if r["pipeline"] == "none"]),
        ("augmented", [r for r in found if r["pipeline"] != "none"]),
    ):
        costly = [r for r in chosen if r["true"] >= COSTLY]
        print(
            f"costly changes with an alarm, {title}:", share([r["alarm"] for r in costly], costly)
        )
    winnable = [r for r in found if r["kept"] > 0 and r["true"] > 0]
    told = sum(min(max(r["gain"], 0), r["kept"]) for r in winnable if r["alarm"])
    total = sum(r["kept"] for r in winnable)
    part = 100 * told / max(total, 1e-9)
    print(f"promised, of the accuracy that these operations win back: {part:.0f} %")
    truth = [r["true"] >= COSTLY for r in found]
    if len(set(truth)) > 1:
        score = roc_auc_score(truth, [r["gain"] for r in found])
        print(f"AUROC of the promise for {100 * COSTLY:.0f} points or more: {score:.3f}")
    print(
        f"predictions a sample: {np.median([r['predictions'] for r in found]):.0f}; CPU seconds: "
        f"{np.median([r['seconds'] for r in found]):.1f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", nargs="+", default=["digits"], choices=alarms.DATA)
    parser.add_argument("--pipelines", nargs="+", default=list(PIPELINES))
    parser.add_argument("--only", nargs="+", default=[], help="names of the changes to run")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--validation", type=int, default=800, help="validation images")
    parser.add_argument("--most", type=int, default=1, help="operations that follow one another")
    parser.add_argument("--save", help="a file that gets one line of JSON for each row")
    parser.add_argument("--table", nargs="+", help="files of --save whose figures to print")
    parser.add_argument("--small", action="store_true", help="a few rows, to see that it runs")
    options = parser.parse_args()
    if options.small:
        options.pipelines, options.epochs, options.validation = ["none"], 1, 200
        options.only = ["no change", "darker x .6"]
    if options.table:
        texts = [line for path in options.table for line in Path(path).read_text().splitlines()]
        table([json.loads(text) for text in texts])
        return
    found = []
    for data in options.data:
        for pipeline in options.pipelines:
            for seed in options.seeds:
                for row in rows(data, pipeline, seed, options):
                    found.append(row)
                    print(line(row), flush=True)
                    if options.save:
                        with open(options.save, "a") as file:
                            file.write(json.dumps(row) + "\n")
    table(found)


if __name__ == "__main__":
    main()

"""Promise benchmark: does a repair gain, on images never seen, what the experiments promise?

    KERAS_BACKEND=torch python examples/benchmarks/promises.py --data fashion digits --seeds 0
    python examples/benchmarks/promises.py --table promises.jsonl

A small CNN is trained on each data set with each augmentation. Then validation is changed in many
ways, and the account, which decides inside a fit, promises what the change costs. The
promise is compared with the truth on thousands of other images: what the change costs there, and
what the repair gains there. The odd changes of `--odd` were first run when all rules were fixed.
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
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from keras_shiftguard.account.account import Logged, account
from keras_shiftguard.account.labelled import Labelled
from keras_shiftguard.account.likelihoods import Classes
from keras_shiftguard.account.samples import Case, Half
from keras_shiftguard.statistics.batch import spec_for

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


def tinted(x, rng):
    """Returns images with a smooth light from the left, which no row of the table undoes."""
    return np.clip(x * np.linspace(1.3, 0.4, x.shape[2])[None, None, :, None], 0, 1)


def striped(x, rng):
    x = x.copy()
    x[:, ::4] = 0.5
    return x


def waved(image, rng):
    rows, columns = np.indices(image.shape[:2]).astype("float32")
    rows = rows + 1.2 * np.sin(2 * np.pi * columns / 9)
    layers = [ndimage.map_coordinates(c, (rows, columns), order=1, mode="nearest")
              for c in np.moveaxis(image, -1, 0)]  # fmt: skip
    return np.stack(layers, axis=-1)


def salted(x, rng):
    hit = rng.random((*x.shape[:3], 1))
    return np.where(hit < 0.03, 0.0, np.where(hit > 0.97, 1.0, x))


def quartered(x, rng):
    """Returns images whose left and right halves are exchanged."""
    return np.roll(x, x.shape[2] // 2, 2)


ODD = {
    "light from the left": tinted,
    "every fourth row grey": striped,
    "waves": alarms.by_image(waved),
    "salt and pepper": salted,
    "halves exchanged": quartered,
    "solarized": lambda x, rng: np.where(x > 0.6, 1 - x, x),
    "sheared": alarms.by_image(
        lambda image, rng: ndimage.affine_transform(
            image, [[1, 0, 0], [0.2, 1, 0], [0, 0, 1]], offset=(0, -0.1 * len(image), 0), order=1
        )
    ),
    "narrower": alarms.by_image(
        lambda image, rng: np.pad(
            ndimage.zoom(image, (1, 0.75, 1), order=1),
            ((0, 0), (0, image.shape[1] - round(0.75 * image.shape[1])), (0, 0)),
            mode="edge",
        )
    ),
    "every other image inverted": lambda x, rng: np.where(
        (np.arange(len(x)) % 2 == 0)[:, None, None, None], 1 - x, x
    ),
}
# The families of operations that name the cause of a change. Changes without a row here have no
# operation in the table.
CAUSES = {
    **dict.fromkeys(
        (
            *("contrast x .7", "darker x .8", "darker x .6", "darker x .4", "brighter + .1"),
            *("brighter + .25", "gamma .7", "gamma 1.5", "scaled twice", "gamma 2"),
            *("contrast x .5", "inverted", "to [-1, 1]", "32 grey levels", "8 grey levels"),
            *("4 grey levels",),
        ),
        "light",
    ),
    **dict.fromkeys(
        (
            *("blur .7", "blur 1", "blur 1.5", "noise 10", "noise 25", "noise 40", "noise 64"),
            *("half resolution",),
        ),
        "detail",
    ),
    **dict.fromkeys(
        (
            *("one pixel", "two pixels", "three pixels down", "turned 5", "turned 15", "zoom 1.15"),
            *("zoom .9", "zoom 1.3", "mirrored", "upside down", "transposed", "turned 90"),
        ),
        "geometry",
    ),
    "patch erased": "cover",
}
COSTLY = 0.02  # a change that costs as much should be an alarm
TOLERANCE = 0.01
KEPT = 1024  # training images that the guard keeps


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


def trained(data, pipeline, seed, options):
    """Returns a trained network, training as it was fed, validation, and other images."""
    (x, y), validation, others = alarms.draw(data, seed)
    keras.utils.set_random_seed(seed)
    if options.network == "head":
        model = alarms.head_on_lite0(x.shape[1:], y.shape[1])
    else:
        model = alarms.network(x.shape[1:], y.shape[1])
    batches = alarms.Training(x, y, alarms.PIPELINES[pipeline], seed)
    model.fit(batches, epochs=options.epochs, verbose=0)
    fed = [batches[i] for i in range(min(len(batches), -(-KEPT // alarms.BATCH)))]
    x, y = (np.concatenate([batch[k] for batch in fed])[:KEPT] for k in (0, 1))
    return model, Labelled(x, y.argmax(axis=1)), validation, others


def rows(data, pipeline, seed, options):
    """Yields a row for each change of validation."""
    model, training, (vx, vy), (ox, oy) = trained(data, pipeline, seed, options)
    vx, vy = vx[: options.validation], vy.argmax(axis=1)[: options.validation]
    oy = oy.argmax(axis=1)
    spec = spec_for("input", vx.shape, "channels_last", "float32")
    training = training.first(options.validation)
    counter = Counter(model)
    judge = Classes(np.bincount(training.labels))

    def accuracy(x):
        return float(judge.worth(counter(x), oy).mean())

    clean = accuracy(ox)
    changes = CHANGES if not options.odd else ODD
    for name, change in changes.items():
        if options.only and name not in options.only:
            continue
        rng = np.random.default_rng([seed, 1])
        v, o = (x if change is None else change(x, rng).astype("float32") for x in (vx, ox))
        bad = accuracy(o)
        counter.count, start = 0, time.process_time()

        def predict(x, y=None):
            return np.asarray(counter(x), "float64")

        here, there = Half(predict, v, vy), Half(predict, training.images, training.labels)
        case = Case(judge, here, there, [spec], may_be_augmented=pipeline != "none")
        ends = [float(judge.worth(half.outputs, half.y).mean()) for half in (there, here)]
        found = account(case, Logged(*ends, len(there), len(here)))
        predictions, seconds = counter.count / len(v), time.process_time() - start
        inputs = [row for row in found.rows if row.kind == "input" and row.sure]
        row, kept, done = (inputs[0] if inputs else None), clean - bad, []
        if row is not None and row.repair is not None:
            repaired = [keras.ops.convert_to_numpy(row.repair(o[i : i + 500]))
                        for i in range(0, len(o), 500)]  # fmt: skip
            kept, done = accuracy(np.concatenate(repaired)) - bad, [row.operation]
        yield dict(
            data=data, pipeline=pipeline, seed=seed, change=name, clean=clean, true=clean - bad,
            gain=row.points if row else 0.0, interval=row.interval if row else (0.0, 0.0),
            kept=float(kept), family=row.family if row else "",
            is_push=row is None or row.repair is None, alarm=bool(row),
            how=row.cause if row else "",
            operations=[[n, str(s)[:12]] for n, s in done],
            predictions=predictions, seconds=seconds,
        )  # fmt: skip


def line(row):
    """Returns a row of results as text."""
    names = " + ".join(name for name, _ in row["operations"]) or row["how"] or "-"
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
    worse = [r["kept"] < 0 for r in alarmed]
    print("repairs of alarms that make it worse:", share(worse, alarmed))
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
    winnable = [r for r in found if r["true"] > 0]
    told = sum(min(max(r["gain"], 0), r["true"]) for r in winnable if r["alarm"])
    total = sum(r["true"] for r in winnable)
    part = 100 * told / max(total, 1e-9)
    print(f"promised, of the accuracy that the changes cost: {part:.0f} %")
    named = [r for r in alarmed if r["change"] in CAUSES]
    right = [r["family"] == CAUSES[r["change"]] for r in named]
    print("cause named right, of the alarms:", share(right, named))
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
    parser.add_argument("--network", default="small", choices=("small", "head"))
    parser.add_argument("--odd", action="store_true", help="the changes kept for the end")
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

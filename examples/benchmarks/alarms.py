"""Alarm benchmark: how often the guard warns, in fits whose true loss of accuracy is known.

    python examples/benchmarks/alarms.py --data fashion --seeds 0 1 2 --save alarms.json
    python examples/benchmarks/alarms.py --add alarms.json alarms_photos.json
    python examples/benchmarks/alarms.py --data fashion --shifts --on-shift stop

Each fit trains a network for three epochs with a `ShiftGuard`: a small CNN on Fashion-MNIST, on
crops of twenty labelled photos, or on scikit-learn's digits; or, with `--data lite0`, a new head on
a frozen EfficientNet-Lite0 with its ImageNet weights, on crops of the photos. In right pipelines,
validation is like training without augmentation, so every alarm is false. In the other pipelines,
validation is changed. The true loss of accuracy by this change is measured on other images (397
digits, thousands of the others) that the guard does not see, after the last epoch and after each
epoch up to the first alarm. Constants of the package were chosen on the shifts with an even number
in the list, so the other shifts also have a column of their own. With `--on-shift stop`, an alarm
ends its fit, and the fits that ended early are counted.
"""

import argparse
import functools
import json
import os
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import keras
import lite0
import numpy as np
from detection_pipelines import Photos
from fashion import fashion_mnist
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

import keras_shiftguard as sg

DATA = ("fashion", "photos", "digits", "lite0")
EPOCHS, BATCH = 3, 64
TOLERANCE = 0.01


def by_image(change):
    """Turns a function of one image `(height, width, channels)` into a function of a batch."""
    return lambda x, rng: np.stack([change(image, rng) for image in x]).astype("float32")


def resized(image, factor):
    """Returns the image zoomed by a factor around its centre; the size stays the same."""
    side = len(image)
    at = (np.arange(side) - (side - 1) / 2) / factor + (side - 1) / 2
    rows, columns = np.meshgrid(at, at, indexing="ij")
    return np.stack(
        [ndimage.map_coordinates(c, (rows, columns), order=1) for c in np.moveaxis(image, -1, 0)],
        axis=-1,
    )


def turned(image, degrees):
    return ndimage.rotate(image, degrees, reshape=False, order=1, mode="nearest")


def halved(image):
    half = image[: len(image) // 2 * 2 : 2] + image[1 : len(image) // 2 * 2 : 2]
    half = (half[:, ::2] + half[:, 1::2]) / 4
    return half.repeat(2, axis=0).repeat(2, axis=1)


def noisy(level):
    return lambda x, rng: np.clip(x + rng.normal(0, level / 255, x.shape), 0, 1)


def moved(down, right):
    return lambda x, rng: np.roll(x, (down, right), (1, 2))


def blurred(sigma):
    return by_image(lambda image, rng: ndimage.gaussian_filter(image, (sigma, sigma, 0)))


def erased(image, rng):
    image = image.copy()
    quarter = len(image) // 4
    image[quarter : 2 * quarter, quarter : 2 * quarter] = 0
    return image


# Changes of all validation images, in [0, 1]. Constants were chosen on the changes with an even
# number, counted from 0.
SHIFTS = {
    "blur .7": blurred(0.7),
    "blur 1": blurred(1.0),
    "blur 1.5": blurred(1.5),
    "noise 10": noisy(10),
    "noise 25": noisy(25),
    "noise 40": noisy(40),
    "contrast x .7": lambda x, rng: (x - 0.5) * 0.7 + 0.5,
    "darker x .8": lambda x, rng: x * 0.8,
    "darker x .6": lambda x, rng: x * 0.6,
    "darker x .4": lambda x, rng: x * 0.4,
    "brighter + .1": lambda x, rng: np.clip(x + 0.1, 0, 1),
    "brighter + .25": lambda x, rng: np.clip(x + 0.25, 0, 1),
    "gamma .7": lambda x, rng: x**0.7,
    "gamma 1.5": lambda x, rng: x**1.5,
    "one pixel": moved(0, 1),
    "two pixels": moved(0, 2),
    "three pixels down": moved(3, 0),
    "half resolution": by_image(lambda image, rng: halved(image)),
    "32 grey levels": lambda x, rng: np.round(x * 31) / 31,
    "8 grey levels": lambda x, rng: np.round(x * 7) / 7,
    "4 grey levels": lambda x, rng: np.round(x * 3) / 3,
    "turned 5": by_image(lambda image, rng: turned(image, 5)),
    "turned 15": by_image(lambda image, rng: turned(image, 15)),
    "zoom 1.15": by_image(lambda image, rng: resized(image, 1.15)),
    "zoom .9": by_image(lambda image, rng: resized(image, 0.9)),
    "mirrored": lambda x, rng: x[:, :, ::-1],
    "patch erased": by_image(erased),
    "scaled twice": lambda x, rng: x / 255,
}


# --- faults of labels and class mix of validation: functions of images, one-hot labels and random
# numbers


def wrong_labels(share):
    """Returns a change: a share of the labels becomes another class, drawn at random."""

    def change(x, y, rng):
        labels, classes = y.argmax(axis=1), y.shape[1]
        hit = rng.random(len(y)) < share
        other = (labels + rng.integers(1, classes, len(y))) % classes
        return x, np.eye(classes, dtype="float32")[np.where(hit, other, labels)]

    return change


def relabelled(share):
    """Returns a change: a share of class 0 is labelled as class 1."""

    def change(x, y, rng):
        labels = y.argmax(axis=1)
        hit = (labels == 0) & (rng.random(len(y)) < share)
        return x, np.eye(y.shape[1], dtype="float32")[np.where(hit, 1, labels)]

    return change


def swapped_names(x, y, rng):
    """Swaps the labels of the classes 0 and 1."""
    return x, y[:, [1, 0, *range(2, y.shape[1])]]


def rarer(keep):
    """Returns a change: only a share of the samples of the first half of the classes is kept."""

    def change(x, y, rng):
        rows = (y.argmax(axis=1) >= y.shape[1] // 2) | (rng.random(len(y)) < keep)
        return x[rows], y[rows]

    return change


LABEL_FAULTS = {
    "5 % wrong labels": wrong_labels(0.05),
    "15 % wrong labels": wrong_labels(0.15),
    "a third of class 0 is 1": relabelled(0.33),
    "all of class 0 is 1": relabelled(1.0),
    "0 and 1 swapped": swapped_names,
    "half the classes x .3": rarer(0.3),
    "half the classes x .05": rarer(0.05),
}


# --- augmentation of training: a function of images, one-hot labels and random numbers -----------


def only_images(change):
    return lambda x, y, rng: (change(x, rng), y)


def flips(x, rng):
    return np.where(rng.random(len(x))[:, None, None, None] < 0.5, x[:, :, ::-1], x)


def pad_crop(x, rng):
    x, pad = flips(x, rng), x.shape[1] // 9
    wide = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    corners, side = rng.integers(0, 2 * pad + 1, (len(x), 2)), x.shape[1]
    return np.stack(
        [w[i : i + side, j : j + side] for w, (i, j) in zip(wide, corners, strict=True)]
    )


def resized_crop(image, rng):
    side = len(image)
    part = int(side * np.sqrt(rng.uniform(0.4, 1)))
    i, j = rng.integers(0, side - part + 1, 2)
    inner = image[i : i + part, j : j + part]
    zoom = (side / part, side / part, 1)
    return ndimage.zoom(inner, zoom, order=1)[:side, :side]


def jitter(x, rng):
    shape = (len(x), 1, 1, 1)
    x = (x - 0.5) * rng.uniform(0.6, 1.4, shape) + 0.5 + rng.uniform(-0.2, 0.2, shape)
    return np.clip(x, 0, 1)


def some_noise(x, rng):
    return np.clip(x + rng.normal(0, 0.1, x.shape) * rng.random((len(x), 1, 1, 1)), 0, 1)


def rotation(image, rng):
    return turned(image, rng.uniform(-20, 20))


def erasing(image, rng):
    image, part = image.copy(), len(image) // 3
    i, j = rng.integers(0, len(image) - part, 2)
    image[i : i + part, j : j + part] = rng.random()
    return image


KERAS_LAYERS = {"RandAugment": "RandAugment", "AugMix": "AugMix"}


def keras_layer(name):
    def change(x, rng):
        layer = getattr(keras.layers, name)(value_range=(0, 1), seed=int(rng.integers(1 << 30)))
        return np.asarray(keras.ops.convert_to_numpy(layer(x, training=True)))

    return change


def mixup(x, y, rng):
    share = rng.beta(0.4, 0.4, len(x))
    order = rng.permutation(len(x))
    by_image = share[:, None, None, None]
    mixed = share[:, None] * y + (1 - share[:, None]) * y[order]
    return by_image * x + (1 - by_image) * x[order], mixed


def cutmix(x, y, rng):
    x, y, order, side = x.copy(), y.copy(), rng.permutation(len(x)), x.shape[1]
    other_x, other_y = x[order].copy(), y[order].copy()
    for k in range(len(x)):
        part = int(side * np.sqrt(rng.random()))
        i, j = rng.integers(0, side - part + 1, 2)
        x[k, i : i + part, j : j + part] = other_x[k, i : i + part, j : j + part]
        share = part**2 / side**2
        y[k] = (1 - share) * y[k] + share * other_y[k]
    return x, y


PIPELINES = {
    "none": None,
    "flips": only_images(flips),
    "pad-crop": only_images(pad_crop),
    "RandomResizedCrop": only_images(by_image(resized_crop)),
    "RandAugment": only_images(keras_layer("RandAugment")),
    "AugMix": only_images(keras_layer("AugMix")),
    "MixUp": mixup,
    "CutMix": cutmix,
    "erasing": only_images(by_image(erasing)),
    "noise": only_images(some_noise),
    "jitter": only_images(jitter),
    "rotation": only_images(by_image(rotation)),
}
# Training and validation are clips with nearly equal frames; `distinct_samples` declares this.
CLIPS = {"clips of 3": 3, "clips of 10": 10}


def clips(x, y, frames, rng):
    """Returns clips of `frames` copies of an image, each shifted by up to a pixel, with noise."""
    x, y = (values[: len(values) // frames].repeat(frames, axis=0) for values in (x, y))
    x = np.stack([np.roll(image, rng.integers(-1, 2, 2), (0, 1)) for image in x])
    return np.clip(x + rng.normal(0, 0.01, x.shape), 0, 1).astype("float32"), y


class Training(keras.utils.PyDataset):
    """Training batches, shuffled and augmented anew in each epoch."""

    def __init__(self, x, y, change, seed):
        super().__init__()
        self.x, self.y, self.change = x, y, change
        self.rng = np.random.default_rng(seed)
        self.order = self.rng.permutation(len(x))

    def __len__(self):
        return len(self.x) // BATCH

    def __getitem__(self, i):
        rows = self.order[i * BATCH : (i + 1) * BATCH]
        x, y = self.x[rows], self.y[rows]
        if self.change is not None:
            x, y = self.change(x, y, self.rng)
        return x.astype("float32"), y.astype("float32")

    def on_epoch_end(self):
        self.rng.shuffle(self.order)


class Alarms(keras.callbacks.Callback):
    """Callback that records the true loss of accuracy after each epoch, up to the first alarm."""

    def __init__(self, guard, lost):
        super().__init__()
        self.guard, self.lost = guard, lost
        self.raised, self.losses = False, []

    def on_epoch_end(self, epoch, logs=None):
        if not self.raised:
            self.losses.append(self.lost())
        self.raised |= bool(self.guard.report and self.guard.report.shifted)


def draw(data, seed):
    """Returns training, validation and other images in [0, 1], each with one-hot labels."""
    rng = np.random.default_rng(seed)
    if data == "fashion":
        x, y = fashion_mnist()
        chosen = rng.permutation(len(x))[:10500]
        x, y, sizes, classes = x[chosen], y[chosen], (5000, 1500, 4000), 10
    elif data == "digits":
        x, y = load_digits(return_X_y=True)
        chosen = rng.permutation(len(x))
        x = (x[chosen] * 255 / 16).reshape(-1, 8, 8, 1).repeat(2, axis=1).repeat(2, axis=2)
        y, sizes, classes = y[chosen], (1000, 400, 397), 10
    elif data == "photos":
        photos = Photos()
        sizes, classes = (3000, 1200, 2000), photos.classes
        x, y = photos.draw(rng, sum(sizes))
    else:
        photos = Photos()
        sizes, classes = (1500, 600, 1000), photos.classes
        x, y = photos.draw(rng, sum(sizes), size=64)
    x, y = (x / 255.0).astype("float32"), keras.utils.to_categorical(y, classes)
    ends = np.cumsum(sizes)
    return [(x[end - n : end], y[end - n : end]) for n, end in zip(sizes, ends, strict=True)]


def network(shape, classes):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(classes, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", jit_compile=False)
    return model


def head_on_lite0(shape, classes):
    """Returns a new head on EfficientNet-Lite0, which is frozen, for images in [0, 1]."""
    unit = sg.InputConvention("unit", "rgb")
    backbone = lite0.build(folded_to=unit, include_top=False, pooling="avg", size=shape[0])
    backbone.trainable = False
    head = keras.layers.Dense(classes, activation="softmax")
    model = keras.Sequential([keras.Input(shape), backbone, head])
    model.compile("adam", "categorical_crossentropy", jit_compile=False)
    return model


def accuracy_meter(model, x, y):
    """Returns a function that measures the accuracy; a frozen network runs only once."""
    x, predict = x.astype("float32"), functools.partial(model.predict, batch_size=256, verbose=0)
    if not model.layers[0].trainable:
        backbone, head = model.layers
        x, predict = backbone.predict(x, batch_size=256, verbose=0), head
    return lambda: float(
        (keras.ops.convert_to_numpy(predict(x)).argmax(axis=1) == y.argmax(axis=1)).mean()
    )


def loss_meter(model, plain, changed):
    """Returns a function that measures the accuracy on `plain` minus that on `changed`."""
    before, after = accuracy_meter(model, *plain), accuracy_meter(model, *changed)
    return lambda: before() - after()


def run(data, pipeline, shift, seed, on_shift="ignore"):
    """Runs a fit with an augmentation of training and a change of validation; returns its row."""
    (x, y), (vx, vy), (ox, oy) = draw(data, seed)
    rng = np.random.default_rng([seed, 1])
    change = LABEL_FAULTS.get(shift) or only_images(SHIFTS.get(shift, lambda x, rng: x))
    distinct = None
    if pipeline in CLIPS:
        (x, y), (vx, vy) = (clips(*each, CLIPS[pipeline], rng) for each in ((x, y), (vx, vy)))
        distinct = dict.fromkeys(("train", "validation"), 1 / CLIPS[pipeline])
    keras.utils.set_random_seed(seed)
    build = head_on_lite0 if data == "lite0" else network
    model = build(x.shape[1:], y.shape[1])
    silent = {"verbose": 0, "on_mismatch": "ignore", "on_shift": on_shift}
    guard = sg.ShiftGuard(**silent, tolerance=TOLERANCE, distinct_samples=distinct)
    training = Training(x, y, PIPELINES.get(pipeline), seed)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        validation = tuple(v.astype("float32") for v in change(vx, vy, rng))
        lost = loss_meter(model, (ox, oy), change(ox, oy, rng)) if shift else lambda: 0.0
        alarms = Alarms(guard, lost)
        history = model.fit(
            training,
            validation_data=validation,
            epochs=EPOCHS,
            verbose=0,
            callbacks=[guard, alarms],
        )
    seconds = time.process_time() - start
    found = [f for f in guard.report.findings if f.stream == "validation"]
    costs = [f.cost for f in found if f.cost is not None]
    return {
        "data": data,
        "pipeline": pipeline,
        "shift": shift,
        "seed": seed,
        "alarm": alarms.raised,
        "epochs": len(history.epoch),
        "lost": lost(),
        "losses": alarms.losses,
        "cost": max(costs) if costs else None,
        "found": len(found),
        "words": str(found[0].explanation)[:150] + f" [{found[0].cost_words}]" if found else "",
        "seconds": seconds,
    }


def share(rows):
    hits = sum(row["alarm"] for row in rows)
    return f"{hits}/{len(rows)} = {100 * hits / len(rows):.0f} %" if rows else "-"


def auroc(rows):
    truth = [row["lost"] >= 0.02 for row in rows]
    # Without any finding the cost is 0. With findings of unknown cost, the cost counts as .02.
    told = [row["cost"] if row["cost"] is not None else 0.02 * (row["found"] > 0) for row in rows]
    return f"{roc_auc_score(truth, told):.3f}" if 0 < sum(truth) < len(truth) else "-"


def summary(rows):
    """Prints the table, over all shifts and over those on which no constant was chosen."""
    right = [row for row in rows if not row["shift"]]
    shifted = [row for row in rows if row["shift"]]
    numbers = {name: i for i, name in enumerate([*SHIFTS, *LABEL_FAULTS])}
    held_out = [row for row in shifted if numbers[row["shift"]] % 2]
    print(f"\n{len(rows)} fits{'':44}all              held-out shifts")
    print(f"  right pipelines, alarmed at any epoch            {share(right)}")
    ended = sum(row.get("epochs", EPOCHS) < EPOCHS for row in right)
    print(f"  right pipelines, ended before epoch {EPOCHS}            {ended}/{len(right)}")
    for words, test in (
        ("lost less than half a point, alarmed", lambda lost: lost < 0.005),
        ("lost .5 to 2 points, alarmed", lambda lost: 0.005 <= lost < 0.02),
        ("lost 2 points or more, alarmed", lambda lost: lost >= 0.02),
    ):
        columns = [share([r for r in each if test(r["lost"])]) for each in (shifted, held_out)]
        print(f"  {words:49}{columns[0]:17}{columns[1]}")
    cheap = [row for row in shifted if max(row.get("losses") or [1]) < 0.005]
    never = share(cheap), share([row for row in held_out if row in cheap])
    print(f"  {'lost so little after every epoch until the alarm':49}{never[0]:17}{never[1]}")
    print(f"  {'AUROC of the cost, of 2 points or more':49}{auroc(shifted):17}{auroc(held_out)}")
    by_pipeline = {row["pipeline"] for row in right}
    for name in (p for p in [*PIPELINES, *CLIPS] if p in by_pipeline):
        print(f"    {name:20}{share([row for row in right if row['pipeline'] == name])}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=[], choices=DATA)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--pipelines", nargs="*", default=[*PIPELINES, *CLIPS])
    parser.add_argument("--shifts", nargs="*", default=[*SHIFTS, *LABEL_FAULTS])
    parser.add_argument("--training", nargs="*", default=["none", "pad-crop"], help="of the shifts")
    parser.add_argument("--on-shift", default="ignore", choices=("ignore", "stop"))
    parser.add_argument("--save", type=Path, help="JSON file for the rows")
    parser.add_argument("--add", type=Path, nargs="+", default=[], help="files of --save to add")
    options = parser.parse_args()
    rows = [row for path in options.add for row in json.loads(path.read_text())]
    for data in options.data:
        for seed in options.seeds:
            cases = [(pipeline, "") for pipeline in options.pipelines]
            cases += [(p, shift) for p in options.training for shift in options.shifts]
            for pipeline, shift in cases:
                row = run(data, pipeline, shift, seed, options.on_shift)
                keras.backend.clear_session()
                rows.append(row)
                cost = "-" if row["cost"] is None else f"{100 * row['cost']:.1f}"
                print(
                    f"{data} {seed} {pipeline:18}{shift:18}{'ALARM' if row['alarm'] else '-':6}"
                    f"lost {100 * row['lost']:5.1f} told {cost:>5} {row['seconds']:5.1f} s  "
                    f"{row['words']}",
                    flush=True,
                )
                if options.save:
                    options.save.write_text(json.dumps(rows, indent=1))
    summary(rows)


if __name__ == "__main__":
    main()

"""Wrong labels: are they told from hard samples, in each epoch and behind augmentation?

    KERAS_BACKEND=torch python examples/benchmarks/wrong_labels.py --data fashion digits --seeds 0 1

Trains a small CNN, and after several epochs compares its predictions for validation with right and
with wrong labels, and with right labels of harder images, as `experiments/labels/wrong_labels.py`
does in a fit. Nothing may be told of right labels. (In a fit, wrong labels at random or of one
class are looked for only where validation looks like training, so the harder images are a stress
test.)
"""

import argparse
import collections
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import alarms
import keras
import numpy as np
from keras_shiftguard.callback.checks.labels import FIRST_SIGMAS
from keras_shiftguard.experiments.labels.wrong_labels import Predicted, wrong_labels

EPOCHS = {"fashion": (1, 2, 3, 6, 12, 24), "digits": (1, 3, 6, 12, 24, 48)}
HARDER = ("noise 40", "darker x .4", "three pixels down", "half resolution", "turned 15", "zoom .9")
KEPT = 1024  # samples of a stream


def shuffled(x, y, rng):
    return x, y[rng.permutation(len(y))]


def ids_shifted(x, y, rng):
    return x, np.roll(y, 1, axis=1)


CASES = {
    "right": lambda x, y, rng: (x, y),
    **alarms.LABEL_FAULTS,
    "shuffled": shuffled,
    "ids + 1": ids_shifted,
    **{f"harder: {name}": alarms.only_images(alarms.SHIFTS[name]) for name in HARDER},
}
# Changes of the class mix: in a fit, labels that are wrong at random are then not looked for.
OTHER_MIX = ("half the classes x .3", "half the classes x .05")


def predicted(model, x, y):
    p = model.predict(x[:KEPT].astype("float32"), batch_size=256, verbose=0)
    return Predicted(p, y[:KEPT].argmax(axis=1))


def kind(found):
    """Returns what was told, in a word."""
    if found is None:
        return ""
    if found.names:
        return "renamed"
    if found.is_unrelated:
        return "unrelated"
    return "random" if found.pair is None else f"{found.pair[0]} is {found.pair[1]}"


def rows(data, pipeline, seed):
    """Yields data, pipeline, epoch, case, what was told, its cost, and what is really lost."""
    (x, y), (vx, vy), _ = alarms.draw(data, seed)
    keras.utils.set_random_seed(seed)
    model = alarms.network(x.shape[1:], y.shape[1])
    training, rng, done = alarms.Training(x, y, alarms.PIPELINES[pipeline], seed), None, 0
    for epoch in EPOCHS[data]:
        model.fit(training, epochs=epoch - done, verbose=0)
        done, rng = epoch, np.random.default_rng([seed, 1])
        batches = [training[i] for i in range(len(training))]
        seen = predicted(model, *(np.concatenate(part) for part in zip(*batches, strict=True)))
        plain = predicted(model, vx, vy).right.mean()
        for case, change in CASES.items():
            current = predicted(model, *change(vx.copy(), vy.copy(), rng))
            found = wrong_labels(current, seen, is_same_mix=case not in OTHER_MIX, seed=epoch)
            lost = plain - current.right.mean()
            yield data, pipeline, epoch, case, kind(found), found and found.cost, lost


def overlapping(seed, classes=3, noise=0.0, wrong=0.0):
    """Rows of overlapping classes, for training and validation; labels of both may be redrawn."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1500, 12)).astype("float32")
    score = x[:, :4].sum(axis=1) + (0.2 if noise else 1.0) * rng.normal(size=len(x))
    y = np.digitize(score, np.quantile(score, np.arange(1, classes) / classes)).astype("int32")
    for share, where in ((noise, slice(None)), (wrong, slice(1050, None))):
        part = y[where]
        hit = rng.random(len(part)) < share
        part[hit] = rng.integers(0, classes, hit.sum())
    return (x[:1050], y[:1050]), (x[1050:], y[1050:])


TABLES = {
    "right, three classes": {},
    "right, five classes": {"classes": 5},
    "right, 15 % redrawn in both": {"classes": 4, "noise": 0.15},
    "20 % redrawn in validation": {"wrong": 0.2},
    "20 % redrawn, clean classes": {"classes": 4, "noise": 1e-9, "wrong": 0.2},
}


def tables(seeds):
    """Prints in how many fits of a table labels look wrong at a look after one epoch, and more."""
    print("labels that look wrong, of the fits; surely after one epoch (as a fit asks) in brackets")
    for name, what in TABLES.items():
        told = collections.Counter()
        for seed in range(1, seeds + 1):
            training, validation = overlapping(seed, **what)
            keras.utils.set_random_seed(seed)
            hidden = [keras.layers.Dense(96, activation="relu") for _ in range(2)]
            last = keras.layers.Dense(what.get("classes", 3), activation="softmax")
            model = keras.Sequential([keras.Input((12,)), *hidden, last])
            model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
            for epochs in (1, 1, 6):
                model.fit(*training, batch_size=32, epochs=epochs, verbose=0)
                here, there = (
                    Predicted(model.predict(x, verbose=0, batch_size=512), y)
                    for x, y in (validation, training)
                )
                found = wrong_labels(here, there, seed=epochs)
                told[epochs, told["looks"]] += found is not None
                told["sure", told["looks"]] += found is not None and found.sigmas > FIRST_SIGMAS
                told["looks"] = (told["looks"] + 1) % 3
        counts = [told[1, 0], told["sure", 0], told[1, 1], told[6, 2]]
        print("{:30}{} ({}), {}, {} of {}".format(name, *counts, seeds))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", nargs="+", default=["digits"], choices=EPOCHS)
    parser.add_argument("--pipelines", nargs="+", default=["none", "pad-crop", "MixUp"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--small", action="store_true", help="a few rows, to see that it runs")
    parser.add_argument("--tables", type=int, default=0, help="so many fits of each table instead")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.tables:
        tables(options.tables)
        return
    if options.small:
        EPOCHS.update(dict.fromkeys(EPOCHS, (1, 2)))
        options.pipelines = ["none"]
    told, number, kept = collections.defaultdict(list), collections.Counter(), []
    for data in options.data:
        for pipeline in options.pipelines:
            for seed in options.seeds:
                for *where, case, word, cost, lost in rows(data, pipeline, seed):
                    number[case] += 1
                    if word:
                        told[case].append(word)
                        low, high = cost.interval
                        if word != "unrelated" and not case.startswith(("right", "half", "harder")):
                            kept.append(low <= lost <= high)
                        print(*where, seed, case, word, f"{cost.value:.3f}", f"({lost:.3f})")
    print()
    for case in CASES:
        words = ", ".join(f"{n} {w}" for w, n in collections.Counter(told[case]).most_common(4))
        print(f"{case:28}{len(told[case])} of {number[case]}  {words}")
    print(f"intervals that hold what is lost: {sum(kept)} of {len(kept)}")


if __name__ == "__main__":
    main()

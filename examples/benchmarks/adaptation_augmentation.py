"""Number 5 of the repair: does adaptive augmentation close the gap to a corrupted target?

    OLD/bin/python examples/benchmarks/adaptation_augmentation_data.py DATA.npz   # once
    PYTHONPATH=examples python examples/benchmarks/adaptation_augmentation.py DATA.npz \
        --results RESULTS.jsonl [--seeds 0 1] [--epochs 12] [--kinds fog pixelate ...]
    PYTHONPATH=examples python examples/benchmarks/adaptation_augmentation.py --cost

A small ResNet learns 4,000 images of Fashion-MNIST (32 x 32, gray) and is scored on
800 images of a corrupted target (imagecorruptions, severity 3); 1,200 others are the
unlabelled target. Equal epochs for all. Policies that know no target are trained once
a seed: `none`, Keras's `RandAugment` and `AugMix`, and `fixed`: every operation of our
own bank at the same moderate strength. `adaptive` is ShiftGuard(adapt=True) and
`adaptive+bn` the same after batch norm took the target's statistics; `none+bn` is that
alone. `oracle` is trained on the corruption itself, with labels: 4,000 corrupted images.
Accuracy is that of the last epoch; nothing is chosen by target labels. Rows that the
results hold already are not computed again.
"""

import argparse
import json
import time
from pathlib import Path

import keras
import numpy as np

import keras_shiftguard as sg
from keras_shiftguard.augmentation.layer import AdaptiveAugmentation
from keras_shiftguard.batch_norm_adaptation import adapt_batch_norm

UNLABELLED = 1200
FIXED_STRENGTH = 0.15
POLICIES = ("none", "randaugment", "augmix", "fixed", "adaptive", "oracle")


def norm(x):
    return keras.layers.BatchNormalization(momentum=0.9)(x)


def resnet():
    inputs = keras.Input((32, 32, 1))
    x = keras.layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(inputs)
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        y = norm(x)
        y = keras.layers.ReLU()(y)
        short = x
        if filters != x.shape[-1]:
            short = keras.layers.Conv2D(filters, 1, strides=stride, use_bias=False)(y)
        y = keras.layers.Conv2D(filters, 3, stride, "same", use_bias=False)(y)
        y = keras.layers.ReLU()(norm(y))
        y = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
        x = keras.layers.Add()([short, y])
    x = keras.layers.ReLU()(norm(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(10)(x))


def policy_layer(name, seed):
    if name == "fixed":
        layer = AdaptiveAugmentation(value_range=(0, 1), seed=seed, data_format="channels_last")
        layer.build((None, 32, 32, 1))
        layer.set_strengths(dict.fromkeys(layer.bank.names, FIXED_STRENGTH))
        return layer
    kind = {"randaugment": keras.layers.RandAugment, "augmix": keras.layers.AugMix}[name]
    return kind(value_range=(0, 1), seed=seed, data_format="channels_last")


def train(images, labels, seed, epochs, layer=None, callbacks=()):
    keras.utils.set_random_seed(seed)
    net = resnet()
    model = net
    if layer is not None:
        inputs = keras.Input((32, 32, 1))
        x = inputs
        if not isinstance(layer, AdaptiveAugmentation):
            x = keras.layers.Concatenate()([x, x, x])
        x = layer(x)
        if x.shape[-1] == 3:  # gray again; colour operations see equal channels
            x = keras.layers.Lambda(lambda t: keras.ops.mean(t, axis=-1, keepdims=True))(x)
        model = keras.Model(inputs, net(x))
    steps = epochs * (len(images) // 64)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"], jit_compile=False)
    began = time.time()
    model.fit(images, labels, batch_size=64, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return net, time.time() - began


def accuracy(model, images, labels):
    return float((model.predict(images, 256, verbose=0).argmax(-1) == labels).mean())


class Results:
    def __init__(self, path):
        self.path = Path(path)
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        self.rows = [json.loads(line) for line in lines]

    def has(self, **key):
        return any(all(row.get(k) == v for k, v in key.items()) for row in self.rows)

    def add(self, **row):
        self.rows.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)


def unit(images):
    return images[..., None].astype("float32") / 255


def run(data, results, kinds, seeds, epochs, policies):
    x, y = unit(data["train"]), data["train/labels"]
    clean, clean_y = unit(data["clean"]), data["clean/labels"]
    target_y = data["target/labels"]
    targets = {kind: unit(data[f"target/{kind}"]) for kind in kinds}
    targets["clean"] = unit(data["target"])  # no shift: nothing may be lost

    def score(net, policy, kind, seed, seconds, **more):
        test, labels = targets[kind][UNLABELLED:], target_y[UNLABELLED:]
        key = {"policy": policy, "kind": kind, "seed": seed, "epochs": epochs}
        results.add(
            **key,
            accuracy=accuracy(net, test, labels),
            clean=accuracy(net, clean, clean_y),
            seconds=round(seconds, 1),
            **more,
        )

    for seed in seeds:
        for policy in ("none", "randaugment", "augmix", "fixed"):
            done = results.has(policy=policy, kind=kinds[-1], seed=seed, epochs=epochs)
            if done or policy not in policies:
                continue
            layer = None if policy == "none" else policy_layer(policy, seed)
            net, seconds = train(x, y, seed, epochs, layer)
            for kind in ["clean", *kinds]:
                score(net, policy, kind, seed, seconds)
                if policy == "none":
                    adapted = adapt_batch_norm(net, targets[kind][:UNLABELLED])
                    score(net, "none+bn", kind, seed, seconds)
                    adapted.restore()
        for kind in ["clean", *kinds]:
            if "adaptive" in policies and not results.has(
                policy="adaptive", kind=kind, seed=seed, epochs=epochs
            ):
                unlabelled = targets[kind][:UNLABELLED]
                guard = sg.ShiftGuard(
                    target_data=unlabelled, adapt=True, on_shift="ignore", verbose=0
                )
                net, seconds = train(x, y, seed, epochs, callbacks=[guard])
                used = {k: round(v, 2) for k, v in guard.augmentation.strengths.items() if v}
                score(net, "adaptive", kind, seed, seconds, strengths=used)
                adapt_batch_norm(net, unlabelled)
                score(net, "adaptive+bn", kind, seed, seconds)
            if (
                "oracle" in policies
                and kind != "clean"
                and not results.has(policy="oracle", kind=kind, seed=seed, epochs=epochs)
            ):
                net, seconds = train(unit(data[f"train/{kind}"]), y, seed, epochs)
                score(net, "oracle", kind, seed, seconds)


def summary(results, epochs):
    rows = [row for row in results.rows if row["epochs"] == epochs]
    policies = list(dict.fromkeys(row["policy"] for row in rows))
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    seeds = sorted({row["seed"] for row in rows})

    def mean(policy, kind, what="accuracy"):
        found = [r[what] for r in rows if r["policy"] == policy and r["kind"] == kind]
        return float(np.mean(found)) if found else np.nan

    print(f"\naccuracy in %, last of {epochs} epochs, seeds {seeds}, {keras.backend.backend()}")
    print(f"{'target':18}" + "".join(f"{p:>13}" for p in policies))
    for kind in kinds:
        print(f"{kind:18}" + "".join(f"{100 * mean(p, kind):13.1f}" for p in policies))
    whole = [k for k in kinds if k != "clean" and all(mean(p, k) > 0 for p in policies)]
    if not whole:
        return
    average = {p: np.mean([mean(p, k) for k in whole]) for p in policies}
    print(
        f"{'mean of ' + str(len(whole)):18}"
        + "".join(f"{100 * average[p]:13.1f}" for p in policies)
    )
    print(
        f"{'clean test':18}"
        + "".join(f"{100 * np.mean([mean(p, k, 'clean') for k in whole]):13.1f}" for p in policies)
    )
    fixed = [p for p in ("none", "randaugment", "augmix", "fixed") if p in policies]
    best = max(fixed, key=lambda p: average[p])
    for policy in ("adaptive", "adaptive+bn"):
        if policy not in average:
            continue
        line = f"{policy}: {100 * (average[policy] - average[best]):+.1f} points over {best}"
        if "oracle" in average:
            gap = average["oracle"] - average["none"]
            line += f"; {100 * (average[policy] - average['none']) / gap:.0f} % of the gap"
        wins = np.mean([mean(policy, k) >= max(mean(p, k) for p in fixed) for k in whole])
        print(line + f"; at least the best fixed policy on {100 * wins:.0f} % of the kinds")


def cost(batch=64, side=32, channels=3, steps=60):
    """Seconds of an augmentation step against Keras's layers of the same operations."""
    import tensorflow as tf

    x = np.random.default_rng(0).random((batch, side, side, channels)).astype("float32")
    pairs = {
        "rotation": ({"rotation": 0.5}, [keras.layers.RandomRotation(0.0625)]),
        "brightness + contrast": (
            {"darker": 0.5, "brighter": 0.5, "less_contrast": 0.3, "more_contrast": 0.3},
            [
                keras.layers.RandomBrightness(0.3, value_range=(0, 1)),
                keras.layers.RandomContrast(0.5, value_range=(0, 1)),
            ],
        ),
        "blur": (
            {"blur": 0.5},
            [keras.layers.RandomGaussianBlur(1.0, 5, sigma=1.0, value_range=(0, 1))],
        ),
        "noise": ({"noise": 0.3}, [keras.layers.GaussianNoise(0.1)]),
        "erasing": ({"erasing": 0.4}, [keras.layers.RandomErasing(1.0, value_range=(0, 1))]),
    }
    every = {k: v for strengths, _ in pairs.values() for k, v in strengths.items()}
    pairs["all of these"] = (every, [layer for _, layers in pairs.values() for layer in layers])
    pairs["none (all off)"] = ({}, [])

    def timed(function):
        inputs = tf.constant(x)
        for _ in range(5):
            function(inputs)
        times = []
        for _ in range(steps):
            began = time.perf_counter()
            function(inputs)
            times.append(time.perf_counter() - began)
        return 1e3 * float(np.median(times))

    print(f"ms a batch of {batch} x {side} x {side} x {channels}, {keras.backend.backend()}")
    for name, (strengths, layers) in pairs.items():
        ours = AdaptiveAugmentation(value_range=(0, 1), seed=0)
        ours.build(x.shape)
        ours.set_strengths(strengths)
        theirs = keras.Sequential([keras.Input(batch_shape=x.shape), *layers])
        a = timed(tf.function(lambda t, layer=ours: layer(t, training=True)))
        b = timed(tf.function(lambda t, model=theirs: model(t, training=True)))
        print(f"{name:24} ours {a:7.2f}   Keras {b:7.2f}   ratio {a / b:.2f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", nargs="?")
    parser.add_argument("--results")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--kinds", nargs="+")
    parser.add_argument("--policies", nargs="+", default=list(POLICIES))
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--summary", action="store_true")
    arguments = parser.parse_args()
    if arguments.cost:
        cost()
    else:
        results = Results(arguments.results)
        if not arguments.summary:
            with np.load(arguments.data) as file:
                data = dict(file)
            every = [k[7:] for k in data if k.startswith("target/") and k != "target/labels"]
            kinds = arguments.kinds or every
            run(data, results, kinds, arguments.seeds, arguments.epochs, arguments.policies)
        summary(results, arguments.epochs)

r"""Augmentation benchmark: does `adapt=True` close the accuracy gap to a corrupted target?

    OLD/bin/python examples/benchmarks/adaptation_augmentation_data.py fashion FASHION.npz
    python examples/benchmarks/adaptation_augmentation.py FASHION.npz \
        --results RESULTS.jsonl [--seeds 0 1 2] [--epochs 8] [--samples 2400] \
        [--kinds held-out | fog ...]
    python examples/benchmarks/adaptation_augmentation_table.py RESULTS.jsonl

`OLD` is the Python 3.8 environment that `adaptation_augmentation_data.py` describes. `--kinds
held-out` takes the kinds of corruption that were not used while the operations were developed.

A small ResNet learns images (32 x 32, gray) and is scored on 40 % of a corrupted target
(imagecorruptions, severity 3). The other 60 % are the unlabelled target. All policies train for
the same number of epochs. The policies that know no target are trained once for each seed:
`none`, Keras's `RandAugment` and `AugMix`, and `fixed`, which applies every operation of
`AdaptiveAugmentation` at the same moderate strength. `adaptive` is ShiftGuard(adapt=True).
`adaptive+bn` is the network of `adaptive` after its batch norm took the target's statistics, and
`none+bn` is the network of `none` after the same step. `oracle` is trained on labelled images with
the same corruption. The accuracy is that of the last epoch; nothing is chosen by target labels. A
policy is skipped if the results file holds its rows. The policies that know no target are skipped
together, if all their rows are there.
"""

import argparse
import time
from pathlib import Path

import keras
import numpy as np
from adaptation_augmentation_table import HELD_OUT, Results

import keras_shiftguard as sg
from keras_shiftguard.adaptation.augmentation.layer import AdaptiveAugmentation
from keras_shiftguard.adaptation.batch_norm import adapt_batch_norm

UNLABELLED = 0.6  # share of the target that training may use
FIXED_STRENGTH = 0.15
FIXED = ("none", "randaugment", "augmix", "fixed")
POLICIES = (*FIXED, "oracle", "adaptive")


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
        if x.shape[-1] == 3:  # back to gray; colour operations see equal channels
            x = keras.layers.Lambda(lambda t: keras.ops.mean(t, axis=-1, keepdims=True))(x)
        model = keras.Model(inputs, net(x))
    steps = epochs * (len(images) // 64)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"], jit_compile=False)
    began = time.process_time()
    model.fit(images, labels, batch_size=64, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return net, round(time.process_time() - began, 1)


def accuracy(model, images, labels, batch=400):
    """Returns the accuracy; runs each model eagerly, since `predict` would trace each of them."""
    parts = [images[i : i + batch] for i in range(0, len(images), batch)]
    predicted = [
        keras.ops.convert_to_numpy(model(part, training=False)).argmax(-1) for part in parts
    ]
    return float((np.concatenate(predicted) == labels).mean())


def unit(images):
    return images[..., None].astype("float32") / 255


class Comparison:
    """The comparison of all policies on one data set: a row for each model and kind of target."""

    def __init__(self, data, name, results, epochs, samples):
        self.data, self.name, self.results, self.epochs = data, name, results, epochs
        self.samples = samples
        self.train = unit(data["train"][:samples]), data["train/labels"][:samples]
        self.cut = int(UNLABELLED * len(data["target"]))

    def key(self, policy, kind, seed):
        key = {"data": self.name, "policy": policy, "kind": kind, "seed": seed}
        return {**key, "epochs": self.epochs}

    def target(self, kind):
        """Returns the target of one kind; `clean` has no corruption."""
        return unit(self.data["target" if kind == "clean" else f"target/{kind}"])

    def clean(self, net):
        return accuracy(net, unit(self.data["clean"]), self.data["clean/labels"])

    def score(self, net, policy, kind, seed, clean, **more):
        test = self.target(kind)[self.cut :], self.data["target/labels"][self.cut :]
        key = self.key(policy, kind, seed)
        self.results.add(**key, accuracy=accuracy(net, *test), clean=clean, **more)

    def fixed(self, policy, kinds, seed):
        if all(self.results.has(**self.key(policy, kind, seed)) for kind in kinds):
            return
        layer = None if policy == "none" else policy_layer(policy, seed)
        net, seconds = train(*self.train, seed, self.epochs, layer)
        clean = self.clean(net)
        for kind in kinds:
            self.score(net, policy, kind, seed, clean, cpu_seconds=seconds)
            if policy == "none":
                adapted = adapt_batch_norm(net, self.target(kind)[: self.cut])
                self.score(net, "none+bn", kind, seed, self.clean(net))
                adapted.restore()

    def oracle(self, kind, seed):
        if kind == "clean" or self.results.has(**self.key("oracle", kind, seed)):
            return
        images = unit(self.data[f"train/{kind}"][: self.samples])
        net, seconds = train(images, self.train[1], seed, self.epochs)
        self.score(net, "oracle", kind, seed, self.clean(net), cpu_seconds=seconds)

    def adaptive(self, kind, seed):
        if self.results.has(**self.key("adaptive", kind, seed)):
            return
        unlabelled = self.target(kind)[: self.cut]
        guard = sg.ShiftGuard(target_data=unlabelled, adapt=True, on_shift="ignore", verbose=0)
        net, seconds = train(*self.train, seed, self.epochs, callbacks=[guard])
        used = {k: round(v, 2) for k, v in guard.augmentation.strengths.items() if v}
        more = {"cpu_seconds": seconds, "strengths": used}
        self.score(net, "adaptive", kind, seed, self.clean(net), **more)
        adapt_batch_norm(net, unlabelled)
        self.score(net, "adaptive+bn", kind, seed, self.clean(net))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--results", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--samples", type=int, default=2400, help="training images")
    parser.add_argument("--kinds", nargs="+")
    parser.add_argument("--policies", nargs="+", default=POLICIES, choices=POLICIES)
    arguments = parser.parse_args()
    with np.load(arguments.data) as file:
        data = dict(file)
    kinds = [k[7:] for k in data if k.startswith("target/") and k != "target/labels"]
    if arguments.kinds == ["held-out"]:
        kinds = [kind for kind in kinds if kind in HELD_OUT]
    elif arguments.kinds:
        kinds = arguments.kinds
    kinds = [*(kind for kind in kinds if kind != "clean"), "clean"]
    name, results = Path(arguments.data).stem, Results(arguments.results)
    comparison = Comparison(data, name, results, arguments.epochs, arguments.samples)
    for seed in arguments.seeds:
        for policy in arguments.policies:
            if policy in FIXED:
                comparison.fixed(policy, kinds, seed)
                continue
            for kind in kinds:
                getattr(comparison, policy)(kind, seed)


if __name__ == "__main__":
    main()

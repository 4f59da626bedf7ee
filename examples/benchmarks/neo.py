"""NEO benchmark: how much accuracy does re-centring the features of an unlabelled target gain?

    WILD=FOLDER python examples/benchmarks/neo.py --loaders ../shared/wild --features CACHE
    python examples/benchmarks/neo.py --subjects lite0-photos cnn-mnist --save RESULTS.json
    python examples/benchmarks/neo.py --show RESULTS.json

A subject is a network, a linear head on its last features, and labelled images. Half of the images
are the source, on which the head is fitted, and half are the target. Each target comes as it is
and with five corruptions, with the mix of classes of the source and with half of the classes cut
to a tenth. The method sees all of the target at once, without labels, and is tested on the same
samples, as in the paper. The halves are drawn three times. A gain is the accuracy minus the
accuracy of the same head without adaptation, in points.

    origin        the mean of the target's features goes to the origin: the method as published
    source mean   the mean goes to the mean of the source's features
    mix-aware     the mean goes to where the source's mean would be with the target's mix of
                  classes, which is estimated: a variant of ours for a target with another mix

The networks are the transformer of DINOv2 (ViT-S/14; needs `--loaders`, see `verdicts.py`),
EfficientNet-Lite0, and small CNNs that are trained here on digits, with their own heads. Photos
are parts of twenty photos, and the class is the photo. The features of the two large networks are
kept in the folder that `--features` names.

Reference: Murphy et al., "NEO: No-Optimization Test-Time Adaptation through Latent Re-Centering",
ICLR 2026 (arXiv 2510.05635).
"""

import argparse
import functools
import importlib
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from adaptation_data import half_size, mnist, small_images, two_halves, uci
from corruptions.own_corruptions import one_over_f
from PIL import Image
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parents[1]))
from fashion import fashion_mnist
from photos import imagenet_photos

SIZE = 224
NUM_IMAGES = {"dinov2": 160, "lite0": 400}  # images of a collection; DINOv2 is slow without GPU
TORCH_MEAN, TORCH_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
KEPT = 0.1  # share of the samples of a rare class
ROUNDS, EM_ROUNDS = 10, 30  # iterations of `mix_aware`, and of `em_mix` in each
DRAWS = 3
METHODS = ("origin", "source mean", "mix-aware")
MIXES = ("same", "moved")


# --- corruptions of an image in 0..255, `(height, width, channels)`
def darker(x, rng):
    return 0.25 * x


def noisier(x, rng):
    return x + rng.normal(0, 60, x.shape)


def blurred(x, rng):
    return ndimage.gaussian_filter(x, (len(x) / 28, len(x) / 28, 0))


def paler(x, rng):
    mean = x.mean(axis=(0, 1), keepdims=True)
    return mean + 0.2 * (x - mean)


def foggy(x, rng):
    return 0.35 * x + 0.65 * 255 * (0.3 + 0.7 * one_over_f(x.shape[:2], 2.0, rng)[..., None])


CORRUPTIONS = {
    "none": None,
    "darker": darker,
    "noise": noisier,
    "blur": blurred,
    "contrast": paler,
    "fog": foggy,
}


def corrupted(images, name):
    """Returns the images with one corruption, uint8; each has random numbers of its own."""
    if CORRUPTIONS[name] is None:
        return images
    rng = np.random.default_rng([5635, list(CORRUPTIONS).index(name)])
    made = np.stack([CORRUPTIONS[name](x.astype("float64"), rng) for x in images])
    return np.clip(np.round(made), 0, 255).astype("uint8")


# --- large networks, with frozen features
def photo_parts(count):
    """Returns parts of twenty photos, uint8 `(count, 224, 224, 3)`, and the photos' numbers."""
    rng = np.random.default_rng(0)
    parts = []
    for photo in imagenet_photos(SIZE)[0]:
        for left, top in rng.integers(0, 64, (count // 20, 2)):
            box = (left, top, left + 160, top + 160)
            part = Image.fromarray(photo).resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=box)
            parts.append(np.asarray(part))
    return np.stack(parts), np.repeat(np.arange(20), count // 20)


def clothes(count):
    """Returns images of Fashion-MNIST, uint8 `(count, 28, 28, 1)`, and their classes."""
    images, labels = fashion_mnist()
    chosen = np.random.default_rng(0).permutation(len(images))[:count]
    return images[chosen], labels[chosen]


def as_photos(images):
    """Returns the images enlarged to 224 pixels, RGB, float32 in 0..255."""
    if images.shape[1] != SIZE:
        size = (SIZE, SIZE)
        large = [Image.fromarray(x[..., 0]).resize(size, Image.Resampling.BICUBIC) for x in images]
        images = np.repeat(np.stack(large)[..., None], 3, axis=-1)
    return images.astype("float32")


def dinov2():
    model = importlib.import_module("dinov2_vit_s14").build(decoder=False)
    return lambda x: model.predict((x - TORCH_MEAN) / TORCH_STD, batch_size=8, verbose=0)


def lite0():
    model = importlib.import_module("lite0").build(include_top=False, pooling="avg")
    return lambda x: model.predict((x - 127) / 128, batch_size=8, verbose=0)


def frozen(network, collection, folder):
    """Returns the features by corruption, and the classes; `folder` keeps the features."""
    collect = {"photos": photo_parts, "fashion": clothes}[collection]
    images, labels = collect(NUM_IMAGES[network])
    features, embed = {}, None
    for name in CORRUPTIONS:
        path = Path(folder) / f"neo_{network}_{collection}_{name}.npy"
        if not path.is_file():
            embed = embed or {"dinov2": dinov2, "lite0": lite0}[network]()
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, embed(as_photos(corrupted(images, name))))
            print(f"{path.name} written", flush=True)
        features[name] = np.load(path)
    return features, labels


def frozen_draws(network, collection, folder):
    """Yields, for each draw, the source, the target's features and classes, and the head."""
    features, labels = frozen(network, collection, folder)
    scale = 1 / features["none"].std()
    for draw in range(DRAWS):
        order = np.random.default_rng([draw, 1]).permutation(len(labels))
        source, target = order[: len(order) // 2], order[len(order) // 2 :]
        pair = scale * features["none"][source], labels[source]
        yield (
            pair,
            {name: scale * x[target] for name, x in features.items()},
            labels[target],
            linear_head(*pair),
        )


def linear_head(x, y):
    """Returns a function from features to logits: logistic regression."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(max_iter=2000).fit(x, y)
    return lambda h: h @ fitted.coef_.T + fitted.intercept_


# --- small CNNs on digits
def digits(name, seed):
    """Returns the halves of a collection of digits of 14 pixels, in [0, 1]."""
    x, y = mnist() if name == "mnist" else uci(10, 2)
    return two_halves(half_size(x) if name == "mnist" else x, y, seed)


def cnn_draws(source, target):
    """Yields what `frozen_draws` does, for a CNN that is trained on the source."""
    for draw in range(DRAWS):
        x, y = digits(source, draw)[0]
        images, labels = digits(target, draw)[1]
        images = np.round(255 * images).astype("uint8")
        keras.utils.set_random_seed(draw)
        model = small_images()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-3), loss)
        model.fit(x, y.astype("int32"), batch_size=64, epochs=20, verbose=0)
        inner = keras.Model(model.inputs, model.get_layer("features").output)
        embed = functools.partial(inner.predict, batch_size=256, verbose=0)
        kernel, bias = model.layers[-1].get_weights()
        features = {n: embed(corrupted(images, n).astype("float32") / 255) for n in CORRUPTIONS}
        yield (embed(x), y), features, labels, lambda h, k=kernel, b=bias: h @ k + b


SUBJECTS = {
    "dinov2-photos": functools.partial(frozen_draws, "dinov2", "photos"),
    "dinov2-fashion": functools.partial(frozen_draws, "dinov2", "fashion"),
    "lite0-photos": functools.partial(frozen_draws, "lite0", "photos"),
    "lite0-fashion": functools.partial(frozen_draws, "lite0", "fashion"),
    "cnn-mnist": functools.partial(cnn_draws, "mnist", "mnist"),
    "cnn-mnist-uci": functools.partial(cnn_draws, "mnist", "uci"),
    "cnn-uci-mnist": functools.partial(cnn_draws, "uci", "mnist"),
}


# --- the methods
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def em_mix(probabilities, prior):
    """Returns the class shares of the target by expectation-maximization, `(classes,)`.

    Reference: Saerens et al., Neural Computation 14 (2002).
    """
    mix = prior
    for _ in range(EM_ROUNDS):
        p = probabilities * mix / np.maximum(prior, 1e-6)
        mix = (p / np.maximum(p.sum(axis=1, keepdims=True), 1e-12)).mean(axis=0)
    return mix


def mix_aware(head, source, y, target):
    """Removes from the target's features the shift of their mean that the mix does not explain."""
    classes = np.unique(y)
    means = np.stack([source[y == k].mean(axis=0) for k in classes])
    source_mix = np.asarray([(y == k).mean() for k in classes])
    moved = np.zeros(source.shape[1])
    for _ in range(ROUNDS):
        mix = em_mix(softmax(head(target - moved)), source_mix)
        moved = target.mean(axis=0) - mix @ means
    return target - moved


def accuracies(head, source, y, target, target_y):
    """Returns the accuracy without adaptation and with each method."""
    centred = target - target.mean(axis=0)
    features = {
        "before": target,
        "origin": centred,
        "source mean": centred + source.mean(axis=0),
        "mix-aware": mix_aware(head, source, y, target),
    }
    return {n: float((head(h).argmax(axis=1) == target_y).mean()) for n, h in features.items()}


def rare(labels, draw):
    """Returns which samples stay if half of the classes keep a tenth of their samples."""
    rng = np.random.default_rng([draw, 2])
    few = rng.permutation(np.unique(labels))[: len(np.unique(labels)) // 2]
    return ~np.isin(labels, few) | (rng.random(len(labels)) < KEPT)


def run(subject, folder):
    """Returns the records of one subject."""
    more = () if subject.startswith("cnn") else (folder,)
    records = []
    for draw, ((source, y), targets, labels, head) in enumerate(SUBJECTS[subject](*more)):
        for mix in MIXES:
            stays = rare(labels, draw) if mix == "moved" else np.ones(len(labels), bool)
            for name, target in targets.items():
                found = accuracies(head, source, y, target[stays], labels[stays])
                record = {"subject": subject, "corruption": name, "mix": mix, "draw": draw}
                records.append(record | {"samples": int(stays.sum()), **found})
    return records


def by_task(records, method, minus=None):
    """Returns by task the accuracy of each draw in points, or its gain over the method `minus`."""
    found = {}
    for r in records:
        key = (r["subject"], r["mix"], r["corruption"])
        found.setdefault(key, []).append(100 * (r[method] - (r[minus] if minus else 0)))
    return {key: np.asarray(values) for key, values in found.items()}


def tables(records):
    subjects = [s for s in SUBJECTS if any(r["subject"] == s for r in records)]
    print("| subject | classes | method | " + " | ".join(CORRUPTIONS) + " |")
    print("|---|---|---" + "|---" * len(CORRUPTIONS) + "|")
    for subject in subjects:
        for mix in MIXES:
            for method in ("before", *METHODS):  # accuracies in %, then gains in points
                first = method == "before"
                found = by_task(records, method, None if first else "before")
                means = [found[subject, mix, name].mean() for name in CORRUPTIONS]
                cells = [f"{m:.1f}" if first else f"{m:+.1f}" for m in means]
                print(f"| {subject} | {mix} | {method} | " + " | ".join(cells) + " |")
    lost = "tasks that lose more than a point"
    print(f"\n| method | classes | tasks | mean gain | worst task | worst draw | {lost} |")
    print("|---|---|---|---|---|---|---|")
    for method in METHODS:
        for mixes in (("same",), ("moved",), MIXES):
            gains = by_task(records, method, "before")
            chosen = {k: v for k, v in gains.items() if k[1] in mixes}
            means = {k: v.mean() for k, v in chosen.items()}
            worst = min(means, key=means.get)
            print(
                f"| {method} | {' or '.join(mixes)} | {len(means)} "
                f"| {np.mean(list(means.values())):+.1f} "
                f"| {means[worst]:+.1f} ({worst[0]}, {worst[2]}) "
                f"| {min(v.min() for v in chosen.values()):+.1f} "
                f"| {sum(m < -1 for m in means.values())} |"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", nargs="+", default=list(SUBJECTS), choices=list(SUBJECTS))
    parser.add_argument("--loaders", type=Path, help="folder of the loader of DINOv2")
    parser.add_argument("--features", default=tempfile.gettempdir(), help="folder for features")
    parser.add_argument("--save", type=Path, help="a JSON file for the results; it is overwritten")
    parser.add_argument("--show", nargs="+", type=Path, help="print the tables of these files")
    arguments = parser.parse_args()
    if arguments.show:
        tables([r for path in arguments.show for r in json.loads(path.read_text())])
        return
    if arguments.loaders:
        sys.path.insert(0, str(arguments.loaders.resolve()))
    records = []
    for subject in arguments.subjects:
        records += run(subject, arguments.features)
        if arguments.save:
            arguments.save.write_text(json.dumps(records, indent=0))
    tables(records)


if __name__ == "__main__":
    main()

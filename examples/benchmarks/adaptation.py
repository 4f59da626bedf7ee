"""Domain adaptation benchmark: accuracy gained on an unlabelled target, and its cost.

Each command prints one table. Seeds are fixed, the figures are those of the last epoch, and every
choice within a fit is made without labels of the target:

    python examples/benchmarks/adaptation.py digits          # MNIST to UCI digits
    python examples/benchmarks/adaptation.py label-shift     # half of its classes cut to 10 %
    python examples/benchmarks/adaptation.py moons           # turned by 30 and 35 degrees
    python examples/benchmarks/adaptation.py blended         # MNIST to the same on photos
    python examples/benchmarks/adaptation.py blended-fashion # Fashion-MNIST, 60,000 images

The method `mixing only` blends the images of the two domains and aligns nothing. `--cut` cuts
half of the classes of the target to a tenth, as `label-shift` does. The column `cpu/ep` holds
the CPU seconds of an epoch, with looks and tracing.
"""

import argparse
import os
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from adaptation_data import blended_digits, blended_fashion, digits, lenet, moons, small_net

from keras_shiftguard.adaptation.domains.model import DomainAdaptationModel

BLENDED = {"blended": blended_digits, "blended-fashion": blended_fashion}
METHODS = ("source only", "mixing only", "auto", "dann", "mmd", "coral", "cdan")


def adapted(method, seed, task, net, epochs, batch_size):
    """Returns the accuracy on the target's test half and on the source's validation part."""
    keras.utils.set_random_seed(seed)
    source, validation, target, test = task
    model = net()
    # `source_first=1` leaves no epoch for an alignment, so images are blended and nothing else.
    how = {"source only": {"strength": 0.0}, "mixing only": {"source_first": 1.0}}.get(method, {})
    wrapped = DomainAdaptationModel(model, "features", "mmd" if how else method, **how, verbose=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    wrapped.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    start = time.process_time()
    wrapped.fit(
        *source,
        target_data=target,
        validation_data=validation,
        epochs=epochs,
        batch_size=batch_size,
        verbose=0,
    )
    seconds = (time.process_time() - start) / epochs
    scores = [
        float((model.predict(x, verbose=0).argmax(axis=1) == y).mean())
        for x, y in (test, validation)
    ]
    return *scores, seconds, wrapped.alignment


def table(title, make_task, net, arguments):
    print(f"{title}; {arguments.epochs} epochs, Keras on {keras.backend.backend()}")
    print(
        f"{'method':<12} {'mean':>6} {'sd':>6} {'worst':>6} {'source':>7} {'cpu/ep':>8}  each seed"
    )
    baseline = None
    for method in arguments.methods:
        rows = []
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            rows.append(
                adapted(method, seed, make_task(seed), net, arguments.epochs, arguments.batch)
            )
            if arguments.verbose:
                print(f"  {method}, seed {seed}: {rows[-1][0]:.4f}", flush=True)
                print(rows[-1][3], flush=True)
        target = np.array([row[0] for row in rows])
        line = (
            f"{method:<12} {target.mean():6.3f} {target.std(ddof=min(1, len(target) - 1)):6.3f} "
            f"{target.min():6.3f} {np.mean([r[1] for r in rows]):7.3f} "
            f"{np.mean([r[2] for r in rows]):8.2f}  {' '.join(f'{v:.3f}' for v in target)}"
        )
        if method == "source only":
            baseline = target
        elif baseline is not None and len(target) > 1:
            gain = target - baseline
            error = gain.std(ddof=1) / len(gain) ** 0.5
            low = gain.mean() - student(len(gain)) * error
            line += f"  gain {gain.mean():+.3f} (95 % from {low:+.3f}), worst {gain.min():+.3f}"
        print(line, flush=True)


def student(n):
    """Returns the one-sided 95 % point of Student's t with `n - 1` degrees of freedom."""
    from scipy.stats import t

    return t.ppf(0.95, n - 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=["digits", "label-shift", "moons", *BLENDED])
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch", type=int, help="default: 100 images, or 64 points")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--cut", action="store_true", help="cut half of the target's classes")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    many = arguments.table in ("label-shift", "moons") or arguments.cut
    arguments.seeds = arguments.seeds or (10 if many else 5)
    arguments.epochs = arguments.epochs or (150 if arguments.table == "moons" else 30)
    arguments.batch = arguments.batch or (64 if arguments.table == "moons" else 100)
    if arguments.table == "moons":
        for angle in (30, 35):
            table(
                f"Two moons, turned by {angle} degrees",
                lambda seed, angle=angle: moons(seed, angle),
                small_net,
                arguments,
            )
        return
    cut = arguments.cut or arguments.table == "label-shift"
    make, net, title = digits, lenet, "MNIST to UCI digits"
    if arguments.table in BLENDED:
        make, net = BLENDED[arguments.table], lambda: lenet(channels=3)
        title = "MNIST" if make is blended_digits else "Fashion-MNIST"
        title = f"{title} to the same blended with photos"
    if cut:
        title += ", half of its classes cut to a tenth"
    table(title, lambda seed: make(seed, cut), net, arguments)


if __name__ == "__main__":
    main()

"""Overhead of a training step: with the guard, compared with the same step without it.

    python examples/benchmarks/step_overhead.py --backend tensorflow --model small_cnn

Four copies of one model take turns, a few steps each, for several rounds, in a new order every
round. So other work on the machine slows all of them alike.

    plain         model.train_on_batch
    guard         the same with ShiftGuard attached
    tensorboard   the same with keras.callbacks.TensorBoard(histogram_freq=1)
    numpy         the same with a copy of each batch measured in NumPy

Printed is the ratio to `plain` within a round, as the median over the rounds with a 95 % bootstrap
interval, in wall and in CPU seconds. An interval that contains the aim is called "not resolved".
The time that a callback takes at the end of an epoch is divided by the number of steps in an epoch
of 50,000 images (as many as CIFAR-10 has), and added to the time of a step. This time is also
printed undivided.

The guard measures closely only every k-th step of such an epoch (`stride_for`), and a round is
shorter than an epoch. So a round times measured steps and other steps separately, and adds up the
times in the proportion of an epoch. The guard's check of the preprocessing comes before the rounds
and is part of the time of the first step.
"""

import argparse
import os
import tempfile
import time

import numpy as np

TARGETS = {"resnet50": 0.01, "small_cnn": 0.03}
IMAGES_PER_EPOCH = 50_000
BATCHES = {"resnet50": 8, "small_cnn": 128}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="tensorflow", choices=["tensorflow", "jax", "torch"])
    parser.add_argument("--model", default="small_cnn", choices=list(TARGETS))
    parser.add_argument("--batch", type=int, help="batch size; default by model")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=8, help="steps of each variant in a round")
    parser.add_argument("--variants", default="plain,guard,tensorboard,numpy")
    parser.add_argument(
        "--check-transfers",
        action="store_true",
        help="JAX: run steps under jax.transfer_guard('disallow') (means most on a GPU)",
    )
    return parser.parse_args()


def build(name):
    import keras
    from keras import layers

    if name == "resnet50":
        model = keras.applications.ResNet50(weights=None)
    else:  # the network of Keras's CIFAR-10 example
        model = keras.Sequential(
            [
                keras.Input((32, 32, 3)),
                layers.Conv2D(32, 3, padding="same", activation="relu"),
                layers.Conv2D(32, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Conv2D(64, 3, padding="same", activation="relu"),
                layers.Conv2D(64, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(512, activation="relu"),
                layers.Dense(10, activation="softmax"),
            ]
        )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class NumpyMeasure:
    """A hand-written alternative to the guard: it measures every batch on the host."""

    def measure(self, x):
        copy = np.array(x, copy=True)
        flat = copy.reshape(-1, copy.shape[-1])
        self.found = flat.mean(0), flat.std(0), flat.min(0), flat.max(0), np.isfinite(flat).sum()
        self.histograms = [np.histogram(column, bins=256) for column in flat.T]


class Variant:
    """One copy of the model with its callback, run step by step."""

    def __init__(self, name, model_name, x, y, log_dir):
        import keras

        import keras_shiftguard as sg

        self.name, self.x, self.y, self.step = name, x, y, 0
        self.epoch = IMAGES_PER_EPOCH // len(x)  # steps in an epoch
        keras.utils.set_random_seed(0)
        self.model = build(model_name)
        self.numpy = NumpyMeasure() if name == "numpy" else None
        self.model.train_on_batch(x, y)  # builds the optimizer
        self.callback = None
        if name == "guard":
            self.callback = sg.ShiftGuard(on_mismatch="ignore", verbose=0)
        elif name == "tensorboard":
            self.callback = keras.callbacks.TensorBoard(log_dir, histogram_freq=1)
        if self.callback is not None:
            self.callback.set_params({"epochs": 1, "steps": self.epoch, "verbose": 0})
            self.callback.set_model(self.model)
            self.callback.on_train_begin()
            self.callback.on_epoch_begin(0)
        start = time.perf_counter()
        self.run(1)
        self.first = time.perf_counter() - start
        self.run(2)

    def run(self, steps):
        for _ in range(steps):
            if self.callback is not None:
                self.callback.on_train_batch_begin(self.step)
            if self.numpy is not None:
                self.numpy.measure(self.x)
            logs = self.model.train_on_batch(self.x, self.y, return_dict=True)
            if self.callback is not None:
                self.callback.on_train_batch_end(self.step, logs)
            self.step += 1

    def timed(self, steps):
        """Returns the mean `(wall, cpu)` seconds of a step."""
        if self.name != "guard":
            return self._timed(steps)
        from keras_shiftguard.statistics.schedule import stride_for

        stream, stride = self.callback._run.stream("train"), stride_for(self.epoch)
        times = []
        for every in (10**9, 1):
            _ = self.callback.model  # on JAX: brings the variables up to date
            stream.measure_every(every)
            self.run(1)  # the first step is always measured, so it is not timed
            times.append(self._timed(steps))
        self.kinds = np.asarray(times)
        return (self.kinds[0] * (stride - 1) + self.kinds[1]) / stride

    def _timed(self, steps):
        wall, cpu = time.perf_counter(), time.process_time()
        self.run(steps)
        return np.divide((time.perf_counter() - wall, time.process_time() - cpu), steps)

    def end_epoch(self):
        """Ends an epoch, once a round, because callbacks also work at the end of an epoch."""
        if self.callback is not None:
            self.callback.on_epoch_end(0, {})
            self.callback.on_epoch_begin(0)
            self.step = 0


def interval(ratios, rng):
    medians = np.median(rng.choice(ratios, (2000, len(ratios))), axis=1)
    return np.median(ratios), *np.quantile(medians, [0.025, 0.975])


def report(name, times, ends, target, rng):
    for kind, column in (("wall", 0), ("cpu", 1)):
        ratios = times[name][:, column] / times["plain"][:, column]
        middle, low, high = interval(ratios, rng)
        line = f"{name:12} {kind:4} {100 * (middle - 1):+6.2f} %  [{100 * (low - 1):+.2f}, "
        line += f"{100 * (high - 1):+.2f}]"
        if name == "guard":
            verdict = "within" if high - 1 <= target else "not resolved"
            verdict = "above" if low - 1 > target else verdict
            line += f"   target {100 * target:.0f} %: {verdict}"
        print(line)
    ms = 1000 * np.median(times[name][:, 0])
    print(f"{'':12} {ms:.1f} ms a step; end of an epoch {1000 * np.median(ends[name]):.1f} ms")


def check_transfers(x, y, model_name):
    import jax

    variant = Variant("guard", model_name, x, y, None)
    model = variant.model
    data = jax.device_put((x, y))
    state = model._get_jax_state(
        trainable_variables=True,
        non_trainable_variables=True,
        optimizer_variables=True,
        metrics_variables=True,
    )
    with jax.transfer_guard("disallow"):
        for _ in range(3):
            logs, state = model.train_function(state, iter([data]))
            jax.block_until_ready(logs)
    print(f"three guarded steps under jax.transfer_guard('disallow') on {jax.devices()[0]}: passed")


def main():
    args = parse()
    os.environ["KERAS_BACKEND"] = args.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    rng = np.random.default_rng(0)
    batch = args.batch or BATCHES[args.model]
    size = 224 if args.model == "resnet50" else 32
    x = (rng.random((batch, size, size, 3)) * 255).astype("float32")
    y = rng.integers(0, 10, batch)
    if args.check_transfers:
        return check_transfers(x, y, args.model)
    names = args.variants.split(",")
    if args.backend != "tensorflow" and "tensorboard" in names:
        names.remove("tensorboard")  # keras.callbacks.TensorBoard needs TensorFlow
    print(
        f"{args.model}, batch {batch}, {size}x{size}, {args.backend}, {args.rounds} rounds of "
        f"{args.steps} steps; load {os.getloadavg()[0]:.1f} at the start"
    )
    with tempfile.TemporaryDirectory() as log_dir:
        variants = {name: Variant(name, args.model, x, y, log_dir) for name in names}
        print(
            "first step, compilation included: "
            + ", ".join(f"{v.name} {v.first:.2f} s" for v in variants.values())
        )
        times = {name: [] for name in names}
        ends = {name: [] for name in names}
        kinds = []
        for number in range(args.rounds):
            for name in rng.permutation(names):
                spent = variants[name].timed(args.steps)
                if name == "guard":
                    kinds.append(variants[name].kinds)
                wall, cpu = time.perf_counter(), time.process_time()
                variants[name].end_epoch()
                end = time.perf_counter() - wall, time.process_time() - cpu
                ends[name].append(end[0])
                times[name].append(spent + np.divide(end, IMAGES_PER_EPOCH // batch))
            print(f"\rround {number + 1} of {args.rounds}", end="", flush=True)
    times = {name: np.asarray(values) for name, values in times.items()}
    print(f"\rload {os.getloadavg()[0]:.1f} at the end   ")
    print(
        f"{'plain':12} {1000 * np.median(times['plain'][:, 0]):.1f} ms a step wall, "
        f"{1000 * np.median(times['plain'][:, 1]):.1f} ms cpu"
    )
    if kinds:
        from keras_shiftguard.statistics.schedule import stride_for

        light, close = 1000 * np.median(np.asarray(kinds), axis=0)
        print(
            f"{'guard':12} every {stride_for(IMAGES_PER_EPOCH // batch)}. step looks closely: "
            f"{close[0]:.1f} ms wall, {close[1]:.1f} ms cpu; the others {light[0]:.1f} and "
            f"{light[1]:.1f} ms"
        )
    for name in names[1:]:
        report(name, times, ends, TARGETS[args.model], rng)


if __name__ == "__main__":
    main()

"""Overhead of the guard in long epochs: steps of `model.fit` with it and without it.

    python examples/benchmarks/step_overhead.py --backend tensorflow --model small_cnn

Copies of one model are trained in turns: each has a `fit` of its own, in its own thread, and runs a
few steps while the others wait. The order is new in every round. So other work on the machine slows
all of them alike.

    plain         model.fit
    guard         the same with ShiftGuard
    tensorboard   the same with keras.callbacks.TensorBoard(histogram_freq=1)

The data set has as many batches as 50,000 images need, so the guard measures as often as in the
first epoch over that many images. In the first `--skip` steps of a fit, the model is compiled and
the guard gives its verdict; their time is printed, but is not part of the ratios.

Two copies of a model differ in speed although they do the same: on PyTorch the second of two plain
copies was once 5 % slower. So the rounds are divided among several fits, and the variants change
their copies from fit to fit. As many fits as there are copies form a cycle, in which each variant
is trained once on each copy.

The script prints two ratios to `plain`, for wall time and CPU time, each with a 95 % bootstrap
interval over the cycles: the median of the ratios within a round, and the ratio of the means over
all timed steps. The median is steadier, but it leaves out rare expensive steps, such as the close
looks in a long epoch (for ResNet50, one in 48 steps). An interval that contains the aim is called
"not resolved". The time that a callback takes at the end of an epoch is divided by the number of
steps of the epoch, and added to the time of a step.
"""

import argparse
import os
import tempfile
import threading
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
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each fit")
    parser.add_argument("--cycles", type=int, default=6, help="see above")
    parser.add_argument("--steps", type=int, default=8, help="steps of each variant in a round")
    parser.add_argument(
        "--skip", type=int, default=20, help="steps before the first round of a fit"
    )
    parser.add_argument("--steps-per-execution", type=int, default=1, help="for `compile`")
    parser.add_argument("--variants", default="plain,guard,tensorboard")
    return parser.parse_args()


def build(name, steps_per_execution):
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
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
    model.compile(
        "sgd",
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=steps_per_execution,
    )
    return model


class Copy:
    """One copy of the model that is trained by `fit` in a thread, some steps at a time.

    Attributes:
        end: `(wall, CPU)` seconds that the callbacks took at the end of the latest epoch.
    """

    def __init__(self, model, data, log_dir):
        self.left, self.end = 0, (0.0, 0.0)
        self._model, self._data, self._log_dir = model, data, log_dir

    def begin(self, variant):
        """Begins a fit of one epoch with the callbacks of a variant; `run` then trains."""
        import keras

        self._may_run, self._has_run = threading.Semaphore(0), threading.Semaphore(0)
        self._is_last = False
        copy = self

        class Turns(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                copy.left -= 1
                if not copy.left:
                    copy._pause()
                    self.model.stop_training = copy._is_last

            def on_epoch_end(self, epoch, logs=None):
                copy.end = np.subtract(now(), copy._start)

        class Start(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                copy._start = now()

        callbacks = [Start(), *self._callbacks(variant), Turns()]
        self._thread = threading.Thread(target=self._fit, args=(callbacks,))
        self._thread.start()

    def _callbacks(self, variant):
        import keras

        import keras_shiftguard as sg

        return {
            "plain": lambda: [],
            # With `expects`, the verdict, whose time is not part of the ratios, is quick.
            "guard": lambda: [sg.ShiftGuard(expects="raw", on_mismatch="ignore", verbose=0)],
            "tensorboard": lambda: [keras.callbacks.TensorBoard(self._log_dir, histogram_freq=1)],
        }[variant]()

    def _fit(self, callbacks):
        self._may_run.acquire()
        self._model.fit(self._data, callbacks=callbacks, verbose=0)
        self._has_run.release()

    def _pause(self):
        self._has_run.release()
        self._may_run.acquire()

    def run(self, steps):
        """Trains for some steps; returns their `(wall, CPU)` seconds."""
        start, self.left = now(), steps
        self._may_run.release()
        self._has_run.acquire()
        return np.subtract(now(), start)

    def finish(self):
        """Ends the fit; `end` then holds the time of the callbacks at the end of the epoch."""
        self._is_last, self.left = True, -1
        self._may_run.release()
        self._thread.join()


def now():
    return time.perf_counter(), time.process_time()


def batches(batch, size):
    """Returns as many batches as 50,000 images need: one batch, slightly changed each time."""
    import keras

    rng = np.random.default_rng(0)
    x = (rng.random((batch, size, size, 3)) * 255).astype("float32")
    y = rng.integers(0, 10, batch)

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return IMAGES_PER_EPOCH // batch

        def __getitem__(self, index):
            return x + np.float32(index % 256) / 256, y  # not the same samples again and again

    return Batches()


def ratios(times, plain, rng):
    """Returns two ratios to `plain` by name, each as `(value, low, high)`.

    Args:
        times: Seconds of a step, `(cycles, rounds)`.
        plain: The same without a callback.
        rng: Source of the random numbers.
    """
    drawn = rng.integers(0, len(times), (2000, len(times)))
    medians = np.median((times / plain)[drawn].reshape(len(drawn), -1), axis=1)
    means = times[drawn].sum(axis=(1, 2)) / plain[drawn].sum(axis=(1, 2))
    return {
        "median": (np.median(times / plain), *np.quantile(medians, [0.025, 0.975])),
        "mean": (times.sum() / plain.sum(), *np.quantile(means, [0.025, 0.975])),
    }


def report(name, times, end, target, rng):
    """Prints the rows of a variant in the table of ratios."""
    for kind, column in (("wall", 0), ("CPU", 1)):
        seconds, plain = times[name][..., column], times["plain"][..., column]
        for which, (ratio, low, high) in ratios(seconds, plain, rng).items():
            verdict = ""
            if name == "guard":
                verdict = "within" if high - 1 <= target else "not resolved"
                verdict = "above" if low - 1 > target else verdict
                verdict += f" ({100 * target:.0f} %)"
            percent = [f"{100 * (value - 1):+.2f}" for value in (ratio, low, high)]
            interval = f"[{percent[1]}, {percent[2]}]"
            ms, at_end = 1000 * seconds.mean(), f"{end[column]:.2f}"
            cells = (name, kind, f"{ms:.1f}", which, percent[0], interval, at_end, verdict)
            print("| " + " | ".join(cells) + " |")


def main():
    args = parse()
    os.environ["KERAS_BACKEND"] = args.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    rng = np.random.default_rng(0)
    batch = args.batch or BATCHES[args.model]
    size = 224 if args.model == "resnet50" else 32
    names = args.variants.split(",")
    if args.backend != "tensorflow" and "tensorboard" in names:
        names.remove("tensorboard")  # keras.callbacks.TensorBoard needs TensorFlow
    epoch = IMAGES_PER_EPOCH // batch // args.steps_per_execution
    if args.skip + args.rounds * args.steps >= epoch:
        raise SystemExit(f"skip + rounds * steps must be below the {epoch} steps of an epoch")
    print(
        f"{args.model}, batch {batch}, {size}x{size}, {args.backend}, steps per execution "
        f"{args.steps_per_execution}, {args.cycles} cycles of "
        f"{len(names)} fits, {args.rounds} rounds of {args.steps} steps in each; load "
        f"{os.getloadavg()[0]:.1f} at the start"
    )
    times, ends = {name: [] for name in names}, {name: [] for name in names}
    with tempfile.TemporaryDirectory() as log_dir:
        data = batches(batch, size)
        models = [build(args.model, args.steps_per_execution) for _ in names]
        copies = [Copy(model, data, log_dir) for model in models]
        for fit in range(args.cycles * len(names)):
            shift = fit % len(names)
            chosen = dict(zip(names, copies[shift:] + copies[:shift], strict=True))
            first = {}
            for name in rng.permutation(names):
                chosen[name].begin(name)
                first[name] = chosen[name].run(args.skip)[0]
            if fit < len(names):
                seconds = ", ".join(f"{name} {first[name]:.2f} s" for name in names)
                print(f"first {args.skip} steps, compilation included: {seconds}", flush=True)
            for _ in range(args.rounds):
                for name in rng.permutation(names):
                    times[name].append(chosen[name].run(args.steps) / args.steps)
            for name, copy in chosen.items():
                copy.finish()
                ends[name].append(copy.end)
    ends = {name: np.mean(rows, axis=0) for name, rows in ends.items()}
    times = {
        name: np.reshape(rows, (args.cycles, -1, 2)) + ends[name] / epoch
        for name, rows in times.items()
    }
    print(f"load {os.getloadavg()[0]:.1f} at the end")
    wall, cpu = 1000 * times["plain"].mean(axis=(0, 1))
    print("\n| | time | ms a step | ratio | added, % | 95 % | s at the end of an epoch | aim |")
    print("|---|---|---|---|---|---|---|---|")
    print(f"| plain | wall | {wall:.1f} | | | | | |\n| plain | CPU | {cpu:.1f} | | | | | |")
    for name in names[1:]:
        report(name, times, ends[name], TARGETS[args.model], rng)


if __name__ == "__main__":
    main()

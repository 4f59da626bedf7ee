"""Growth benchmark: the cost of the guard as the work grows, and memory that must not grow.

    python examples/benchmarks/growth.py table --backend tensorflow
    python examples/benchmarks/growth.py epochs --epochs 1000
    python examples/benchmarks/growth.py fits --fits 50
    python examples/benchmarks/growth.py counts

`table`: one quantity grows at a time, and each value has a process of its own. The script prints
the CPU time that the guard adds to a step, the time of the guard at the end of an epoch, the bytes
of the guard's state, and the bytes of events of one more epoch. `epochs` and `fits`: the memory of
the process along one long fit, and over many fits, each with the guard and without it. `counts`:
more samples than float32 and int32 can count. The networks are as small as possible, so that their
own cost does not hide that of the guard.
"""

import argparse
import gc
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GROWS = {
    "size": (32, 128, 512),
    "channels": (1, 3, 16, 64),
    "features": (10, 100, 1000, 10_000),
    "classes": (2, 100, 10_000),
    "replicas": (1, 2, 4),
}
BATCH, STEPS = 32, 8


def made(size=32, channels=3, features=0, classes=10):
    """Returns the smallest network for the data, and one batch of samples and labels."""
    import keras
    import numpy as np

    shape = (features,) if features else (size, size, channels)
    layers = [] if features else [keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input(shape), *layers, keras.layers.Dense(classes)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH, *shape)).astype("float32")
    return model, x, rng.integers(0, classes, BATCH)


def stream(x, y):
    while True:
        yield x, y


def timed_guard(log_dir):
    import keras_shiftguard as sg

    class Timed(sg.ShiftGuard):
        """A guard that records its time at the end of each epoch, its state bytes and log bytes."""

        ends, state, written = (), 0, ()

        def on_epoch_end(self, epoch, logs=None):
            start = time.process_time()
            super().on_epoch_end(epoch, logs)
            self.ends = (*self.ends, time.process_time() - start)
            self.state = state_bytes(self._run.stream("train"))
            files = Path(log_dir).rglob("events.out.tfevents.*")
            self.written = (*self.written, sum(f.stat().st_size for f in files))

    return Timed(log_dir=log_dir, verbose=0, on_mismatch="ignore", on_shift="ignore")


def state_bytes(stream):
    """Returns the bytes of the statistics of a stream, and of the images that it keeps."""
    sketches, labels = stream.sketches.values(), stream.labels
    states = [state for s in sketches for state in (s.state, s.pixel_state, s.sample_state)]
    values = [v for state in (*states, labels.state, labels.details) for v in state.variables]
    kept = [buffer.read()[0] for buffer in stream.kept_samples.values()]
    return 4 * sum(math.prod(each.shape) for each in (*values, *kept))


def epochs_timed(model, x, y, callbacks, epochs):
    """Returns the CPU seconds of each epoch of training."""
    import keras

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.process_time()

        def on_train_batch_end(self, batch, logs=None):
            if batch == STEPS - 1:
                times.append(time.process_time() - self.start)

    times = []
    model.fit(
        stream(x, y),
        steps_per_epoch=STEPS,
        epochs=epochs,
        validation_data=stream(x[::-1], y[::-1]),
        validation_steps=1,
        callbacks=[*callbacks, Clock()],
        verbose=0,
    )
    return times


def case(args):
    import numpy as np

    strategy = None
    if args.grows == "replicas":
        import tensorflow as tf

        device = tf.config.list_physical_devices("CPU")[0]
        logical = [tf.config.LogicalDeviceConfiguration()] * args.value
        tf.config.set_logical_device_configuration(device, logical)
        strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(args.value)])
        with strategy.scope():
            model, x, y = made()
    else:
        model, x, y = made(**{args.grows: args.value})
    plain = epochs_timed(model, x, y, [], args.epochs)
    with tempfile.TemporaryDirectory() as log_dir:
        guard = timed_guard(log_dir)
        watched = epochs_timed(model, x, y, [guard], args.epochs)
    middle = [float(np.median(each[1:])) for each in (plain, watched, guard.ends)]
    print(
        json.dumps(
            {
                "plain": middle[0] / STEPS,
                "guard": (middle[1] - middle[0]) / STEPS,
                "end": middle[2],
                "state": guard.state,
                "events": guard.written[-1] - guard.written[-2],
            }
        )
    )


def table(args):
    print(f"{args.backend}, batches of {BATCH}, load {os.getloadavg()[0]:.1f}, CPU time")
    print(
        "| grows | to | plain step | the guard adds | end of an epoch | state | events an epoch |"
    )
    print("|---|---|---|---|---|---|---|")
    for grows in args.grows or GROWS:
        if grows == "replicas" and args.backend != "tensorflow":
            continue
        for value in GROWS[grows]:
            command = ["case", "--grows", grows, "--value", str(value)]
            done = child(args, *command, "--epochs", str(args.epochs))
            row = json.loads(done.strip().splitlines()[-1])
            print(
                f"| {grows} | {value:,} | {1000 * row['plain']:.1f} ms | "
                f"{1000 * row['guard']:.1f} ms | {1000 * row['end']:.0f} ms | "
                f"{row['state'] / 1024:,.0f} KiB | {row['events'] / 1024:,.0f} KiB |",
                flush=True,
            )


def child(args, *command):
    environment = {**os.environ, "KERAS_BACKEND": args.backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, *command, "--backend", args.backend],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return done.stdout


def resident():
    """Returns the memory of the process in MiB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def long_fit(args):
    """Prints the memory along one fit, with the guard or without."""
    import keras

    model, x, y = made(features=10, classes=2)
    marks = sorted({args.epochs // 10, args.epochs // 2, args.epochs})

    class Memory(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch + 1 in marks:
                found.append([epoch + 1, resident()])

    found = []
    with tempfile.TemporaryDirectory() as log_dir:
        guard = timed_guard(log_dir)
        watches = [guard] if args.guard else []
        epochs_timed(model, x, y, [*watches, Memory()], args.epochs)
    ends = [[m, sum(guard.ends[m - 10 : m]) / 10] for m in marks] if args.guard else []
    print(json.dumps({"memory": found, "ends": ends, "events": list(guard.written[-1:])}))


def many_fits(args):
    """Prints the memory over many fits, of one model or of new ones, with new guards or without."""
    import keras_shiftguard as sg

    model, x, y = made(features=10, classes=2)
    found = []
    for number in range(1, args.fits + 1):
        if args.new_models:
            model, x, y = made(features=10, classes=2)
        watches = [sg.ShiftGuard(verbose=0, on_shift="ignore")] if args.guard else []
        epochs_timed(model, x, y, watches, 1)
        if number in (args.fits // 5, args.fits // 2, args.fits):
            found.append([number, resident()])
    print(json.dumps({"memory": found}))


def leaks(args):
    for guard in ((), ("--guard",)):
        name = f"one-{args.what}"
        amount = ("--epochs", str(args.epochs)) if args.what == "epochs" else ()
        amount = ("--fits", str(args.fits)) if args.what == "fits" else amount
        amount += ("--new-models",) if args.new_models else ()
        row = json.loads(child(args, name, *amount, *guard).strip().splitlines()[-1])
        memory = ", ".join(f"{mib:.0f} MiB after {number:,}" for number, mib in row["memory"])
        print(f"{'with' if guard else 'without'} the guard: {memory}", flush=True)
        for number, end in row.get("ends", ()):
            print(f"    end of an epoch, about epoch {number:,}: {1000 * end:.1f} ms")
        for size in row.get("events", ()):
            print(f"    events: {size / 1024:,.0f} KiB")


def counts(args):
    """Counts more samples in one pass than float32 can count, and adds up more than int32 can."""
    import numpy as np
    from keras import ops

    from keras_shiftguard.callback.runs.passes import PassCounter
    from keras_shiftguard.statistics.batch import spec_for
    from keras_shiftguard.statistics.stream import Stream

    rows, batches = 65_536, 260
    x = np.random.default_rng(0).normal(3.0, 1.0, (rows, 1)).astype("float32")
    y = np.arange(rows) % 4
    tensor, labels = ops.convert_to_tensor(x), ops.convert_to_tensor(y)
    watched, passes = Stream("train"), PassCounter()
    watched.build([spec_for("input", (None, 1), "channels_last")])
    passes.start(watched, batches)
    for batch in range(batches):
        watched.update({"input": tensor}, tensor, labels)
        passes.advance(batch)
        if passes.must_drain:
            passes.drain(watched)
    profile = passes.drain(watched)
    right = True
    for doublings, limit in ((0, 24), (8, 31)):
        for _ in range(doublings):
            profile = profile + profile
        wanted = rows * batches * 2**doublings
        counted = profile.num_samples, int(profile.labels.counts.sum())
        mean = float(profile.inputs["input"].mean[0])
        print(
            f"{wanted:,} samples (2**{limit} is {2**limit:,}): counted {counted[0]:,}, labels "
            f"{counted[1]:,}, mean {mean:.6f} ({x.mean(dtype='float64'):.6f})"
        )
        right &= counted == (wanted, wanted) and abs(mean - x.mean(dtype="float64")) < 1e-5
    print("right" if right else "WRONG")
    return 0 if right else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = {
        "table": table,
        "epochs": leaks,
        "fits": leaks,
        "counts": counts,
        "case": case,
        "one-epochs": long_fit,
        "one-fits": many_fits,
    }
    parser.add_argument("what", choices=what, help="those after `counts` are internal")
    parser.add_argument("--backend", default="tensorflow", choices=["tensorflow", "jax", "torch"])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--fits", type=int, default=50)
    parser.add_argument("--new-models", action="store_true", help="`fits`: a new model for each")
    parser.add_argument("--guard", action="store_true")
    parser.add_argument("--grows", nargs="*")
    parser.add_argument("--value", type=int)
    args = parser.parse_args()
    if args.what == "case":
        [args.grows] = args.grows
    return what[args.what](args)


if __name__ == "__main__":
    sys.exit(main())
